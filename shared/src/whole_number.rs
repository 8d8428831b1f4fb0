//! Parses decimal numbers exactly: those whose fraction is zero, and others without their fraction.
//!
//! Avoids floating point, which rounds near the limits. The work is linear in the length of the text, whatever its
//! exponent.

/// The value of a number without a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WholeNumber {
    /// A value that fits.
    Value(u64),
    /// Less than zero, or more than a `u64` holds.
    OutOfRange,
}

/// Most decimal digits of a `u64`.
const MAX_U64_DIGITS: i64 = 20;

/// The value of `text`, a number in JSON's notation with leading zeros allowed. `None` if it is not a number or has a
/// nonzero fraction.
pub(crate) fn whole_number(text: &str) -> Option<WholeNumber> {
    let number = Decimal::of(text)?;
    (number.digits == 0 || number.power >= 0).then(|| number.whole())
}

/// The value of `text`, a number as for [`whole_number`], times 10 to the power of `power`, without its fraction.
/// `None` if it is not a number.
pub(crate) fn scaled(text: &str, power: i64) -> Option<WholeNumber> {
    let number = Decimal::of(text)?;
    Some(Decimal { power: number.power.saturating_add(power), ..number }.whole())
}

/// The value of `text`, a number as for [`whole_number`], in units of 10 to the power of minus `places`, rounded half
/// away from zero. `None` if it is not a number; the inner `None` if it has more than `max_digits` digits in that unit.
pub(crate) fn rounded(text: &str, places: i64, max_digits: u32) -> Option<Option<i128>> {
    let number = Decimal::of(text)?;
    Some(Decimal { power: number.power.saturating_add(places), ..number }.rounded(max_digits))
}

/// Whether both texts are numbers as for [`whole_number`], and equal.
pub(crate) fn is_same_number(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (Decimal::of(a), Decimal::of(b)) else { return false };
    let are_zero = a.digits == 0 && b.digits == 0;
    let scale = |it: &Decimal<'_>| (it.is_negative, it.digits, it.power);
    are_zero || (scale(&a) == scale(&b) && a.significant().eq(b.significant()))
}

/// The number `text` in one spelling for all that are equal: an integer without trailing zeros, and its power of ten.
/// `None` if `text` is not a number as for [`whole_number`].
pub(crate) fn canonical_number(text: &str) -> Option<String> {
    let number = Decimal::of(text)?;
    if number.digits == 0 {
        return Some("0".to_owned());
    }
    let sign = if number.is_negative { "-" } else { "" };
    let digits: String = number.significant().map(char::from).collect();
    let exponent = if number.power == 0 { String::new() } else { format!("e{}", number.power) };
    Some(format!("{sign}{digits}{exponent}"))
}

/// A decimal number: significant digits times a power of ten.
struct Decimal<'t> {
    is_negative: bool,
    integer: &'t str,
    fraction: &'t str,
    /// The number of digits from the first that is not zero; zero if the number is.
    digits: i64,
    /// The power of ten of the last digit.
    power: i64,
}

