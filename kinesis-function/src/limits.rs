//! The limits of the services that a function calls, each with its unit and its source.
//!
//! Limits with a single use, such as a time-out, are defined where they are used.

/// Largest DynamoDB item, in bytes, names included. Source: DynamoDB quotas (400 KB).
pub const MAX_ITEM_BYTES: usize = 400 * 1_024;

/// Most statements in one BatchExecuteStatement request. Source: DynamoDB API reference.
pub const MAX_STATEMENTS_PER_REQUEST: usize = 25;

/// Most keys in one BatchGetItem request. Source: DynamoDB API reference.
pub const MAX_KEYS_PER_READ: usize = 100;

/// Most puts in one BatchWriteItem request. Source: DynamoDB API reference.
pub const MAX_PUTS_PER_REQUEST: usize = 25;

/// Most bytes of one BatchWriteItem request on the wire. Source: DynamoDB API reference (16 MB).
pub const MAX_BYTES_PER_BATCH_WRITE: usize = 16 * 1_000 * 1_000;

/// Most records in one PutRecords request. Source: Kinesis API reference.
pub const MAX_RECORDS_PER_PUT: usize = 500;

/// Most bytes in one PutRecords request, data and partition keys together: half of what Kinesis accepts (10 MiB), so
/// that regions still at the older limit of 5 MiB accept it too. Source: Kinesis API reference.
pub const MAX_BYTES_PER_PUT: usize = 5 * 1_024 * 1_024;

/// Most bytes of a rejected record that are kept: the size of an item, minus room for its keys, reason and message.
pub const MAX_REJECTED_DATA_BYTES: usize = MAX_ITEM_BYTES - 8 * 1_024;

/// Most bytes of a rejection message that are kept, so that it always fits into the room left beside the data.
pub const MAX_REJECTED_MESSAGE_BYTES: usize = 2 * 1_024;

/// Seconds in a day: the unit of retentions.
pub const SECONDS_PER_DAY: u64 = 86_400;
