//! Why a record was rejected: a stable code to count by, and a message for the person who fixes its producer.
//!
//! A rejection is a value, not an error: the record is kept in the rejected-records table and the batch continues.

use std::fmt;

use FieldFault::{
    Empty, InSeconds, InTheFuture, Missing, Mistyped, NotAnInteger, NotUnicode, NotUserAndOrdinal, Null, OutOfRange,
    Placeholder, TooLong, Unknown, WrongFormat,
};

/// What is wrong with a record. A closed set, so codes can be counted, alarmed on and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The bytes are not UTF-8. Code `not_utf8`.
    NotUtf8,
    /// The record was aggregated by the Kinesis Producer Library, on a stream where that is not allowed. Code
    /// `aggregated_record`.
    AggregatedRecord,
    /// The record was aggregated by the Kinesis Producer Library, but not by its rules. Code: `aggregated_record_` and
    /// the fault's code.
    Aggregation(AggregationFault),
    /// The text is not one JSON value. Code `not_json`.
    NotJson,
    /// The JSON value is not an object. Code `not_an_object`.
    NotAnObject,
    /// The sessions table already contains an item with the boundary's key that the sink did not write. Code
    /// `session_item_foreign`.
    SessionItemForeign,
    /// A field is invalid. Code: the field's name, `_` and the fault's code.
    Field {
        /// The field's name in the record.
        name: &'static str,
        /// What is wrong with it.
        fault: FieldFault,
    },
}

/// What is wrong with an aggregated record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AggregationFault {
    /// It has fewer bytes than its magic number and its checksum. Code `too_short`.
    TooShort,
    /// Its checksum differs. Code `wrong_checksum`.
    WrongChecksum,
    /// It is not a protobuf message with the fields of the format. Code `malformed`.
    Malformed,
    /// A record in it lacks its partition key or its data. Code `field_missing`.
    FieldMissing,
    /// A record in it names a key beyond the table of keys. Code `key_unknown`.
    KeyUnknown,
    /// There is no record in it. Code `empty`.
    Empty,
    /// It is itself in an aggregated record. Code `nested`.
    Nested,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldFault {
    /// It is absent. Code `missing`.
    Missing,
    /// It is `null`. Code `null`.
    Null,
    /// It is an empty string. Code `empty`.
    Empty,
    /// It is a string that stands for no value, such as `undefined` or a blank. Code `placeholder`.
    Placeholder,
    /// It is a string with an unpaired surrogate, which is not a Unicode character. Code `not_unicode`.
    NotUnicode,
    /// It is longer than its limit. Code `too_long`.
    TooLong,
    /// It has the wrong JSON type. Code `mistyped`.
    Mistyped,
    /// It is not a whole number. Code `not_an_integer`.
    NotAnInteger,
    /// It is not written in the configured format. Code `wrong_format`.
    WrongFormat,
    /// It is a number outside its range. Code `out_of_range`.
    OutOfRange,
    /// It is a time that is almost certainly in seconds; milliseconds are required. Code `in_seconds`.
    InSeconds,
    /// It is a time later than the record's arrival plus the allowed clock skew. Code `in_the_future`.
    InTheFuture,
    /// It is not one of the contract's words. Code `unknown`.
    Unknown,
    /// It is not the record's user id, `_` and a number. Code `not_user_and_ordinal`.
    NotUserAndOrdinal,
}

/// Every field that can be invalid, with its possible faults.
const FIELD_FAULTS: [(&str, &[FieldFault]); 9] = [
    ("user_id", &[Missing, Null, Empty, Placeholder, NotUnicode, TooLong, Mistyped]),
    ("event_timestamp", &[Missing, Null, NotAnInteger, WrongFormat, OutOfRange, InSeconds, InTheFuture]),
    ("session_timestamp", &[Missing, Null, NotAnInteger, OutOfRange]),
    ("session_time", &[Missing, Empty, NotUnicode, TooLong, Mistyped]),
    ("session_id", &[Missing, Empty, NotUnicode, Mistyped, NotUserAndOrdinal]),
    ("status", &[Unknown, NotUnicode, Mistyped]),
    ("session_end", &[Missing, Null, NotAnInteger, OutOfRange]),
    ("event_count", &[Missing, Null, NotAnInteger, OutOfRange]),
    ("version", &[Missing, Null, NotAnInteger, OutOfRange]),
];

impl Reason {
    /// Every reason for which one of the functions rejects a record.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_record =
            [Self::NotUtf8, Self::AggregatedRecord, Self::NotJson, Self::NotAnObject, Self::SessionItemForeign];
        let of_fields = FIELD_FAULTS
            .iter()
            .flat_map(|(name, faults)| faults.iter().map(move |fault| Self::Field { name, fault: *fault }));
        of_record.into_iter().chain(AggregationFault::ALL.map(Self::Aggregation)).chain(of_fields)
    }
}

impl AggregationFault {
    const ALL: [Self; 7] = [
        Self::TooShort,
        Self::WrongChecksum,
        Self::Malformed,
        Self::FieldMissing,
        Self::KeyUnknown,
        Self::Empty,
        Self::Nested,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::WrongChecksum => "wrong_checksum",
            Self::Malformed => "malformed",
            Self::FieldMissing => "field_missing",
            Self::KeyUnknown => "key_unknown",
            Self::Empty => "empty",
            Self::Nested => "nested",
        }
    }
}

impl FieldFault {
    fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::Placeholder => "placeholder",
            Self::NotUnicode => "not_unicode",
            Self::TooLong => "too_long",
            Self::Mistyped => "mistyped",
            Self::NotAnInteger => "not_an_integer",
            Self::WrongFormat => "wrong_format",
            Self::OutOfRange => "out_of_range",
            Self::InSeconds => "in_seconds",
            Self::InTheFuture => "in_the_future",
            Self::Unknown => "unknown",
            Self::NotUserAndOrdinal => "not_user_and_ordinal",
        }
    }
}

/// Formats the reason's code, for example `user_id_too_long`.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("not_utf8"),
            Self::AggregatedRecord => f.write_str("aggregated_record"),
            Self::Aggregation(fault) => write!(f, "aggregated_record_{}", fault.code()),
            Self::NotJson => f.write_str("not_json"),
            Self::NotAnObject => f.write_str("not_an_object"),
            Self::SessionItemForeign => f.write_str("session_item_foreign"),
            Self::Field { name, fault } => write!(f, "{name}_{}", fault.code()),
        }
    }
}

/// Why a record was rejected: the reason to count by and a message that names field, value and limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason to count by.
    pub reason: Reason,
    /// For a human reader. It may quote part of the record, so it belongs in the table, never in logs.
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

#[cfg(test)]
#[path = "rejection_tests.rs"]
mod tests;
