//! How clicks write the time, and how it is read.
//!
//! Nothing is guessed: a time in another format is rejected, and the message names the format that would fit.

use chrono::DateTime;

use crate::click::LatestBelievable;
use crate::event_time::EventTime;
use crate::fields::{Field, FieldName, ObjectJson, absent};
use crate::limits::MIN_CLICK_TIME_MS;
use crate::rejection::{FieldFault, Rejection};
use crate::timestamp_faults::{arrival_out_of_range, in_seconds, in_the_future, misfit, out_of_range};
use crate::whole_number::{WholeNumber, scaled, whole_number};

/// How the time of a click is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimestampFormat {
    /// Unix milliseconds: a JSON number without a fraction, or a string of digits.
    #[default]
    Milliseconds,
    /// Unix seconds: a JSON number or a string of digits. Either may have a fraction, of which milliseconds are kept.
    Seconds,
    /// Unix microseconds: likewise.
    Microseconds,
    /// A date-time of RFC 3339, with or without a fraction, of which milliseconds are kept. Without an offset it is UTC.
    /// `T` and `Z` may be lower case, and a space may stand for the `T`.
    Iso8601,
    /// No field: the time is that of the record's arrival.
    Arrival,
}

impl TimestampFormat {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Milliseconds, Self::Seconds, Self::Microseconds, Self::Iso8601, Self::Arrival];

    /// The format's name in a configuration.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Seconds => "seconds",
            Self::Microseconds => "microseconds",
            Self::Iso8601 => "iso8601",
            Self::Arrival => "arrival",
        }
    }

    /// The time in `field`, from 1973 up to `latest`.
    pub(crate) fn decode(
        self,
        name: FieldName<'_>,
        field: &Field<'_>,
        json: &ObjectJson<'_>,
        latest: LatestBelievable,
    ) -> Result<EventTime, Rejection> {
        if self == Self::Arrival {
            let time = EventTime::from_ms(latest.arrival_ms()).filter(|time| time.ms() >= MIN_CLICK_TIME_MS);
            return time.ok_or_else(|| arrival_out_of_range(name, latest.arrival_ms()));
        }
        let value = match field {
            Field::Missing => return Err(json.without(name)),
            Field::Null => return Err(absent(name, FieldFault::Null)),
            field => self.value(field).ok_or_else(|| misfit(self, name, field))?,
        };
        let time = match value {
            WholeNumber::Value(ms) => EventTime::from_ms(ms),
            WholeNumber::OutOfRange => None,
        };
        let time = time.ok_or_else(|| out_of_range(self, name, field))?;
        if time.ms() < MIN_CLICK_TIME_MS {
            let is_default = self == Self::Milliseconds;
            return Err(if is_default { in_seconds(name, field, time) } else { out_of_range(self, name, field) });
        }
        if time.ms() > latest.ms() {
            return Err(in_the_future(self, name, field, time, latest));
        }
        Ok(time)
    }

    /// The Unix milliseconds in `field`; `None` if it is not written in this format.
    pub(crate) fn value(self, field: &Field<'_>) -> Option<WholeNumber> {
        match self {
            Self::Milliseconds => milliseconds(field),
            Self::Seconds => unix(field, 3),
            Self::Microseconds => unix(field, -3),
            Self::Iso8601 => date_time(field),
            Self::Arrival => None,
        }
    }
}

fn milliseconds(field: &Field<'_>) -> Option<WholeNumber> {
    let digits: &str = match field {
        Field::Integer(raw) | Field::Scalar(raw) => raw,
        Field::Text(text) => text,
        _ => return None,
    };
    // Nearly all timestamps are plain digits, which need no exact decimal arithmetic. Rust takes a `+` before them.
    match digits.parse() {
        Ok(ms) if !digits.starts_with('+') => Some(WholeNumber::Value(ms)),
        _ if matches!(field, Field::Text(_)) && !is_digits(digits) => None,
        _ => whole_number(digits),
    }
}

/// The number in `field`, times 10 to the power of `power`, without its fraction.
pub(crate) fn unix(field: &Field<'_>, power: i64) -> Option<WholeNumber> {
    match field {
        Field::Integer(raw) | Field::Scalar(raw) => scaled(raw, power),
        Field::Text(text) if is_decimal(text) => scaled(text, power),
        _ => None,
    }
}

/// The Unix milliseconds of an RFC 3339 date-time.
fn date_time(field: &Field<'_>) -> Option<WholeNumber> {
    let Field::Text(text) = field else { return None };
    // A text that is complete with a `Z` has no offset.
    let time = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_rfc3339(&format!("{text}Z")));
    let ms = time.ok()?.timestamp_millis();
    Some(u64::try_from(ms).map_or(WholeNumber::OutOfRange, WholeNumber::Value))
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether `text` is digits, or digits, a point and digits.
pub(crate) fn is_decimal(text: &str) -> bool {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, "0"));
    [integer, fraction].iter().all(|digits| !digits.is_empty() && is_digits(digits))
}

#[cfg(test)]
#[path = "timestamp_format_tests.rs"]
mod tests;
