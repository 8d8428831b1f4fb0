//! The rejected records of one invocation, and what became of their writes.
//!
//! Outlives the writing, which the deadline may cut short. Log lines are bounded here: one for each reason and one for
//! failed writes, however many records there are, and none repeats what a record holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::call_error::CallError;
use crate::done_records::DoneRecords;
use crate::records::Record;
use shared::rejection::{Reason, Rejection};

/// How many positions a log line shows: enough to look at a few items, short enough for a line.
const POSITIONS_PER_LINE: usize = 3;

/// How many requests are under way at once while good records are being processed. More would compete with them for the
/// one thread: measured in docs/performance.md, "A flood of unreadable records".
const REQUESTS_BESIDE_GOOD_RECORDS: usize = 1;

/// How many requests are under way at once when there is nothing else to do. A shard delivers at most 1,000 records a
/// second, that is 40 requests; at 20 ms each, four catch up with a backlog five times as fast as it can grow.
pub(crate) const CONCURRENT_REQUESTS: usize = 4;

/// A record that a function cannot use, to be kept in the rejected-records table.
#[derive(Clone, Debug)]
pub struct RejectedRecord<'r> {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The record, bytes included.
    pub record: Record<'r>,
    /// Why it was rejected.
    pub rejection: Rejection,
}

/// Records rejected together, to be written together.
#[derive(Debug)]
pub(crate) struct RejectedRecords<'r> {
    records: Vec<RejectedRecord<'r>>,
    room: Semaphore,
    refusals: Mutex<Refusals>,
}

/// Writes that DynamoDB refused.
#[derive(Debug, Default)]
struct Refusals {
    /// Writes of one item that had to be tried again.
    retried: usize,
    /// Why the last of them failed; `None` when DynamoDB did not say, or nothing failed.
    error: Option<CallError>,
}

impl<'r> RejectedRecords<'r> {
    /// Those that decoding rejected, none written yet: one request at a time, until [`Self::good_records_are_done`].
    pub(crate) fn beside_good_records(records: Vec<RejectedRecord<'r>>) -> Self {
        Self { records, room: Semaphore::new(REQUESTS_BESIDE_GOOD_RECORDS), refusals: Mutex::default() }
    }

    /// Those that the work itself rejected, none written yet: it waits for them, so all requests may be under way at once.
    pub(crate) fn instead_of_work(records: Vec<RejectedRecord<'r>>) -> Self {
        let rejected = Self::beside_good_records(records);
        rejected.good_records_are_done();
        rejected
    }

    /// The batch's good records are done, or given up: from now on, more requests at once may write the rejected ones.
    pub(crate) fn good_records_are_done(&self) {
        self.room.add_permits(CONCURRENT_REQUESTS - REQUESTS_BESIDE_GOOD_RECORDS);
    }

    /// Waits until a request may be made; it may take as long as the permit is held.
    pub(crate) async fn room_for_a_request(&self) -> Option<SemaphorePermit<'_>> {
        self.room.acquire().await.ok() // it is never closed
    }

    /// The records.
    pub(crate) fn records(&self) -> &[RejectedRecord<'r>] {
        &self.records
    }

    /// Takes note of `items` that have to be written again.
    pub(crate) fn note_retry(&self, items: usize, error: Option<CallError>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.retried += items;
        refusals.error = error.or_else(|| refusals.error.take());
    }

    /// Takes note of an error that no retry cures.
    pub(crate) fn note_failure(&self, error: CallError) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
    }
}

/// Logs which of an invocation's `rejected` records are written, a line for each reason, and in one more line which are
/// not, or had to be retried. Call it once, when the writing has ended or was dropped.
///
/// Returns how many records are written.
pub(crate) fn log(rejected: &[Arc<RejectedRecords<'_>>], done: &DoneRecords) -> u64 {
    let records = rejected.iter().flat_map(|rejected| rejected.records());
    let (written, unwritten): (Vec<_>, Vec<_>) = records.partition(|rejected| done.is_done(rejected.index));
    let mut by_reason: BTreeMap<Reason, Vec<&RejectedRecord<'_>>> = BTreeMap::new();
    for rejected in &written {
        by_reason.entry(rejected.rejection.reason).or_default().push(rejected);
    }
    for (reason, records) in by_reason {
        tracing::warn!(%reason, records = records.len(), first_positions = positions(&records), "records rejected");
    }
    let (mut retried, mut last_error) = (0, None);
    for rejected in rejected {
        let refusals = rejected.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        retried += refusals.retried;
        last_error = refusals.error.as_ref().map(ToString::to_string).or(last_error);
    }
    let error = last_error.unwrap_or_else(|| "none".to_owned());
    if !unwritten.is_empty() {
        tracing::error!(
            records = unwritten.len(),
            first_positions = positions(&unwritten),
            retried,
            error,
            "rejected records could not be written and will be redelivered"
        );
    } else if retried > 0 {
        tracing::warn!(retried, error, "writes of rejected records were retried");
    }
    written.len() as u64
}

/// The keys of the first few items, for a person to look at.
fn positions(records: &[&RejectedRecord<'_>]) -> String {
    let positions: Vec<_> = records.iter().take(POSITIONS_PER_LINE).map(|it| it.record.position()).collect();
    positions.join(", ")
}
