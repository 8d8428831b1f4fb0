//! Each format of times, with its faults.
use super::*;
use crate::click_format::{ClickFields, ClickFormat, Decoded};
use crate::event_filter::EventFilter;
use crate::field_path::FieldPath;

const ARRIVAL_MS: u64 = 1_721_390_500_000;
const SKEW_MS: u64 = 900_000;

/// The time, or the reason code and message without the name of the field.
fn decode(format: TimestampFormat, value: &str) -> Result<u64, (String, String)> {
    decode_at(ARRIVAL_MS, format, &format!(r#"{{"user_id":"u","meta":{{"at":{value}}}}}"#))
}

fn decode_at(arrival_ms: u64, format: TimestampFormat, json: &str) -> Result<u64, (String, String)> {
    let fields = ClickFields { event_timestamp: FieldPath::parse("/meta/at").unwrap(), ..ClickFields::default() };
    let format = ClickFormat::new(fields, format, EventFilter::All).unwrap();
    match format.decode_one(json.as_bytes(), LatestBelievable::after_arrival(arrival_ms, SKEW_MS)) {
        Ok(Decoded::Click(decoded)) => Ok(decoded.click.time.ms()),
        Ok(Decoded::Filtered) => panic!("{json} is filtered"),
        Err(rejection) => {
            let code = rejection.reason.to_string().trim_start_matches("event_timestamp_").to_owned();
            Err((code, rejection.message.trim_start_matches("/meta/at is ").to_owned()))
        }
    }
}

fn accepted(format: TimestampFormat, cases: &[(&str, u64)]) {
    for (value, ms) in cases {
        assert_eq!(decode(format, value), Ok(*ms), "{value}");
    }
}

fn rejected(format: TimestampFormat, cases: &[(&str, &str, &str)]) {
    for (value, code, message) in cases {
        assert_eq!(decode(format, value), Err(((*code).to_owned(), format!("{value}{message}"))), "{value}");
    }
}

#[test]
fn milliseconds_are_the_contracts() {
    let format = TimestampFormat::Milliseconds;
    assert_eq!(TimestampFormat::default(), format);
    accepted(format, &[("1721390000123", 1_721_390_000_123), ("\"1721390000123\"", 1_721_390_000_123)]);
    let expected = ", expected Unix milliseconds as an integer or a string of digits";
    rejected(
        format,
        &[
            ("1721390000123.5", "not_an_integer", expected),
            ("\"+1721390000123\"", "not_an_integer", expected),
            (
                "\"2024-07-19 11:53:20\"",
                "not_an_integer",
                &format!("{expected}; as iso8601 it would be 2024-07-19 11:53:20 UTC"),
            ),
        ],
    );
}

#[test]
fn seconds_may_have_a_fraction() {
    let format = TimestampFormat::Seconds;
    accepted(
        format,
        &[
            ("1721390000", 1_721_390_000_000),
            ("\"1721390000\"", 1_721_390_000_000),
            ("1721390000.123", 1_721_390_000_123),
            ("\"1721390000.1239999\"", 1_721_390_000_123),
            ("1.721390000123e9", 1_721_390_000_123),
            ("100000000", 100_000_000_000),
        ],
    );
    let range = ", expected Unix seconds from 100000000 to 253402300799 (the end of 9999)";
    let expected = ", expected Unix seconds as a number or a string of digits";
    rejected(
        format,
        &[
            ("1721390000123", "out_of_range", &format!("{range}; as milliseconds it would be 2024-07-19 11:53:20 UTC")),
            (
                "\"1721390000123456\"",
                "out_of_range",
                &format!("{range}; as microseconds it would be 2024-07-19 11:53:20 UTC"),
            ),
            (
                "1721390000123456789",
                "out_of_range",
                &format!("{range}; as nanoseconds it would be 2024-07-19 11:53:20 UTC"),
            ),
            ("99999999.999", "out_of_range", range),
            ("-1", "out_of_range", range),
            ("-0.5", "out_of_range", range),
            ("1e400", "out_of_range", range),
            (
                "\"2024-07-19T11:53:20Z\"",
                "wrong_format",
                &format!("{expected}; as iso8601 it would be 2024-07-19 11:53:20 UTC"),
            ),
            ("\"1721390000.\"", "wrong_format", expected),
            ("\".5\"", "wrong_format", expected),
            ("\"1.7e9\"", "wrong_format", expected),
            ("\"-1\"", "wrong_format", expected),
            ("\"\"", "wrong_format", expected),
            ("true", "wrong_format", expected),
            ("NaN", "wrong_format", expected),
            ("[1721390000]", "wrong_format", expected),
            ("\"1721390000\\ud83d\"", "wrong_format", expected),
            ("1721391401", "in_the_future", ", 901 s after the record's arrival at 1721390500000; the limit is 900 s"),
        ],
    );
}

#[test]
fn microseconds_may_have_a_fraction() {
    let format = TimestampFormat::Microseconds;
    accepted(
        format,
        &[
            ("1721390000123456", 1_721_390_000_123),
            ("\"1721390000123999\"", 1_721_390_000_123),
            ("1721390000123456.789", 1_721_390_000_123),
            ("1.721390000123456E15", 1_721_390_000_123),
            ("100000000000000", 100_000_000_000),
        ],
    );
    let range = ", expected Unix microseconds from 100000000000000 to 253402300799999999 (the end of 9999)";
    rejected(
        format,
        &[
            ("1721390000", "out_of_range", &format!("{range}; as seconds it would be 2024-07-19 11:53:20 UTC")),
            ("1721390000123", "out_of_range", &format!("{range}; as milliseconds it would be 2024-07-19 11:53:20 UTC")),
            ("253402300800000000", "out_of_range", range),
            (
                "99999999999999",
                "out_of_range",
                &format!("{range}; as milliseconds it would be 5138-11-16 09:46:39 UTC"),
            ),
            ("9999", "out_of_range", range),
            ("\"soon\"", "wrong_format", ", expected Unix microseconds as a number or a string of digits"),
        ],
    );
}

#[test]
fn date_times_are_those_of_rfc_3339_and_without_an_offset_utc() {
    let format = TimestampFormat::Iso8601;
    accepted(
        format,
        &[
            ("\"2024-07-19T11:53:20Z\"", 1_721_390_000_000),
            ("\"2024-07-19t11:53:20z\"", 1_721_390_000_000),
            ("\"2024-07-19 11:53:20Z\"", 1_721_390_000_000),
            ("\"2024-07-19T11:53:20\"", 1_721_390_000_000),
            ("\"2024-07-19 11:53:20.1239\"", 1_721_390_000_123),
            ("\"2024-07-19T11:53:20.123456789123Z\"", 1_721_390_000_123),
            ("\"2024-07-19T13:53:20+02:00\"", 1_721_390_000_000),
            ("\"2024-07-19T06:23:20.5-05:30\"", 1_721_390_000_500),
            ("\"2024-07-19T11:53:20-00:00\"", 1_721_390_000_000),
            ("\"2024-02-29T23:59:59Z\"", 1_709_251_199_000),
            ("\"2016-12-31T23:59:60Z\"", 1_483_228_800_000), // a leap second
            ("\"1973-03-03T09:46:40Z\"", 100_000_000_000),
        ],
    );
    let expected = ", expected a date-time of RFC 3339, such as 2024-07-19T11:53:20.123Z";
    let fits = |word: &str| format!("{expected}; as {word} it would be 2024-07-19 11:53:20 UTC");
    let range = ", expected a time from 1973-03-03T09:46:40Z to the end of 9999";
    rejected(
        format,
        &[
            ("1721390000", "wrong_format", &fits("seconds")),
            ("1721390000.5", "wrong_format", &fits("seconds")),
            ("\"1721390000123\"", "wrong_format", &fits("milliseconds")),
            ("1721390000123456", "wrong_format", &fits("microseconds")),
            ("\"1721390000123456789\"", "wrong_format", &fits("nanoseconds")),
            ("\"2024-07-19\"", "wrong_format", expected),
            ("\"2024-07-19T11:53Z\"", "wrong_format", expected),
            ("\"2024-07-19T11:53:20+0200\"", "wrong_format", expected),
            ("\"2024-07-19T11:53:20 UTC\"", "wrong_format", expected),
            ("\"2024-07-19T11:53:20.Z\"", "wrong_format", expected),
            ("\"2024-02-30T11:53:20Z\"", "wrong_format", expected),
            ("\"2024-07-19T24:00:00Z\"", "wrong_format", expected),
            ("\"2024-07-19T11:53:20+24:00\"", "wrong_format", expected),
            ("\" 2024-07-19T11:53:20Z\"", "wrong_format", expected),
            ("\"2024-07-19T11:53:20Zé\"", "wrong_format", expected),
            ("\"19/Jul/2024:11:53:20\"", "wrong_format", expected),
            ("\"\"", "wrong_format", expected),
            ("\"1973-03-03T09:46:39.999Z\"", "out_of_range", range),
            ("\"1969-12-31T23:59:59Z\"", "out_of_range", range),
            ("\"9999-12-31T23:59:59-00:01\"", "out_of_range", range),
            (
                "\"2024-07-19T12:16:41Z\"",
                "in_the_future",
                ", 901 s after the record's arrival at 1721390500000; the limit is 900 s",
            ),
        ],
    );
}

#[test]
fn arrival_reads_no_field() {
    let format = TimestampFormat::Arrival;
    for json in [r#"{"user_id":"u"}"#, r#"{"user_id":"u","meta":{"at":[]},"event_timestamp":null}"#] {
        assert_eq!(decode_at(ARRIVAL_MS, format, json), Ok(ARRIVAL_MS));
    }
    for arrival_ms in [0, 99_999_999_999, 253_402_300_800_000, u64::MAX] {
        let (code, message) = decode_at(arrival_ms, format, r#"{"user_id":"u"}"#).unwrap_err();
        let start = format!("the record's arrival, which stands for the time, is {arrival_ms}, expected");
        assert!(code == "out_of_range" && message.starts_with(&start), "{code}: {message}");
    }
}

#[test]
fn every_format_but_arrival_requires_the_field() {
    for format in TimestampFormat::ALL.into_iter().filter(|format| *format != TimestampFormat::Arrival) {
        assert_eq!(decode(format, "null").unwrap_err().0, "null");
        let (code, message) = decode_at(ARRIVAL_MS, format, r#"{"user_id":"u"}"#).unwrap_err();
        let expected = "/meta/at is required but missing; the record's keys are \"user_id\"";
        assert_eq!((code.as_str(), message.as_str()), ("missing", expected.trim_start_matches("/meta/at is ")));
    }
}
