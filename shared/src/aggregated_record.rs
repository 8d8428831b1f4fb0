//! Records aggregated by the Kinesis Producer Library: many user records in one, each with its own partition key.
//!
//! Source: the library's aggregation format. Flink's older Kinesis sinks embed the library and write the same bytes.
//! Four magic bytes are followed by a protobuf message (proto2) and its MD5:
//!
//! ```text
//! message AggregatedRecord {
//!   repeated string partition_key_table = 1;
//!   repeated string explicit_hash_key_table = 2;
//!   repeated Record records = 3;
//! }
//! message Record {
//!   required uint64 partition_key_index = 1;
//!   optional uint64 explicit_hash_key_index = 2;
//!   required bytes data = 3;
//!   repeated Tag tags = 4;
//! }
//! ```
//!
//! A record is checked as a whole before any of it is used. The messages are walked, not built: only the table of
//! partition keys takes memory, at most eight times the record's size.

use md5::{Digest, Md5};

use crate::limits::MAX_PARTITION_KEY_CHARS;
use crate::protobuf_fields::{Field, Fields, Value};
use crate::rejection::{AggregationFault, Reason, Rejection};
use crate::shown;

/// The first bytes of an aggregated record. They are not valid UTF-8, so no JSON begins with them.
const MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// Bytes of the checksum at the end.
const CHECKSUM_BYTES: usize = 16;

/// Field numbers of `AggregatedRecord`.
const PARTITION_KEY_TABLE: u32 = 1;
const EXPLICIT_HASH_KEY_TABLE: u32 = 2;
const RECORDS: u32 = 3;

/// Field numbers of `Record`.
const PARTITION_KEY_INDEX: u32 = 1;
const EXPLICIT_HASH_KEY_INDEX: u32 = 2;
const DATA: u32 = 3;

/// Whether `data` begins like an aggregated record.
#[must_use]
pub fn is_aggregated(data: &[u8]) -> bool {
    data.starts_with(&MAGIC)
}

/// An aggregated record that has passed every check.
#[derive(Clone, Debug)]
pub struct AggregatedRecord<'a> {
    message: &'a [u8],
    partition_keys: Vec<&'a str>,
}

/// One of the records in an aggregated one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserRecord<'a> {
    /// The partition key that its producer chose: at most [`MAX_PARTITION_KEY_CHARS`] characters, possibly none.
    pub partition_key: &'a str,
    /// Its bytes.
    pub data: &'a [u8],
}

/// A `Record` message.
struct RecordMessage<'a> {
    partition_key_index: u64,
    explicit_hash_key_index: Option<u64>,
    data: &'a [u8],
}

impl<'a> AggregatedRecord<'a> {
    /// Reads an aggregated record, magic bytes included.
    ///
    /// # Errors
    /// A [`Rejection`] of the whole record if it is too short, its checksum differs, its message is malformed, an index
    /// is beyond its table, a record has no partition key or no data, a partition key is longer than
    /// [`MAX_PARTITION_KEY_CHARS`] characters, or there is no record in it.
    pub fn read(data: &'a [u8]) -> Result<Self, Rejection> {
        let message = checked_message(data)?;
        let (mut partition_keys, mut hash_keys, mut records) = (0, 0, 0);
        for field in Fields::of(message) {
            match field.map_err(|error| malformed(&error))? {
                Field { number: PARTITION_KEY_TABLE, .. } => partition_keys += 1,
                Field { number: EXPLICIT_HASH_KEY_TABLE, .. } => hash_keys += 1,
                Field { number: RECORDS, .. } => records += 1,
                Field { .. } => {}
            }
        }
        if records == 0 {
            return Err(rejection(AggregationFault::Empty, "contains no records"));
        }
        let mut aggregated = Self { message, partition_keys: Vec::with_capacity(partition_keys) };
        for field in Fields::of(message) {
            let field = field.map_err(|error| malformed(&error))?;
            if field.number == PARTITION_KEY_TABLE {
                let key = partition_key(&field, aggregated.partition_keys.len())?;
                aggregated.partition_keys.push(key);
            }
        }
        for (place, field) in (0..).zip(Fields::of(message).flatten().filter(|field| field.number == RECORDS)) {
            let record = RecordMessage::read(&field, place)?;
            let keys = aggregated.partition_keys.len() as u64;
            check_index("partition_key_index", record.partition_key_index, keys, place)?;
            if let Some(index) = record.explicit_hash_key_index {
                check_index("explicit_hash_key_index", index, hash_keys, place)?;
            }
        }
        Ok(aggregated)
    }

