//! A record's position in its shard.
//!
//! Sequence numbers are integers of up to 129 digits, too long for any machine integer, and comparable only within a
//! shard. They must never be compared as text or converted to a type that loses digits.

use std::cmp::Ordering;
use std::fmt;

use smol_str::SmolStr;

use crate::limits::MAX_SEQUENCE_NUMBER_DIGITS;
use crate::shown;

/// A Kinesis sequence number. Compared as a number, displayed exactly as received.
#[derive(Clone, Debug)]
pub struct SequenceNumber(SmolStr);

/// Text that is not a sequence number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sequence number {} is not 1 to {MAX_SEQUENCE_NUMBER_DIGITS} decimal digits", shown::string(.text))]
pub struct InvalidSequenceNumber {
    text: String,
}

impl SequenceNumber {
    /// Parses a sequence number from its decimal digits.
    ///
    /// # Errors
    /// If `text` is empty, longer than [`MAX_SEQUENCE_NUMBER_DIGITS`], or contains anything but ASCII digits.
    pub fn parse(text: impl AsRef<str>) -> Result<Self, InvalidSequenceNumber> {
        let text = text.as_ref();
        Self::check(text)?;
        Ok(Self::of_digits(text))
    }

    /// Validates `text` like [`Self::parse`], without allocating.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn check(text: &str) -> Result<(), InvalidSequenceNumber> {
        let is_number =
            (1..=MAX_SEQUENCE_NUMBER_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(()) } else { Err(InvalidSequenceNumber { text: text.to_owned() }) }
    }

    /// The sequence number with these digits, which must have passed [`Self::check`].
    #[must_use]
    pub fn of_digits(digits: &str) -> Self {
        debug_assert!(Self::check(digits).is_ok(), "{digits:?} was not checked");
        Self(SmolStr::new(digits))
    }

    /// The digits as received, including leading zeros.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Compares two numbers given as decimal digits of any length.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(&self.0, &other.0)
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for SequenceNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for SequenceNumber {}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> SequenceNumber {
        SequenceNumber::parse(text).unwrap()
    }

    #[test]
    fn compares_as_a_number_not_as_text() {
        assert!(number("9") < number("10"));
        assert!(number("99") < number("100"));
        assert!(number(&"9".repeat(128)) < number(&format!("1{}", "0".repeat(128))));
    }

    #[test]
    fn leading_zeros_do_not_affect_comparison_and_are_kept_in_the_text() {
        assert_eq!(number("007"), number("7"));
        assert_eq!(number("000"), number("0"));
        assert!(number("0009") < number("10"));
        assert_eq!(number("007").as_str(), "007");
    }

    #[test]
    fn accepts_up_to_129_digits() {
        assert!(SequenceNumber::parse("1".repeat(129)).is_ok());
        assert!(SequenceNumber::parse("1".repeat(130)).is_err());
    }

    #[test]
    fn rejects_anything_else_and_quotes_it() {
        for text in ["", "-1", "1.0", "12a", " 1", "١"] {
            let error = SequenceNumber::parse(text).unwrap_err();
            assert!(error.to_string().contains(&format!("{text:?}")), "{error}");
        }
    }
}
