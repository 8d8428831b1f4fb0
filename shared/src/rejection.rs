//! Why a record could not be read: a stable code to count by, and a message for who has to mend it.
//!
//! A rejection is a value, not an error: the record is kept in the rejected-records table and the batch goes on.

use std::fmt;

use crate::limits::MAX_VALUE_IN_MESSAGE_CHARS;

/// What is wrong with a record, as a closed set: its codes may be counted, alarmed on and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are not UTF-8. Code `not_utf8`.
    NotUtf8,
    /// Many records packed into one by the Kinesis Producer Library. Code `aggregated_record`.
    AggregatedRecord,
    /// The text is not one JSON value. Code `not_json`.
    NotJson,
    /// The JSON value is not an object. Code `not_an_object`.
    NotAnObject,
    /// The sessions table holds an item under the boundary's key that the sink has not written. Code
    /// `session_item_foreign`.
    SessionItemForeign,
    /// A field of the object is at fault. Code: the field's name, `_`, the fault's code.
    Field {
        /// The field's name in the record.
        name: &'static str,
        /// What is wrong with it.
        fault: FieldFault,
    },
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldFault {
    /// It is not there. Code `missing`.
    Missing,
    /// It is JSON's null. Code `null`.
    Null,
    /// It is a text without characters. Code `empty`.
    Empty,
    /// It is longer than its limit. Code `too_long`.
    TooLong,
    /// It has another JSON type than the contract names. Code `mistyped`.
    Mistyped,
    /// It should be a whole number and is not. Code `not_an_integer`.
    NotAnInteger,
    /// It is a number outside its range. Code `out_of_range`.
    OutOfRange,
    /// It is a time further after the record's arrival than clocks may differ. Code `in_the_future`.
    InTheFuture,
    /// It is a word that the contract does not know. Code `unknown`.
    Unknown,
}

impl FieldFault {
    fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::TooLong => "too_long",
            Self::Mistyped => "mistyped",
            Self::NotAnInteger => "not_an_integer",
            Self::OutOfRange => "out_of_range",
            Self::InTheFuture => "in_the_future",
            Self::Unknown => "unknown",
        }
    }
}

/// Shows the reason's code, for example `user_id_too_long`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not_utf8"),
            Self::AggregatedRecord => f.write_str("aggregated_record"),
            Self::NotJson => f.write_str("not_json"),
            Self::NotAnObject => f.write_str("not_an_object"),
            Self::SessionItemForeign => f.write_str("session_item_foreign"),
            Self::Field { name, fault } => write!(f, "{name}_{}", fault.code()),
        }
    }
}

/// A record that cannot be read: the reason to count by and a message that names field, value and limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// What to count by.
    pub reason: Reason,
    /// What to read. It may repeat a part of the record, so it belongs into the table, not into logs.
    pub message: String,
}

impl Rejection {
    /// A rejection of the record as a whole.
    #[must_use]
    pub fn of_record(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// A rejection because of field `name`.
    #[must_use]
    pub fn of_field(name: &'static str, fault: FieldFault, message: impl Into<String>) -> Self {
        Self { reason: Reason::Field { name, fault }, message: message.into() }
    }
}

/// `value` as it may stand in a message: quoted, control characters escaped, cut to
/// [`MAX_VALUE_IN_MESSAGE_CHARS`] characters.
#[must_use]
pub fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_VALUE_IN_MESSAGE_CHARS) {
        None => format!("{value:?}"),
        Some((end, _)) => format!("{:?}… ({} bytes)", &value[..end], value.len()),
    }
}
