//! Messages about times that are rejected. They name the format that would fit; no decision depends on that.

use crate::click::LatestBelievable;
use crate::event_time::EventTime;
use crate::fields::{Field, FieldName};
use crate::limits::{END_OF_EVENT_TIME_MS, MIN_CLICK_TIME_MS};
use crate::rejection::{FieldFault, Rejection};
use crate::shown;
use crate::timestamp_format::{TimestampFormat, is_decimal, unix};
use crate::whole_number::WholeNumber;

/// The earliest time, in Unix milliseconds, that makes another format plausible enough for a hint: 2001-09-09.
const PLAUSIBLE_MS: u64 = 1_000_000_000_000;

/// The rejection of `field`, which is not written in `format`.
pub(crate) fn misfit(format: TimestampFormat, name: FieldName<'_>, field: &Field<'_>) -> Rejection {
    let (fault, expected) = match format {
        TimestampFormat::Milliseconds => {
            // Seconds with a fraction, as returned by Python's `time.time()`, are rejected as seconds.
            if let Some(time) = decimal_seconds(field).filter(|time| time.ms() < MIN_CLICK_TIME_MS) {
                return in_seconds(name, field, time);
            }
            (FieldFault::NotAnInteger, "Unix milliseconds as an integer or a string of digits")
        }
        TimestampFormat::Seconds => (FieldFault::WrongFormat, "Unix seconds as a number or a string of digits"),
        TimestampFormat::Microseconds => {
            (FieldFault::WrongFormat, "Unix microseconds as a number or a string of digits")
        }
        TimestampFormat::Iso8601 | TimestampFormat::Arrival => {
            (FieldFault::WrongFormat, "a date-time of RFC 3339, such as 2024-07-19T11:53:20.123Z")
        }
    };
    let message = format!("{name} is {}, expected {expected}{}", field.shown(), fitting(format, field));
    name.rejection(fault, message)
}

/// The whole part of `field`, a decimal number with a point and no exponent.
fn decimal_seconds(field: &Field<'_>) -> Option<EventTime> {
    let text: &str = match field {
        Field::Scalar(raw) => raw,
        Field::Text(text) => text,
        _ => return None,
    };
    let (seconds, _) = text.split_once('.').filter(|_| is_decimal(text))?;
    seconds.parse().ok().and_then(EventTime::from_ms)
}

/// The rejection of `field`, which as milliseconds is `time`, before [`MIN_CLICK_TIME_MS`].
pub(crate) fn in_seconds(name: FieldName<'_>, field: &Field<'_>, time: EventTime) -> Rejection {
    let as_seconds = EventTime::from_ms(time.ms() * 1_000).map(EventTime::to_utc_text).unwrap_or_default();
    let message = format!(
        "{name} is {}: as milliseconds {} UTC, before 1973-03-03; as seconds it would be {as_seconds} UTC; \
         expected Unix milliseconds",
        field.shown(),
        time.to_utc_text(),
    );
    name.rejection(FieldFault::InSeconds, message)
}

/// The rejection of `field`, which in `format` is before 1973 or after 9999.
pub(crate) fn out_of_range(format: TimestampFormat, name: FieldName<'_>, field: &Field<'_>) -> Rejection {
    const MIN_SECONDS: u64 = MIN_CLICK_TIME_MS / 1_000;
    const END_SECONDS: u64 = END_OF_EVENT_TIME_MS / 1_000;
    let fitting = fitting(format, field);
    let expected = match format {
        TimestampFormat::Seconds => format!("Unix seconds from {MIN_SECONDS} to {}", END_SECONDS - 1),
        TimestampFormat::Microseconds => {
            format!("Unix microseconds from {MIN_SECONDS}000000 to {}999999", END_SECONDS - 1)
        }
        TimestampFormat::Iso8601 => {
            let message =
                format!("{name} is {}, expected a time from 1973-03-03T09:46:40Z to the end of 9999", field.shown());
            return name.rejection(FieldFault::OutOfRange, message);
        }
        TimestampFormat::Milliseconds | TimestampFormat::Arrival => {
            return beyond_milliseconds(name, MIN_CLICK_TIME_MS, &field.shown(), &fitting);
        }
    };
    let message = format!("{name} is {}, expected {expected} (the end of 9999){fitting}", field.shown());
    name.rejection(FieldFault::OutOfRange, message)
}

/// The rejection of a record whose arrival stands for the time, but is no time of a click.
pub(crate) fn arrival_out_of_range(name: FieldName<'_>, arrival_ms: u64) -> Rejection {
    let message = format!(
        "the record's arrival, which stands for the time, is {arrival_ms}, expected Unix milliseconds from \
         {MIN_CLICK_TIME_MS} to {} (the end of 9999)",
        END_OF_EVENT_TIME_MS - 1
    );
    name.rejection(FieldFault::OutOfRange, message)
}

/// The rejection of `field`, whose `time` is later than `latest`.
pub(crate) fn in_the_future(
    format: TimestampFormat,
    name: FieldName<'_>,
    field: &Field<'_>,
    time: EventTime,
    latest: LatestBelievable,
) -> Rejection {
    let shown = if format == TimestampFormat::Milliseconds { time.ms().to_string() } else { field.shown() };
    let message = format!(
        "{name} is {shown}, {} s after the record's arrival at {}; the limit is {} s",
        time.ms().saturating_sub(latest.arrival_ms()) / 1_000,
        latest.arrival_ms(),
        latest.max_clock_skew_ms() / 1_000,
    );
    name.rejection(FieldFault::InTheFuture, message)
}

/// What another format would make of `field`: nothing, or a clause that follows a message.
fn fitting(format: TimestampFormat, field: &Field<'_>) -> String {
    let others = TimestampFormat::ALL.into_iter().filter(|other| *other != format);
    let others = others.map(|other| (other.word(), other.value(field)));
    let nanoseconds = ("nanoseconds", unix(field, -6)); // no format, but worth a hint
    let fitting = others.chain([nanoseconds]).find_map(|(word, value)| {
        let Some(WholeNumber::Value(ms)) = value else { return None };
        let time = EventTime::from_ms(ms).filter(|time| time.ms() >= PLAUSIBLE_MS)?;
        Some(format!("; as {word} it would be {} UTC", time.to_utc_text()))
    });
    fitting.unwrap_or_default()
}

/// The event time written as `digits`, of any length.
pub(crate) fn event_time(name: FieldName<'_>, digits: &str) -> Result<EventTime, Rejection> {
    let ms = if digits == "-0" { Some(0) } else { digits.parse().ok() };
    ms.and_then(EventTime::from_ms).ok_or_else(|| beyond_milliseconds(name, 0, &shown::json(digits), ""))
}

/// The rejection of time `name`, whose value `shown` is not between `min_ms` and the end of 9999.
fn beyond_milliseconds(name: FieldName<'_>, min_ms: u64, shown: &str, fitting: &str) -> Rejection {
    let max_ms = END_OF_EVENT_TIME_MS - 1;
    let message =
        format!("{name} is {shown}, expected Unix milliseconds from {min_ms} to {max_ms} (the end of 9999){fitting}");
    name.rejection(FieldFault::OutOfRange, message)
}
