//! Decimal numbers whose sums are exact, in whatever order they are added.
//!
//! Fixed-point: a library's decimals have a floating point and round once their digits are used up, so the order of
//! addition would show.

use std::fmt;

use crate::limits::{MAX_COLUMN_NUMBER_DIGITS, MAX_COLUMN_SUM_DIGITS};
use crate::whole_number::rounded;

/// Digits after the point that are kept. Enough for money, and for a double's digits where its rounding noise is not.
const PLACES: u32 = 9;

/// One, in units.
const ONE: i128 = 10_i128.pow(PLACES);

/// The end of the range of sums (exclusive), in units.
const END: i128 = 10_i128.pow(MAX_COLUMN_SUM_DIGITS);

const _: () = assert!(
    10_i128.pow(MAX_COLUMN_NUMBER_DIGITS) < END / crate::limits::MAX_SAFE_INTEGER as i128,
    "as many numbers as a session counts clicks have a sum"
);

/// A decimal number in units of a billionth.
// Packed, because 16-byte alignment would make every column value half as large again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(8))]
pub struct Number(i128);

/// Why a text has no [`Number`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotANumber;

impl Number {
    /// The number `text` in JSON's notation, rounded to nine digits after the point, halves away from zero.
    ///
    /// # Errors
    /// If it is not a number, or has more than 13 digits before the point.
    pub(crate) fn parse(text: &str) -> Result<Self, NotANumber> {
        rounded(text, PLACES.into(), MAX_COLUMN_NUMBER_DIGITS).flatten().map(Self).ok_or(NotANumber)
    }

    /// The sum `text`, read and rounded in the same way. `None` if it is not a number, or has more than 29 digits before
    /// the point.
    #[must_use]
    pub fn parse_sum(text: &str) -> Option<Self> {
        rounded(text, PLACES.into(), MAX_COLUMN_SUM_DIGITS).flatten().map(Self)
    }

    /// The number of this many billionths; `None` beyond [`MAX_COLUMN_SUM_DIGITS`] digits.
    #[must_use]
    pub fn from_billionths(units: i128) -> Option<Self> {
        (-END < units && units < END).then_some(Self(units))
    }

    /// The number in billionths.
    #[must_use]
    pub fn billionths(self) -> i128 {
        self.0
    }

    /// The sum. Never out of range for as many numbers as a session counts clicks.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).clamp(1 - END, END - 1))
    }
}

impl From<u64> for Number {
    fn from(whole: u64) -> Self {
        Self(i128::from(whole) * ONE)
    }
}

/// A JSON number without an exponent and without trailing zeros.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0;
        let sign = if units < 0 { "-" } else { "" };
        let (whole, fraction) = (units.abs() / ONE, units.abs() % ONE);
        if fraction == 0 {
            return write!(f, "{sign}{whole}");
        }
        let digits = format!("{fraction:0width$}", width = PLACES as usize);
        write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|_| panic!("{text} has a number"))
    }

    #[test]
    fn numbers_are_written_as_short_as_json_allows() {
        for (text, written) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("59.970", "59.97"),
            ("59.970000000000006", "59.97"),
            ("-0.5", "-0.5"),
            ("1e-9", "0.000000001"),
            ("-1e-9", "-0.000000001"),
            ("1e-10", "0"),
            ("5e-10", "0.000000001"),
            ("1.2e3", "1200"),
            ("9999999999999.999999999", "9999999999999.999999999"),
        ] {
            assert_eq!(number(text).to_string(), written, "{text}");
        }
    }

    #[test]
    fn numbers_of_more_than_13_digits_before_the_point_are_out_of_range() {
        for text in ["1e13", "-10000000000000", "9999999999999.9999999999", "1e400", "x", "", "NaN", "true"] {
            assert_eq!(Number::parse(text), Err(NotANumber), "{text}");
        }
    }

    #[test]
    fn tenths_add_up_exactly() {
        let sum = (0..10).map(|_| number("0.1")).reduce(Number::plus).unwrap();
        assert_eq!(sum.to_string(), "1");
        assert_eq!(number("-3").plus(number("0.25")).to_string(), "-2.75");
    }

    #[test]
    fn sum_of_the_largest_numbers_is_exact_and_fits_38_digits() {
        let largest = number("9999999999999.999999999").billionths();
        let sum = Number::from_billionths(largest * i128::from(crate::limits::MAX_SAFE_INTEGER)).unwrap();
        assert_eq!(sum.billionths().to_string().len(), 38);
        assert_eq!((Number::from_billionths(END), Number::from_billionths(-END)), (None, None));
        let end = Number::from_billionths(END - 1).unwrap();
        assert_eq!(end.plus(end), end, "beyond that it stays at the end of the range");
    }

    #[test]
    fn number_takes_two_words() {
        assert_eq!((size_of::<Number>(), align_of::<Number>()), (16, 8));
    }
}
