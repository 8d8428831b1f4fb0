//! Every limit this project keeps to, with its unit and where it comes from.
//!
//! Limits of one run only (a time-out, a number of retries) are configuration or stand beside their use.

/// Longest `user_id`, in Unicode characters. Source: design, section 2, after Kinesis' limit of a partition key.
pub const MAX_USER_ID_CHARS: usize = 256;

/// Longest partition key of a record that this project writes, in bytes of UTF-8.
/// Source: Kinesis, PutRecords, PartitionKey (256 characters), read as strictly as it can be.
pub const MAX_RECORD_KEY_BYTES: usize = 256;

/// Longest `event_name`, `event_type` or `device_type` that is kept, in bytes of UTF-8; what is longer is cut.
/// Source: design, section 2.
pub const MAX_ATTRIBUTE_BYTES: usize = 256;

/// Longest `session_time` the sink accepts, in bytes. The contract's own form has 19.
pub const MAX_SESSION_TIME_BYTES: usize = 64;

/// First event time that a click may have, in Unix milliseconds: 1973-03-03. Below it the time is in seconds, most
/// probably: in seconds it is the year 5138. Source: design, section 2.
pub const MIN_CLICK_TIME_MS: u64 = 100_000_000_000;

/// First event time that is out of range, in Unix milliseconds: the start of the year 10000.
/// Source: design, section 2 ("after 9999").
pub const END_OF_EVENT_TIME_MS: u64 = 253_402_300_800_000;

/// Longest sequence number, in decimal digits. Source: Kinesis, Record, SequenceNumber (`0|([1-9]\d{0,128})`).
pub const MAX_SEQUENCE_NUMBER_DIGITS: usize = 129;

/// Largest integer kept from JSON for versions and counts: what a double, and so every JSON reader, holds exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Most shards of which a user's state remembers the last sequence number. Source: design, section 3.
pub const MAX_CURSORS: usize = 16;

/// Largest DynamoDB item, in bytes, names included. Source: DynamoDB quotas (400 KB).
pub const MAX_ITEM_BYTES: usize = 400 * 1_024;

/// Longest partition key value of a DynamoDB table, in bytes. Source: DynamoDB quotas.
pub const MAX_PARTITION_KEY_BYTES: usize = 2_048;

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

/// Most bytes in one PutRecords request, data and partition keys together: half of what Kinesis takes (10 MiB), so
/// that a region still at the older limit of 5 MiB takes it too. Source: Kinesis API reference.
pub const MAX_BYTES_PER_PUT: usize = 5 * 1_024 * 1_024;

/// Longest session gap, in seconds: one day. Source: design, section 6.
pub const MAX_SESSION_GAP_SECONDS: u64 = 86_400;

/// Most characters of a rejected value that an error message repeats.
pub const MAX_VALUE_IN_MESSAGE_CHARS: usize = 64;

/// Most keys of a record that an error message lists.
pub const MAX_KEYS_IN_MESSAGE: usize = 10;

/// Most characters of each of these keys.
pub const MAX_KEY_IN_MESSAGE_CHARS: usize = 32;

/// Most bytes of a rejected record that are kept: an item less room for its keys, reason and message.
pub const MAX_REJECTED_DATA_BYTES: usize = MAX_ITEM_BYTES - 8 * 1_024;

/// Most bytes of a rejection's message that are kept, so that the room left beside the data always suffices.
pub const MAX_REJECTED_MESSAGE_BYTES: usize = 2 * 1_024;

/// Seconds in a day: the unit of retentions.
pub const SECONDS_PER_DAY: u64 = 86_400;

/// How long a retracted session stays as a tombstone, in seconds: one day. Source: design, section 2.
pub const TOMBSTONE_SECONDS: u64 = SECONDS_PER_DAY;
