//! Owns every limit of the mapping, with its unit and source.

use std::time::Duration;

/// Maximum records per batch. Lambda API, CreateEventSourceMapping: `BatchSize` of a Kinesis stream.
pub const MAX_BATCH_RECORDS: usize = 10_000;

/// Maximum bytes of an event's JSON. Lambda quotas: 6 MB per synchronous invocation; it rejects more than 6,291,456
/// bytes.
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Maximum time to gather a batch. Lambda API: `MaximumBatchingWindowInSeconds`, 300 s.
pub const MAX_BATCHING_WINDOW: Duration = Duration::from_secs(300);

/// Maximum duration of an invocation. Lambda quotas: function timeout, 900 s.
pub const MAX_FUNCTION_TIMEOUT: Duration = Duration::from_secs(900);

/// Maximum characters in a stream name. Kinesis API: `StreamName`.
pub const MAX_STREAM_NAME_CHARS: usize = 128;

/// Maximum records per read. Kinesis API: `Limit` of GetRecords; a read also ends at 10 MB.
pub const MAX_RECORDS_PER_READ: usize = 10_000;

/// Maximum wait between two polls of an idle shard. This project's choice: with longer waits, a mapping looks dead.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum wait between two attempts. This project's choice: with longer waits, a retry looks like a hang.
pub const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(60);

/// Maximum unfinished full batches of a shard: one in flight and the next one. This project's choice: it keeps the
/// function busy, bounds memory, and slows the reading down if the function is slow.
pub(crate) const READ_AHEAD_BATCHES: usize = 2;

/// Maximum wait for a response from Kinesis before the call counts as failed. This project's choice: the SDK has no
/// default.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often shards are listed although none has ended. This project's choice: new shards appear only when their
/// parents end, which is noticed at once; this covers a list that lags behind.
pub(crate) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);
