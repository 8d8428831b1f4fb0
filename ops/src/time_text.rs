//! Times on the command line and in text.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use shared::event_time::EventTime;

/// The forms of a time, for the message about a text that has none of them.
const FORMS: &str = "expected Unix milliseconds, YYYY-MM-DD, YYYY-MM-DD hh:mm:ss or YYYY-MM-DDThh:mm:ssZ (UTC), or a time \
                     ago such as 90s, 30m, 12h or 7d";

/// The time that `text` says: absolute in UTC, or a duration before now.
///
/// # Errors
/// Names the accepted forms.
pub fn parse(text: &str) -> Result<EventTime, String> {
    parse_at(text, now_ms())
}

/// A number of seconds, written as 90, 90s, 30m, 12h or 1d.
///
/// # Errors
/// Names the accepted forms.
pub fn seconds(text: &str) -> Result<u64, String> {
    let seconds = text.parse().ok().or_else(|| ago_ms(text).map(|ms| ms / 1_000));
    seconds.ok_or_else(|| "expected a time such as 90s, 30m or 12h".to_owned())
}

/// The current time in Unix milliseconds.
#[must_use]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `ms` (Unix milliseconds) as `YYYY-MM-DD hh:mm:ss` in UTC; far beyond any use, the last second of 9999.
#[must_use]
pub fn utc(ms: u64) -> String {
    let last = shared::limits::END_OF_EVENT_TIME_MS - 1;
    EventTime::from_ms(ms.min(last)).map(EventTime::to_utc_text).unwrap_or_default()
}

fn parse_at(text: &str, now_ms: u64) -> Result<EventTime, String> {
    let ms = match text.parse() {
        Ok(ms) => Some(ms),
        Err(_) => ago_ms(text).map(|ago_ms| now_ms.saturating_sub(ago_ms)).or_else(|| date_ms(text)),
    };
    ms.and_then(EventTime::from_ms).ok_or_else(|| FORMS.to_owned())
}

fn ago_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds * 1_000)
}

fn date_ms(text: &str) -> Option<u64> {
    let at = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let midnight = || Some(NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_time(NaiveTime::MIN));
    let time = at("%Y-%m-%d %H:%M:%S").or_else(|| at("%Y-%m-%dT%H:%M:%SZ")).or_else(midnight)?;
    u64::try_from(time.and_utc().timestamp_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_ago() {
        let now_ms = 1_721_390_400_000;
        let cases = [
            ("1721390000123", Some(1_721_390_000_123)),
            ("2024-07-19", Some(1_721_347_200_000)),
            ("2024-07-19 11:53:32", Some(1_721_390_012_000)),
            ("2024-07-19T11:53:32Z", Some(1_721_390_012_000)),
            ("90s", Some(now_ms - 90_000)),
            ("7d", Some(now_ms - 604_800_000)),
            ("99999999d", Some(0)),
            ("18446744073709551615d", None),
            ("253402300800000", None), // the year 10000
            ("1969-12-31", None),
            ("2024-02-30", None),
            ("2024-07-19T11:53", None),
            ("-5m", None),
            ("5é", None),
            ("m", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_at(text, now_ms).map(EventTime::ms).ok(), expected, "{text:?}");
        }
        let taken = [Some(1), Some(90), Some(86_400), Some(0), None, None];
        assert_eq!(["1", "90s", "1d", "0s", "1.5h", ""].map(|text| seconds(text).ok()), taken);
        assert_eq!(parse_at("soon", 0), Err(FORMS.to_owned()));
        assert_eq!([utc(1_721_390_012_999), utc(u64::MAX)], ["2024-07-19 11:53:32", "9999-12-31 23:59:59"]);
    }
}
