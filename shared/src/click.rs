//! A click, and how it is read from a record of click-stream.
//!
//! Reading is a pure function of the bytes and of two times: nothing here looks at a clock. Whatever is not a click is
//! a [`Rejection`] with its own reason; no bytes make it panic.

use smol_str::SmolStr;

use crate::attributes::Attributes;
use crate::event_time::EventTime;
use crate::fields::{Field, absent, fields_of, mistyped};
use crate::limits::{END_OF_EVENT_TIME_MS, MAX_USER_ID_CHARS};
use crate::rejection::{FieldFault, Rejection, shown};
use crate::user_id::{InvalidUserId, UserId};

/// One click of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// Who clicked.
    pub user_id: UserId,
    /// When, as the click says.
    pub time: EventTime,
    /// What a session that begins with this click keeps of it.
    pub attributes: Attributes,
}

/// Until when an event time is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatestBelievable {
    arrival_ms: u64,
    max_clock_skew_ms: u64,
}

impl LatestBelievable {
    /// Event times are believed up to `max_clock_skew_ms` after `arrival_ms`, the record's approximate arrival in
    /// Unix milliseconds.
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
    /// Reads a click from the bytes of a record.
    ///
    /// # Errors
    /// A [`Rejection`] for whatever section 2 of the design rejects, and for event attributes that are no strings or
    /// longer than [`crate::limits::MAX_ATTRIBUTE_BYTES`].
    pub fn decode(data: &[u8], latest: LatestBelievable) -> Result<Self, Rejection> {
        let [user_id, timestamp, event_name, event_type, device_type] =
            fields_of(data, [USER_ID, EVENT_TIMESTAMP, EVENT_NAME, EVENT_TYPE, DEVICE_TYPE])?;
        Ok(Self {
            user_id: decode_user_id(user_id)?,
            time: decode_event_timestamp(timestamp, latest)?,
            attributes: Attributes {
                event_name: event_name.into_attribute(EVENT_NAME)?,
                event_type: event_type.into_attribute(EVENT_TYPE)?,
                device_type: device_type.into_attribute(DEVICE_TYPE)?,
            },
        })
    }
}

/// A string, or a JSON integer taken as its digits.
pub(crate) fn decode_user_id(field: Field<'_>) -> Result<UserId, Rejection> {
    let text = match field {
        Field::Missing => return Err(absent(USER_ID, FieldFault::Missing)),
        Field::Null => return Err(absent(USER_ID, FieldFault::Null)),
        Field::Other(raw) => return Err(mistyped(USER_ID, raw, "a string or an integer")),
        Field::Integer("-0") => SmolStr::new_static("0"), // the one integer with two spellings
        Field::Integer(digits) => digits.into(),
        Field::Text(text) => text.into(),
    };
    UserId::new(text).map_err(|invalid| match invalid {
        InvalidUserId::Empty => {
            let message = format!("user_id is empty, it must have 1 to {MAX_USER_ID_CHARS} characters");
            Rejection::of_field(USER_ID, FieldFault::Empty, message)
        }
        InvalidUserId::TooLong(text) => {
            let (chars, start) = (text.chars().count(), shown(&text));
            let message = format!("user_id has {chars} characters, the limit is {MAX_USER_ID_CHARS}: {start}");
            Rejection::of_field(USER_ID, FieldFault::TooLong, message)
        }
    })
}

fn decode_event_timestamp(field: Field<'_>, latest: LatestBelievable) -> Result<EventTime, Rejection> {
    let time = match &field {
        Field::Missing => return Err(absent(EVENT_TIMESTAMP, FieldFault::Missing)),
        Field::Null => return Err(absent(EVENT_TIMESTAMP, FieldFault::Null)),
        Field::Other(raw) => return Err(not_an_integer(raw)),
        Field::Integer(raw) => event_time(EVENT_TIMESTAMP, raw)?,
        Field::Text(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            event_time(EVENT_TIMESTAMP, text)?
        }
        Field::Text(text) => return Err(not_an_integer(text)),
    };
    if time.ms() > latest.ms() {
        let message = format!(
            "event_timestamp {} is {} s after the record's arrival at {}, the limit is {} s",
            time.ms(),
            time.ms().saturating_sub(latest.arrival_ms) / 1_000,
            latest.arrival_ms,
            latest.max_clock_skew_ms / 1_000,
        );
        return Err(Rejection::of_field(EVENT_TIMESTAMP, FieldFault::InTheFuture, message));
    }
    Ok(time)
}

fn not_an_integer(raw: &str) -> Rejection {
    let message =
        format!("event_timestamp is {}, expected Unix milliseconds as an integer or a string of digits", shown(raw));
    Rejection::of_field(EVENT_TIMESTAMP, FieldFault::NotAnInteger, message)
}

/// The event time whose decimal digits are `digits`, however many they are.
pub(crate) fn event_time(name: &'static str, digits: &str) -> Result<EventTime, Rejection> {
    let ms = if digits == "-0" { Some(0) } else { digits.parse().ok() };
    ms.and_then(EventTime::from_ms).ok_or_else(|| {
        let message = format!(
            "{name} is {}, it must be from 0 (1970) to {} (the end of 9999) milliseconds",
            shown(digits),
            END_OF_EVENT_TIME_MS - 1,
        );
        Rejection::of_field(name, FieldFault::OutOfRange, message)
    })
}

#[cfg(test)]
#[path = "click_tests.rs"]
mod tests;
