//! A click, and how it is decoded from a record of click-stream.
//!
//! Decoding is a pure function of the bytes, the record's arrival time and the allowed clock skew; it reads no clock.
//! Anything that is not a click becomes a [`Rejection`] with its own reason. No input makes it panic.

use smol_str::SmolStr;

use crate::attributes::Attributes;
use crate::event_time::EventTime;
use crate::fields::{Field, Object, ObjectJson, absent, mistyped, not_unicode};
use crate::limits::{END_OF_EVENT_TIME_MS, MAX_USER_ID_CHARS, MIN_CLICK_TIME_MS};
use crate::rejection::{FieldFault, Rejection};
use crate::shown;
use crate::user_id::{InvalidUserId, UserId};
use crate::whole_number::{WholeNumber, whole_number};

/// One click of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// Who clicked.
    pub user_id: UserId,
    /// When, according to the click.
    pub time: EventTime,
    /// The attributes that a session starting with this click keeps.
    pub attributes: Attributes,
}

/// A decoded click and the number of its attributes that were adjusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedClick {
    /// The click.
    pub click: Click,
    /// How many of its attributes were adjusted because they were not strings, not Unicode, or longer than
    /// [`crate::limits::MAX_ATTRIBUTE_BYTES`].
    pub adjusted_attributes: u64,
}

/// The latest event time accepted for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestBelievable {
    arrival_ms: u64,
    max_clock_skew_ms: u64,
}

impl LatestBelievable {
    /// Accepts event times up to `max_clock_skew_ms` after `arrival_ms`, the record's approximate arrival in Unix
    /// milliseconds.
    #[must_use]
    pub fn after_arrival(arrival_ms: u64, max_clock_skew_ms: u64) -> Self {
        Self { arrival_ms, max_clock_skew_ms }
    }

    fn ms(self) -> u64 {
        self.arrival_ms.saturating_add(self.max_clock_skew_ms)
    }
}

const USER_ID: &str = "user_id";
const EVENT_TIMESTAMP: &str = "event_timestamp";
const EVENT_NAME: &str = "event_name";
const EVENT_TYPE: &str = "event_type";
const DEVICE_TYPE: &str = "device_type";

impl Click {
    /// Decodes a click from the bytes of a record.
    ///
    /// A bad attribute never rejects the click: it is adjusted to what a session can keep, and counted.
    ///
    /// # Errors
    /// A [`Rejection`] for anything that section 2 of the design rejects.
    pub fn decode(data: &[u8], latest: LatestBelievable) -> Result<DecodedClick, Rejection> {
        let names = [USER_ID, EVENT_TIMESTAMP, EVENT_NAME, EVENT_TYPE, DEVICE_TYPE];
        let Object { fields: [user_id, timestamp, event_name, event_type, device_type], json } =
            Object::read(data, names)?;
        let user_id = no_placeholder(decode_user_id(user_id, &json)?)?;
        let time = decode_event_timestamp(&timestamp, &json, latest)?;
        let mut adjusted_attributes = 0;
        let attributes = Attributes {
            event_name: event_name.into_attribute(&mut adjusted_attributes),
            event_type: event_type.into_attribute(&mut adjusted_attributes),
            device_type: device_type.into_attribute(&mut adjusted_attributes),
        };
        Ok(DecodedClick { click: Self { user_id, time, attributes }, adjusted_attributes })
    }
}

/// The user id in the bytes of a record, whatever else is wrong with the record; `None` if none can be read.
#[must_use]
pub fn user_id_in(data: &[u8]) -> Option<UserId> {
    let Object { fields: [user_id], json } = Object::read(data, [USER_ID]).ok()?;
    decode_user_id(user_id, &json).ok()
}

/// Accepts a string, or a JSON integer as its digits.
pub(crate) fn decode_user_id(field: Field<'_>, json: &ObjectJson<'_>) -> Result<UserId, Rejection> {
    let text = match field {
        Field::Missing => return Err(json.without(USER_ID)),
        Field::Null => return Err(absent(USER_ID, FieldFault::Null)),
        Field::NotUnicode(raw) => return Err(not_unicode(USER_ID, raw)),
        Field::Scalar(_) | Field::Composite(_) => return Err(mistyped(USER_ID, &field, "a string or an integer")),
        Field::Integer("-0") => SmolStr::new_static("0"), // zero is the only integer with two spellings
        Field::Integer(digits) => digits.into(),
        Field::Text(text) => text.into(),
    };
    UserId::new(text).map_err(|invalid| match invalid {
        InvalidUserId::Empty => {
            let message = format!("user_id is empty, expected 1 to {MAX_USER_ID_CHARS} characters");
            Rejection::of_field(USER_ID, FieldFault::Empty, message)
        }
        InvalidUserId::TooLong(text) => {
            let (chars, start) = (text.chars().count(), shown::string(&text));
            let message =
                format!("user_id has {chars} characters, more than the limit of {MAX_USER_ID_CHARS}: {start}");
            Rejection::of_field(USER_ID, FieldFault::TooLong, message)
        }
    })
}

fn no_placeholder(user_id: UserId) -> Result<UserId, Rejection> {
    if user_id.is_placeholder() {
        let shown = shown::string(user_id.as_str());
        let message =
            format!("user_id is {shown}, a placeholder; accepting it would merge unrelated people into one user");
        return Err(Rejection::of_field(USER_ID, FieldFault::Placeholder, message));
    }
    Ok(user_id)
}