impl<'t> Decimal<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let (is_negative, magnitude) = text.strip_prefix('-').map_or((false, text), |magnitude| (true, magnitude));
        let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
        let exponent = exponent_of(exponent)?;
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if integer.is_empty() || !is_digits(integer) || !is_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let (integer, power) = if fraction.is_empty() {
            let significant = integer.trim_end_matches('0');
            (significant, exponent.saturating_add(length(integer) - length(significant)))
        } else {
            (integer, exponent.saturating_sub(length(fraction)))
        };
        let mut number = Self { is_negative, integer, fraction, digits: 0, power };
        number.digits = i64::try_from(number.significant().count()).unwrap_or(i64::MAX);
        Some(number)
    }

    fn significant(&self) -> impl Iterator<Item = u8> {
        self.integer.bytes().chain(self.fraction.bytes()).skip_while(|digit| *digit == b'0')
    }

    /// The value without its fraction.
    fn whole(&self) -> WholeNumber {
        if self.digits == 0 {
            return WholeNumber::Value(0);
        }
        let length = self.digits.saturating_add(self.power);
        if self.is_negative || length > MAX_U64_DIGITS {
            return WholeNumber::OutOfRange;
        }
        let Ok(kept) = usize::try_from(self.digits.min(length)) else { return WholeNumber::Value(0) };
        let digits = self.significant().take(kept);
        let value = digits.fold(0_u128, |value, digit| value * 10 + u128::from(digit - b'0'));
        let power = u32::try_from(self.power).unwrap_or(0); // negative: the digits behind the point are left out
        u64::try_from(value * 10_u128.pow(power)).map_or(WholeNumber::OutOfRange, WholeNumber::Value)
    }

    /// The value rounded to an integer of at most `max_digits` digits.
    fn rounded(&self, max_digits: u32) -> Option<i128> {
        if self.digits == 0 {
            return Some(0);
        }
        let length = self.digits.saturating_add(self.power);
        if length > i64::from(max_digits) {
            return None;
        }
        let Ok(kept) = usize::try_from(length) else { return Some(0) }; // below a tenth
        let digits = self.significant().take(kept).map(|digit| i128::from(digit - b'0'));
        let zeros = u32::try_from(self.power).unwrap_or(0);
        let value = digits.fold(0, |value, digit| value * 10 + digit) * 10_i128.pow(zeros);
        let rounds_up = self.significant().nth(kept).is_some_and(|digit| digit >= b'5');
        let value = value + i128::from(rounds_up);
        (value < 10_i128.pow(max_digits)).then_some(if self.is_negative { -value } else { value })
    }
}

