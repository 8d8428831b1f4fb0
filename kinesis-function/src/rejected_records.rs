//! The rejected records of one invocation, and the outcome of writing them.
//!
//! Outlives the writes, which the deadline may cut short. Bounds the log: one line per reason and one for failed
//! writes, however many records there are, and none quotes a record.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::call_error::CallError;
use crate::done_records::DoneRecords;
use crate::records::Record;
use shared::rejection::{Reason, Rejection};

/// Most positions in a log line: enough for a look at a few items, short enough for a line.
const POSITIONS_PER_LINE: usize = 3;

/// Concurrent requests while good records are being processed. More would compete with them for the single thread:
/// measured in docs/performance.md, "A flood of unreadable records".
const REQUESTS_BESIDE_GOOD_RECORDS: usize = 1;

/// Concurrent requests once the good records are done. A shard delivers at most 1,000 records (40 requests) a second;
/// at 20 ms per request, four concurrent ones write 200 requests a second, five times as fast as a backlog can grow.
pub(crate) const CONCURRENT_REQUESTS: usize = 4;

/// A record that a function cannot use, to be kept in the rejected-records table.
#[derive(Clone, Debug)]
pub struct RejectedRecord<'r> {
    /// Its index in the batch, from 0.
    pub index: usize,
    /// The record, bytes included.
    pub record: Record<'r>,
    /// Why it was rejected.
    pub rejection: Rejection,
}

/// Records that were rejected, and are written, together.
#[derive(Debug)]
pub(crate) struct RejectedRecords<'r> {
    records: Vec<RejectedRecord<'r>>,
    room: Semaphore,
    refusals: Mutex<Refusals>,
}

/// Writes that DynamoDB refused.
#[derive(Debug, Default)]
struct Refusals {
    /// The number of writes that were retried, counted per item.
    retried: usize,
    /// The latest error; `None` if nothing failed or DynamoDB gave no reason.
    error: Option<CallError>,
}

impl<'r> RejectedRecords<'r> {
    /// Records that decoding rejected. They are written one request at a time until [`Self::good_records_are_done`].
    pub(crate) fn beside_good_records(records: Vec<RejectedRecord<'r>>) -> Self {
        Self { records, room: Semaphore::new(REQUESTS_BESIDE_GOOD_RECORDS), refusals: Mutex::default() }
    }

    /// Records that the work rejected. The good ones are done by then, so all requests may run concurrently.
    pub(crate) fn after_good_records(records: Vec<RejectedRecord<'r>>) -> Self {
        let rejected = Self::beside_good_records(records);
        rejected.good_records_are_done();
        rejected
    }

    /// Allows more concurrent requests, because the batch's good records are done or given up.
    pub(crate) fn good_records_are_done(&self) {
        self.room.add_permits(CONCURRENT_REQUESTS - REQUESTS_BESIDE_GOOD_RECORDS);
    }

    /// Waits until another request may start. Hold the permit while the request is in flight.
    pub(crate) async fn room_for_a_request(&self) -> Option<SemaphorePermit<'_>> {
        self.room.acquire().await.ok() // the semaphore is never closed
    }

    /// The records.
    pub(crate) fn records(&self) -> &[RejectedRecord<'r>] {
        &self.records
    }

    /// Records that `items` items have to be retried.
    pub(crate) fn note_retry(&self, items: usize, error: Option<CallError>) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.retried += items;
        refusals.error = error.or_else(|| refusals.error.take());
    }

    /// Records an error that is not transient.
    pub(crate) fn note_failure(&self, error: CallError) {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).error = Some(error);
    }
}

/// Logs an invocation's `rejected` records: one line per reason for those written, and one line for those not written
/// or retried. Call it once, after the writes have ended or were dropped.
///
/// Returns the number of records written.
pub(crate) fn log<'i, 'r: 'i>(
    rejected: impl Iterator<Item = &'i RejectedRecords<'r>> + Clone,
    done: &DoneRecords,
) -> u64 {
    let records = rejected.clone().flat_map(|rejected| rejected.records());
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

/// The keys of the first few items, by which an operator can look them up.
fn positions(records: &[&RejectedRecord<'_>]) -> String {
    let positions: Vec<_> = records.iter().take(POSITIONS_PER_LINE).map(|it| it.record.position()).collect();
    positions.join(", ")
}