/// Accepts a JSON number without a fraction or a string of digits, from 1973 up to `latest`.
fn decode_event_timestamp(
    field: &Field<'_>,
    json: &ObjectJson<'_>,
    latest: LatestBelievable,
) -> Result<EventTime, Rejection> {
    let digits = match field {
        Field::Missing => return Err(json.without(EVENT_TIMESTAMP)),
        Field::Null => return Err(absent(EVENT_TIMESTAMP, FieldFault::Null)),
        Field::Integer(raw) | Field::Scalar(raw) => raw,
        Field::Text(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => &**text,
        Field::Text(text) => return Err(not_an_integer(field, text)),
        Field::NotUnicode(_) | Field::Composite(_) => return Err(not_an_integer(field, "")),
    };
    // Nearly all timestamps are plain digits, which need no exact decimal arithmetic.
    let number = digits.parse().ok().map(WholeNumber::Value).or_else(|| whole_number(digits));
    let time = match number {
        None => return Err(not_an_integer(field, digits)),
        Some(WholeNumber::OutOfRange) => return Err(beyond_9999(field, None)),
        Some(WholeNumber::Value(ms)) => EventTime::from_ms(ms).ok_or_else(|| beyond_9999(field, Some(ms)))?,
    };
    if time.ms() < MIN_CLICK_TIME_MS {
        return Err(in_seconds(field, time));
    }
    if time.ms() > latest.ms() {
        let message = format!(
            "event_timestamp is {}, {} s after the record's arrival at {}; the limit is {} s",
            time.ms(),
            time.ms().saturating_sub(latest.arrival_ms) / 1_000,
            latest.arrival_ms,
            latest.max_clock_skew_ms / 1_000,
        );
        return Err(Rejection::of_field(EVENT_TIMESTAMP, FieldFault::InTheFuture, message));
    }
    Ok(time)
}

/// The rejection of `field`, whose `text` is not a whole number. Seconds with a fraction, as returned by Python's
/// `time.time()`, are rejected as seconds.
fn not_an_integer(field: &Field<'_>, text: &str) -> Rejection {
    if let Some((seconds, fraction)) = text.split_once('.')
        && [seconds, fraction].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit()))
        && let Some(time) = seconds.parse().ok().and_then(EventTime::from_ms)
        && time.ms() < MIN_CLICK_TIME_MS
    {
        return in_seconds(field, time);
    }
    let message =
        format!("event_timestamp is {}, expected Unix milliseconds as an integer or a string of digits", field.shown());
    Rejection::of_field(EVENT_TIMESTAMP, FieldFault::NotAnInteger, message)
}

/// The rejection of `field`, which as milliseconds is `time`, before [`MIN_CLICK_TIME_MS`].
fn in_seconds(field: &Field<'_>, time: EventTime) -> Rejection {
    let as_seconds = EventTime::from_ms(time.ms() * 1_000).map(EventTime::to_utc_text).unwrap_or_default();
    let message = format!(
        "event_timestamp is {}: as milliseconds {} UTC, before 1973-03-03; as seconds it would be {as_seconds} UTC; \
         expected Unix milliseconds",
        field.shown(),
        time.to_utc_text(),
    );
    Rejection::of_field(EVENT_TIMESTAMP, FieldFault::InSeconds, message)
}

/// The earliest time, in Unix milliseconds, that makes another unit plausible enough for a hint: 2001-09-09.
const PLAUSIBLE_MS: u64 = 1_000_000_000_000;

/// The rejection of `field`, which is negative, or as `value` milliseconds is after the year 9999.
fn beyond_9999(field: &Field<'_>, value: Option<u64>) -> Rejection {
    let mut rejection = out_of_range(EVENT_TIMESTAMP, MIN_CLICK_TIME_MS, &field.shown());
    let finer = [("microseconds", 1_000), ("nanoseconds", 1_000_000)];
    let fitting = finer.into_iter().find_map(|(unit, per_ms)| {
        let time = EventTime::from_ms(value? / per_ms).filter(|time| time.ms() >= PLAUSIBLE_MS)?;
        Some(format!("; as {unit} it would be {} UTC", time.to_utc_text()))
    });
    rejection.message.extend(fitting);
    rejection
}

/// The event time written as `digits`, of any length.
pub(crate) fn event_time(name: &'static str, digits: &str) -> Result<EventTime, Rejection> {
    let ms = if digits == "-0" { Some(0) } else { digits.parse().ok() };
    ms.and_then(EventTime::from_ms).ok_or_else(|| out_of_range(name, 0, &shown::json(digits)))
}

/// The rejection of time `name`, whose value `shown` is not between `min_ms` and the end of 9999.
fn out_of_range(name: &'static str, min_ms: u64, shown: &str) -> Rejection {
    let max_ms = END_OF_EVENT_TIME_MS - 1;
    let message = format!("{name} is {shown}, expected Unix milliseconds from {min_ms} to {max_ms} (the end of 9999)");
    Rejection::of_field(name, FieldFault::OutOfRange, message)
}

#[cfg(test)]
#[path = "click_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "producer_inputs_tests.rs"]
mod producer_inputs;
