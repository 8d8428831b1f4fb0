//! The interface between a function and the shell: a handler decodes a batch, processes it and reports what it did.
//!
//! The shell does the rest: the loop, the deadline, the response, rejected records, logs, metrics and start-up.

use std::fmt::Debug;
use std::future::Future;
use std::ops::AddAssign;

use aws_lambda_events::streams::KinesisEventResponse;

use crate::done_records::DoneRecords;
use crate::invocation::Invocation;
use crate::metrics::Metric;
use crate::records::{BatchRange, Records};
use crate::rejected_records::RejectedRecord;
use crate::rejected_table::RejectedTable;
use crate::sweep::Sweep;
use crate::time_budget::Timing;

/// A function with its clients, created once per execution environment.
///
/// A new function is a type that implements this trait, and a `main` on a `current_thread` runtime that awaits
/// `kinesis_function::runtime::run(|config: Config, sdk| MyFunction::new(config, sdk))`:
///
/// 1. [`decode`](Self::decode) turns the records into work, separates what cannot be decoded, and counts the parts of
///    each record.
/// 2. [`work`](Self::work) does the work. It calls `invocation.done.set_done(index)` for each part of a record once its
///    effects are stored, records failures in `invocation.failures`, retries transient ones, and returns the records that turned out to
///    be unusable, to be kept with their reasons. Records that it leaves undone are redelivered.
/// 3. [`report`](Self::report) returns the counts. They are part of [`Work`](Self::Work), so that they survive the
///    deadline; [`metrics`](Self::metrics) names them for CloudWatch.
/// 4. A function with scheduled work also implements [`begin_sweep`](Self::begin_sweep) and [`sweep`](Self::sweep).
///
/// `invocation_tests.rs` contains a minimal example.
pub trait Handler: Send + Sync {
    /// The name of the metric for the longest wait from a record's arrival to the response, in milliseconds.
    const LONGEST_WAIT: &'static str;

    /// A batch or a sweep in progress: the remaining work and the counts so far.
    type Work: Send;

    /// The counts of one invocation.
    type Report: Copy + Debug + Send;

    /// The table for this function's rejected records.
    fn rejected_table(&self) -> &RejectedTable;

    /// Makes one call to each service while the environment starts, without changing anything. Errors are ignored; the
    /// shell bounds the time.
    ///
    /// This resolves names, opens connections and negotiates TLS before the first event. These are the slowest parts of
    /// a cold start, and during start-up Lambda grants more CPU than the memory setting buys.
    fn warm_up(&self) -> impl Future<Output = ()> + Send;

    /// Decodes a batch, without I/O.
    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, Self::Work>;

    /// Processes a batch until every record is done or given up, and returns the records that turned out to be unusable.
    /// Dropped at the deadline.
    fn work<'r>(
        &self,
        work: &mut Self::Work,
        invocation: &Invocation<'r>,
    ) -> impl Future<Output = Vec<RejectedRecord<'r>>> + Send;

    /// The counts of `work`.
    fn report(work: Self::Work) -> Self::Report;

    /// The counts as metrics. The shell adds its [`RecordCounts`].
    fn metrics(report: &Self::Report) -> Vec<Metric>;

    /// The work of a sweep; `None` if this function has no scheduled work, which makes a sweep's event an error.
    fn begin_sweep(&self) -> Option<Self::Work> {
        None
    }

    /// Does the scheduled work: records failures in `sweep.failures` and retries transient ones. Dropped at the
    /// deadline; what is left is for the next sweep.
    fn sweep(&self, _work: &mut Self::Work, _sweep: &Sweep) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A decoded batch.
#[derive(Debug)]
pub struct Decoded<'r, W> {
    /// The work to do.
    pub work: W,
    /// The records, and parts of records, that could not be decoded.
    pub rejected: Vec<RejectedRecord<'r>>,
    /// For each record, how many parts are to be done: those of the work, and one for each of `rejected`.
    pub done: DoneRecords,
}

/// The response to one event, and what was done for it.
#[derive(Clone, Debug)]
pub struct HandlerOutput<R> {
    /// For Lambda: the lowest sequence number that is not done, if any.
    pub response: KinesisEventResponse,
    /// The batch's position in its shard; `None` for an empty batch.
    pub range: Option<BatchRange>,
    /// When the invocation began and how long it took.
    pub timing: Timing,
    /// The outcome of the records.
    pub records: RecordCounts,
    /// What failed permanently, as one sentence, so that records wait for redelivery; already logged.
    pub given_up: Option<String>,
    /// The function's own counts.
    pub report: R,
}

/// The outcome of a batch's records, counted the same way for every function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records in the batch.
    pub received: u64,
    /// Unusable records, and unusable parts of records that hold several, kept in the rejected-records table.
    pub rejected: u64,
    /// Records that are not done and will be redelivered.
    pub undone: u64,
}

impl AddAssign for RecordCounts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.rejected += other.rejected;
        self.undone += other.undone;
    }
}

impl<R> HandlerOutput<R> {
    /// The longest time from a record's arrival to the response, in milliseconds. Kinesis and Lambda do not share a
    /// clock: a negative wait counts as zero.
    #[must_use]
    pub fn longest_wait_ms(&self) -> Option<u64> {
        let arrived_ms = self.range.as_ref()?.oldest_arrival_ms;
        Some((self.timing.began_ms + self.timing.duration_ms).saturating_sub(arrived_ms))
    }
}
