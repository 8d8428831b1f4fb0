//! Owns every limit the mapping keeps to, with its unit and where it comes from. Decides nothing.

use std::time::Duration;

/// Most records in one batch. Lambda API, CreateEventSourceMapping: `BatchSize` of a Kinesis stream.
pub const MAX_BATCH_RECORDS: usize = 10_000;

/// Most bytes of one event's JSON. Lambda quotas: 6 MB a synchronous invocation, refused above 6,291,456 bytes.
pub const MAX_EVENT_BYTES: usize = 6 * 1024 * 1024;

/// Longest time a batch is gathered. Lambda API: `MaximumBatchingWindowInSeconds`, 300 s.
pub const MAX_BATCHING_WINDOW: Duration = Duration::from_secs(300);

/// Most batches of one shard at once. Lambda API: `ParallelizationFactor`.
pub const MAX_PARALLELIZATION_FACTOR: usize = 10;

/// Longest run of one invocation. Lambda quotas: function timeout, 900 s.
pub const MAX_FUNCTION_TIMEOUT: Duration = Duration::from_secs(900);

/// Most characters of a stream's name. Kinesis API: `StreamName`.
pub const MAX_STREAM_NAME_CHARS: usize = 128;

/// Most records of one read. Kinesis API: `Limit` of GetRecords; a read also ends at 10 MB.
pub const MAX_RECORDS_PER_READ: usize = 10_000;

/// Longest wait between two polls of a quiet shard. This project's choice: above it a mapping looks dead.
pub const MAX_POLL_INTERVAL: Duration = Duration::from_secs(10);

/// Longest wait between two attempts. This project's choice: above it a retry looks like a hang.
pub const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(60);

/// Full batches a shard may hold unfinished per lane: one at the function and one ready behind it. This project's
/// choice: it keeps a lane busy, bounds memory and lets a slow function be felt by the producer.
pub(crate) const READ_AHEAD_BATCHES_PER_LANE: usize = 2;

/// Longest wait for one answer of Kinesis before the call counts as failed. This project's choice: the SDK sets none.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// How often shards are listed anew although none has ended. This project's choice: shards only appear when their
/// parents end, which is seen at once; this is for a list that lags behind.
pub(crate) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);