/// The exponent `text`, clamped to an `i32`: no record has enough digits for a larger one to make a difference.
fn exponent_of(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !is_digits(digits) {
        return None;
    }
    let magnitude = digits.parse::<i32>().unwrap_or(i32::MAX);
    Some(i64::from(if is_negative { -magnitude } else { magnitude }))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::WholeNumber::{OutOfRange, Value};
    use super::*;

    #[test]
    fn numbers_without_a_fraction_have_their_exact_value() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("-0.0e5", 0),
            ("0e999999999999999999999", 0),
            ("0e-999999999999999999999", 0),
            ("7", 7),
            ("0001721390000000", 1_721_390_000_000),
            ("1721390000000.0", 1_721_390_000_000),
            ("1721390000000.000", 1_721_390_000_000),
            ("1.72139E12", 1_721_390_000_000),
            ("1.72139e+0012", 1_721_390_000_000),
            ("17213900000000e-1", 1_721_390_000_000),
            ("0.00172139e15", 1_721_390_000_000),
            ("1.5e1", 15),
            ("1500e-2", 15),
            ("9007199254740993.0", 9_007_199_254_740_993),
            ("253402300799999.0", 253_402_300_799_999),
            ("18446744073709551615", u64::MAX),
            ("1844674407370955161.5e1", u64::MAX),
        ] {
            assert_eq!(whole_number(text), Some(Value(value)), "{text}");
        }
    }

    #[test]
    fn numbers_below_zero_or_beyond_64_bits_are_out_of_range() {
        for text in [
            "-1",
            "-1.0",
            "-1e400",
            "18446744073709551616",
            "18446744073709551615.0e1",
            "1e20",
            "1e400",
            "1e99999999999",
        ] {
            assert_eq!(whole_number(text), Some(OutOfRange), "{text}");
        }
    }

    #[test]
    fn numbers_with_a_fraction_and_other_texts_have_no_value() {
        for text in [
            "1721390000123.456",
            "0.1",
            "15e-1",
            "1e-400",
            "1e-99999999999",
            "-0.5",
            "253402300799999.9999999999",
            "",
            "-",
            ".",
            ".5",
            "e5",
            "1e",
            "1e+",
            "1e1.0",
            "1.2.3",
            "+1",
            "--1",
            "NaN",
            "true",
            "١",
            "1 ",
            "1_000",
        ] {
            assert_eq!(whole_number(text), None, "{text}");
        }
        assert_eq!(whole_number("5."), Some(Value(5)), "JSON rules it out before");
    }

    #[test]
    fn scaled_numbers_lose_what_is_left_of_their_fraction() {
        for (text, power, value) in [
            ("1721390000.1239", 3, Value(1_721_390_000_123)),
            ("1721390000", 3, Value(1_721_390_000_000)),
            ("1.7213900001239e9", 3, Value(1_721_390_000_123)),
            ("1721390000123999", -3, Value(1_721_390_000_123)),
            ("1721390000123999.9", -3, Value(1_721_390_000_123)),
            ("999", -3, Value(0)),
            ("0.0001", 3, Value(0)),
            ("1e-400", 3, Value(0)),
            ("0", 3, Value(0)),
            ("-0.0", 3, Value(0)),
            ("-0.0001", 3, OutOfRange),
            ("18446744073709551615", 0, Value(u64::MAX)),
            ("18446744073709551615", 1, OutOfRange),
            ("1e400", -3, OutOfRange),
        ] {
            assert_eq!(scaled(text, power), Some(value), "{text}");
        }
        assert_eq!(scaled("1.2.3", 3), None);
    }

    #[test]
    fn rounding_goes_to_the_nearest_unit_and_halves_away_from_zero() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("59.97", Some(5_997)),
            ("59.970000000000006", Some(5_997)),
            ("0.005", Some(1)),
            ("-0.005", Some(-1)),
            ("0.00499999999", Some(0)),
            ("0.0005", Some(0)),
            ("1e-400", Some(0)),
            ("1.5e1", Some(1_500)),
            ("-12e2", Some(-120_000)),
            ("9999.99", Some(999_999)),
            ("9999.994", Some(999_999)),
            ("9999.995", None),
            ("10000", None),
            ("-1e9", None),
            ("1e999999999999", None),
        ] {
            assert_eq!(rounded(text, 2, 6), Some(value), "{text}");
        }
        assert_eq!(rounded("", 2, 6), None);
        assert_eq!(rounded("NaN", 2, 6), None);
    }

    #[test]
    fn equal_numbers_have_one_spelling_and_others_another() {
        let groups = [
            ("0", &["-0", "0.00", "0e7"][..]),
            ("1", &["1.0", "10e-1", "0.1e1", "01"]),
            ("-15e-1", &["-1.5", "-1.50", "-0.15e1"]),
            ("12e2", &["1200", "1200.000", "0.12e4"]),
            ("12345678901234567891", &["12345678901234567891.0"]),
            ("12345678901234567892", &[]),
        ];
        let canonical = groups.map(|(canonical, _)| canonical);
        for (text, spellings) in groups {
            for spelling in spellings.iter().chain([&text]) {
                assert_eq!(canonical_number(spelling).as_deref(), Some(text), "{spelling}");
                let equal: Vec<_> = canonical.into_iter().filter(|other| is_same_number(spelling, other)).collect();
                assert_eq!(equal, [text], "{spelling}");
            }
        }
        assert_eq!(canonical_number("true"), None);
        assert!(!is_same_number("true", "true") && !is_same_number("1", "x"));
    }

    #[test]
    fn work_is_linear_in_the_digits_whatever_the_exponent() {
        let zeros = "0".repeat(1_000_000);
        assert_eq!(whole_number(&format!("172139{zeros}e-1000000")), Some(Value(172_139)));
        assert_eq!(whole_number(&format!("0.{zeros}172139e1000006")), Some(Value(172_139)));
        assert_eq!(whole_number(&format!("1{zeros}")), Some(OutOfRange));
        assert_eq!(whole_number(&format!("1.{zeros}1")), None);
        assert_eq!(whole_number(&format!("1e{zeros}3")), Some(Value(1_000)));
    }
}
