//! A click, and what makes a user id acceptable.
//!
//! Decoding ([`crate::click_format`]) is a pure function of the bytes, the record's arrival time and the allowed clock
//! skew; it reads no clock. Anything that is not a click becomes a [`Rejection`] with its own reason. No input makes it
//! panic.

use std::sync::LazyLock;

use smol_str::SmolStr;

use crate::attributes::Attributes;
use crate::click_format::{ClickFormat, SLOTS};
use crate::columns::values::ColumnValues;
use crate::event_time::EventTime;
use crate::fields::{Field, FieldName, Object, ObjectJson, Wording, absent, mistyped, not_unicode};
use crate::limits::MAX_USER_ID_CHARS;
use crate::rejection::{FieldFault, Rejection};
use crate::shown;
use crate::user_id::{InvalidUserId, UserId};

/// One click of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Click {
    /// Who clicked.
    pub user_id: UserId,
    /// When, according to the click.
    pub time: EventTime,
    /// The attributes that a session starting with this click keeps.
    pub attributes: Attributes,
    /// What it adds to each declared column.
    pub columns: ColumnValues,
}

/// A decoded click and the number of its attributes that were adjusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodedClick {
    /// The click.
    pub click: Click,
    /// How many of its attributes were adjusted because they were not strings, not Unicode, or longer than
    /// [`crate::limits::MAX_ATTRIBUTE_BYTES`].
    pub adjusted_attributes: u64,
    /// How many values of declared columns were adjusted: texts as attributes are, numbers left out because they are
    /// out of range, or no numbers.
    pub adjusted_columns: u64,
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

    /// The record's arrival, in Unix milliseconds.
    pub(crate) fn arrival_ms(self) -> u64 {
        self.arrival_ms
    }

    /// How far a click may be after its arrival, in milliseconds.
    pub(crate) fn max_clock_skew_ms(self) -> u64 {
        self.max_clock_skew_ms
    }

    /// The latest event time, in Unix milliseconds.
    pub(crate) fn ms(self) -> u64 {
        self.arrival_ms.saturating_add(self.max_clock_skew_ms)
    }
}

static DEFAULT_FORMAT: LazyLock<ClickFormat> = LazyLock::new(ClickFormat::default);

impl Click {
    /// Decodes a record that is one click in the default format.
    ///
    /// A bad attribute never rejects the click: it is adjusted to what a session can keep, and counted.
    ///
    /// # Errors
    /// A [`Rejection`] for anything that section 2 of the design rejects, and for several clicks in a record.
    pub fn decode(data: &[u8], latest: LatestBelievable) -> Result<DecodedClick, Rejection> {
        let Object { values, json } = Object::<SLOTS>::read(data, DEFAULT_FORMAT.tree(), Wording::ONE_OBJECT)?;
        DEFAULT_FORMAT.decode_click(&values, &json, latest)
    }
}

/// Accepts a string, or a JSON integer as its digits.
pub(crate) fn decode_user_id(
    name: FieldName<'_>,
    field: Field<'_>,
    json: &ObjectJson<'_>,
) -> Result<UserId, Rejection> {
    let text = match field {
        Field::Missing => return Err(json.without(name)),
        Field::Null => return Err(absent(name, FieldFault::Null)),
        Field::NotUnicode(raw) => return Err(not_unicode(name, raw)),
        Field::Scalar(_) | Field::Composite(_) => return Err(mistyped(name, &field, "a string or an integer")),
        Field::Integer("-0") => SmolStr::new_static("0"), // zero is the only integer with two spellings
        Field::Integer(digits) => digits.into(),
        Field::Text(text) => text.into(),
    };
    UserId::new(text).map_err(|invalid| match invalid {
        InvalidUserId::Empty => {
            let message = format!("{name} is empty, expected 1 to {MAX_USER_ID_CHARS} characters");
            name.rejection(FieldFault::Empty, message)
        }
        InvalidUserId::TooLong(text) => {
            let (chars, start) = (text.chars().count(), shown::string(&text));
            let message = format!("{name} has {chars} characters, more than the limit of {MAX_USER_ID_CHARS}: {start}");
            name.rejection(FieldFault::TooLong, message)
        }
    })
}

/// Rejects a user id that stands for no user.
pub(crate) fn no_placeholder(name: FieldName<'_>, user_id: UserId) -> Result<UserId, Rejection> {
    if user_id.is_placeholder() {
        let shown = shown::string(user_id.as_str());
        let message =
            format!("{name} is {shown}, a placeholder; accepting it would merge unrelated people into one user");
        return Err(name.rejection(FieldFault::Placeholder, message));
    }
    Ok(user_id)
}

#[cfg(test)]
#[path = "click_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "producer_inputs_tests.rs"]
mod producer_inputs;
