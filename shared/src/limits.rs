//! The limits of clicks, boundaries and sessions, each with its unit and where it comes from.

/// Longest `user_id`, in Unicode characters. Source: design, section 2, which follows Kinesis' partition key limit.
pub const MAX_USER_ID_CHARS: usize = 256;

/// Longest partition key of a record that this project writes, in bytes of UTF-8.
/// Source: Kinesis, PutRecords, PartitionKey (256 characters), under its strictest reading.
pub const MAX_RECORD_KEY_BYTES: usize = 256;

/// Longest partition key of a record in an aggregated one, in Unicode characters. Source: Kinesis, PutRecords,
/// PartitionKey (1 to 256 characters).
pub const MAX_PARTITION_KEY_CHARS: usize = 256;

/// Longest `event_name`, `event_type` or `device_type` that is kept, in bytes of UTF-8; longer values are truncated.
/// Source: design, section 2.
pub const MAX_ATTRIBUTE_BYTES: usize = 256;

/// Longest `session_time` the sink accepts, in bytes. This pipeline writes 19.
pub const MAX_SESSION_TIME_BYTES: usize = 64;

/// Earliest event time of a click, in Unix milliseconds: 1973-03-03. A smaller value is almost certainly in seconds:
/// read as seconds, this limit is the year 5138. Source: design, section 2.
pub const MIN_CLICK_TIME_MS: u64 = 100_000_000_000;

/// End of the event time range (exclusive), in Unix milliseconds: the start of the year 10000.
/// Source: design, section 2 ("after 9999").
pub const END_OF_EVENT_TIME_MS: u64 = 253_402_300_800_000;

/// Longest sequence number, in decimal digits. Source: Kinesis, Record, SequenceNumber (`0|([1-9]\d{0,128})`).
pub const MAX_SEQUENCE_NUMBER_DIGITS: usize = 129;

/// Largest integer accepted for versions, counts and ordinals: the largest that a double, and so every JSON parser, represents
/// exactly.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Longest session gap, in seconds: one day. Source: design, section 7.
pub const MAX_SESSION_GAP_SECONDS: u64 = 86_400;

/// Most sessions of a user that clicks can still change. Source: design, section 4.
pub const MAX_WINDOW_SESSIONS: usize = 32;

/// Most bytes that the attributes and columns of these sessions have in all, unless one session alone has more.
/// Source: design, section 4 (4 KB).
pub const MAX_WINDOW_ATTRIBUTE_BYTES: usize = 4_096;

/// Longest path to a field, in bytes of UTF-8: enough for any key that people write by hand.
pub const MAX_PATH_BYTES: usize = 256;

/// Most keys and indexes of a path, which bounds the recursion of decoding.
pub const MAX_PATH_DEPTH: usize = 16;

/// Most paths among which the user id is looked for.
pub const MAX_USER_ID_PATHS: usize = 8;

/// Most event names in a filter.
pub const MAX_FILTERED_NAMES: usize = 100;

/// Most characters of a rejected value that a message quotes.
pub const MAX_VALUE_IN_MESSAGE_CHARS: usize = 64;

/// Most keys of a record that a message lists.
pub const MAX_KEYS_IN_MESSAGE: usize = 10;

/// Most characters of each key that a message lists.
pub const MAX_KEY_IN_MESSAGE_CHARS: usize = 32;

/// Most columns that sessions can have besides those of the contract.
pub const MAX_COLUMNS: usize = 16;

/// Longest declaration of columns, in bytes of UTF-8, as it is written and, without the names, in the one spelling that
/// state is stored with. Below Lambda's limit for all environment variables together (4 KB), and below what a commit of
/// the state log leaves.
pub const MAX_COLUMN_DECLARATION_BYTES: usize = 3_584;

/// Longest name of a column, in characters.
pub const MAX_COLUMN_NAME_CHARS: usize = 64;

/// Most values that one condition of a column compares.
pub const MAX_CONDITION_VALUES: usize = 100;

/// Most digits of a number of which a column keeps a sum or an extreme, counted to nine places after the point: 13
/// before it.
pub const MAX_COLUMN_NUMBER_DIGITS: u32 = 22;

/// Most digits of a sum, counted likewise. Source: DynamoDB, numbers (38 digits of precision).
pub const MAX_COLUMN_SUM_DIGITS: u32 = 38;
