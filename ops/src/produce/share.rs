//! A share of all records, as a percentage.

use std::fmt;
use std::str::FromStr;

/// Hundredths of a percent in a whole.
pub(super) const WHOLE: u64 = 10_000;

/// The largest share of records that are late, duplicates or broken, each and together, in hundredths of a percent: at
/// least one record in ten stays a click on time.
pub const MAX_SHARE: u64 = 9_000;

/// A share in hundredths of a percent, 0 to [`MAX_SHARE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u64);

impl Share {
    /// In hundredths of a percent.
    #[must_use]
    pub fn hundredths(self) -> u64 {
        self.0
    }

    /// This share of `count`, rounded down.
    #[must_use]
    pub fn of(self, count: u64) -> u64 {
        u64::try_from(u128::from(count) * u128::from(self.0) / u128::from(WHOLE)).unwrap_or(u64::MAX)
    }
}

/// The text is not a percentage from 0 to 90.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a percentage from 0 to 90 with at most two decimals, such as 2.5")]
pub struct InvalidShare;

impl FromStr for Share {
    type Err = InvalidShare;

    /// Reads a percentage, with or without a percent sign.
    fn from_str(text: &str) -> Result<Self, InvalidShare> {
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(decimals) || decimals.len() > 2 {
            return Err(InvalidShare);
        }
        let hundredths: u64 = format!("{whole}{decimals:0<2}").parse().map_err(|_| InvalidShare)?;
        if hundredths > MAX_SHARE { Err(InvalidShare) } else { Ok(Self(hundredths)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0 / 100)?;
        match (self.0 % 100, self.0 % 10) {
            (0, _) => Ok(()),
            (decimals, 0) => write!(f, ".{}", decimals / 10),
            (decimals, _) => write!(f, ".{decimals:02}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_with_up_to_two_decimals() {
        let cases = [("0", 0), ("5", 500), ("5%", 500), ("2.5", 250), ("0.05%", 5), ("90.00", 9_000), ("007", 700)];
        for (text, hundredths) in cases {
            assert_eq!(text.parse(), Ok(Share(hundredths)), "{text}");
        }
        for text in ["", "%", "-1", "+1", "90.01", "91", "1.234", "1.", ".5", "1e1", "5 %", "99999999999999999999"] {
            assert_eq!(text.parse::<Share>(), Err(InvalidShare), "{text}");
        }
        assert_eq!([0, 5, 250, 9_000].map(|share| Share(share).to_string()), ["0", "0.05", "2.5", "90"]);
    }

    #[test]
    fn a_share_of_a_count_is_rounded_down() {
        assert_eq!([Share(500).of(199), Share(500).of(200), Share(9_000).of(u64::MAX)], [9, 10, u64::MAX / 10 * 9 + 4]);
    }
}