    /// Its records, in order: at least one.
    pub fn records(&self) -> impl Iterator<Item = UserRecord<'a>> {
        let fields = Fields::of(self.message).flatten().filter(|field| field.number == RECORDS);
        fields.filter_map(|field| {
            let record = RecordMessage::read(&field, 0).ok()?; // `read` has checked all of them
            let index = usize::try_from(record.partition_key_index).ok()?;
            Some(UserRecord { partition_key: self.partition_keys.get(index)?, data: record.data })
        })
    }
}

/// The rejection of a record in an aggregated one that is aggregated itself.
#[must_use]
pub fn nested() -> Rejection {
    let message = "the record was aggregated twice by the Kinesis Producer Library; aggregate records once";
    Rejection::of_record(Reason::Aggregation(AggregationFault::Nested), message)
}

impl<'a> RecordMessage<'a> {
    /// Reads the record at `place` within the aggregated one. If a field appears twice, the last value wins, as in
    /// every protobuf message.
    fn read(field: &Field<'a>, place: u64) -> Result<Self, Rejection> {
        let malformed = |what: &str| malformed(&format!("record {place} in it, {what}"));
        let missing = |name: &str| {
            let what = format!("lacks {name} in record {place}, where it is required");
            rejection(AggregationFault::FieldMissing, &what)
        };
        let Value::Bytes(message) = field.value else { return Err(malformed("which is not a message")) };
        let (mut partition_key_index, mut explicit_hash_key_index, mut data) = (None, None, None);
        for field in Fields::of(message) {
            let Field { number, value } = field.map_err(|error| malformed(&error))?;
            match (number, value) {
                (PARTITION_KEY_INDEX, Value::Varint(index)) => partition_key_index = Some(index),
                (EXPLICIT_HASH_KEY_INDEX, Value::Varint(index)) => explicit_hash_key_index = Some(index),
                (DATA, Value::Bytes(bytes)) => data = Some(bytes),
                (PARTITION_KEY_INDEX | EXPLICIT_HASH_KEY_INDEX | DATA, _) => {
                    return Err(malformed(&format!("whose field {number} has another type than in the format")));
                }
                _ => {}
            }
        }
        Ok(Self {
            partition_key_index: partition_key_index.ok_or_else(|| missing("partition_key_index"))?,
            explicit_hash_key_index,
            data: data.ok_or_else(|| missing("data"))?,
        })
    }
}

/// The protobuf message in `data`, whose checksum is right.
fn checked_message(data: &[u8]) -> Result<&[u8], Rejection> {
    let content = data.strip_prefix(&MAGIC).unwrap_or(data);
    let Some((message, checksum)) = content.split_last_chunk::<CHECKSUM_BYTES>() else {
        let message = format!(
            "has {} bytes, fewer than the {} of its magic number and its checksum",
            data.len(),
            MAGIC.len() + CHECKSUM_BYTES
        );
        return Err(rejection(AggregationFault::TooShort, &message));
    };
    if Md5::digest(message).as_slice() != checksum {
        let message = format!("its {} bytes do not match its checksum (MD5); they were cut or changed", data.len());
        return Err(rejection(AggregationFault::WrongChecksum, &message));
    }
    Ok(message)
}

/// The partition key at `index` of the table.
fn partition_key<'a>(field: &Field<'a>, index: usize) -> Result<&'a str, Rejection> {
    let fault = |what: &str| malformed(&format!("partition key {index} {what}"));
    let Value::Bytes(bytes) = field.value else { return Err(fault("is not a text")) };
    let key = std::str::from_utf8(bytes).map_err(|_| fault("is not valid UTF-8"))?;
    let chars = key.chars().count();
    if chars > MAX_PARTITION_KEY_CHARS {
        let start = shown::string(key);
        return Err(fault(&format!(
            "has {chars} characters, more than the limit of {MAX_PARTITION_KEY_CHARS}: {start}"
        )));
    }
    Ok(key)
}

/// Checks an index of the record at `place` into a table of `keys` keys.
fn check_index(name: &str, index: u64, keys: u64, place: u64) -> Result<(), Rejection> {
    if index < keys {
        return Ok(());
    }
    let what = format!("has {name} {index} in record {place}, but only {keys} such keys");
    Err(rejection(AggregationFault::KeyUnknown, &what))
}

fn malformed(what: &str) -> Rejection {
    rejection(AggregationFault::Malformed, &format!("is malformed: {what}"))
}

fn rejection(fault: AggregationFault, what: &str) -> Rejection {
    let message = format!("the record was aggregated by the Kinesis Producer Library, but {what}");
    Rejection::of_record(Reason::Aggregation(fault), message)
}

#[cfg(test)]
#[path = "aggregated_record_tests.rs"]
pub(crate) mod tests;
