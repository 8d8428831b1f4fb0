//! What a function is to the shell: a value that decodes a batch, works it off and reports what it did.
//!
//! The shell does the rest: the loop, the deadline, the answer, rejected records, logs, metrics and start-up.

use std::fmt::Debug;
use std::future::Future;
use std::ops::AddAssign;

use aws_lambda_events::streams::KinesisEventResponse;

use crate::invocation::Invocation;
use crate::records::{BatchRange, Records};
use crate::rejected_records::RejectedRecord;
use crate::rejected_table::RejectedTable;
use crate::time_budget::Timing;

/// A function with its clients; one for the life of an execution environment.
///
/// A new function is a type that implements this, and a `main` on a `current_thread` runtime that awaits
/// `kinesis_function::runtime::run(Config::read, |config, sdk| MyFunction::new(config, sdk))`:
///
/// 1. [`decode`](Self::decode) turns the records into the work to do, and sets aside those that cannot be decoded.
/// 2. [`work`](Self::work) does it. It calls `invocation.done.set_done(index)` for a record once its effects are stored,
///    notes what failed in `invocation.failures`, retries what is transient, and returns the records that turned out to be
///    unusable, to be kept with their reasons. What it leaves undone is redelivered.
/// 3. [`report`](Self::report) returns what was counted. Counts live in [`Work`](Self::Work), so that they survive the
///    deadline; [`counts`](Self::counts) names them for CloudWatch.
///
/// `invocation_tests.rs` holds the smallest example.
pub trait Handler: Send + Sync {
    /// The name of the metric for the longest wait from a record's arrival to the answer, in milliseconds.
    const LONGEST_WAIT: &'static str;

    /// A batch on its way: what is left to do and what was counted so far.
    type Work: Send;

    /// What one invocation did, in numbers.
    type Report: Copy + Debug + Send;

    /// Where this function's rejected records go.
    fn rejected_table(&self) -> &RejectedTable;

    /// Makes a call to each service that changes nothing, while the environment starts. Errors are ignored, and the shell
    /// bounds the time.
    ///
    /// Names are then resolved, connections open and TLS negotiated before the first event. These take the longest of all,
    /// and Lambda gives a starting environment more CPU than its memory stands for.
    fn warm_up(&self) -> impl Future<Output = ()> + Send;

    /// Decodes a batch. No I/O here.
    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, Self::Work>;

    /// Works a batch off until every record is done or given up, and returns the records that turned out to be unusable.
    /// Dropped at the deadline.
    fn work<'r>(
        &self,
        work: &mut Self::Work,
        invocation: &Invocation<'r>,
    ) -> impl Future<Output = Vec<RejectedRecord<'r>>> + Send;

    /// What was done of `work`.
    fn report(work: Self::Work) -> Self::Report;

    /// The metrics that count things, by name. The shell adds its [`RecordCounts`].
    fn counts(report: &Self::Report) -> Vec<(&'static str, u64)>;
}

/// A decoded batch.
#[derive(Clone, Debug)]
pub struct Decoded<'r, W> {
    /// What there is to do.
    pub work: W,
    /// What could not be decoded.
    pub rejected: Vec<RejectedRecord<'r>>,
}

/// The answer to one event, and what was done for it.
#[derive(Clone, Debug)]
pub struct HandlerOutput<R> {
    /// For Lambda: the lowest sequence number that is not done, if any.
    pub response: KinesisEventResponse,
    /// Where the batch lies; `None` for one without records.
    pub range: Option<BatchRange>,
    /// When, and for how long.
    pub timing: Timing,
    /// What became of the records.
    pub records: RecordCounts,
    /// What the function did.
    pub report: R,
}

/// What became of a batch's records, as far as every function counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records in the batch.
    pub received: u64,
    /// Records that could not be used and are kept in the rejected-records table.
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
    /// How long the record that waited longest had waited when the invocation answered, in milliseconds. Kinesis and
    /// Lambda do not share a clock: a negative wait counts as none.
    #[must_use]
    pub fn longest_wait_ms(&self) -> Option<u64> {
        let arrived_ms = self.range.as_ref()?.oldest_arrival_ms;
        Some((self.timing.began_ms + self.timing.duration_ms).saturating_sub(arrived_ms))
    }
}
