//! The rejected records of one invocation, and the outcome of writing them.
//!
//! Outlives the writes, which the deadline may cut short. Bounds the log: one line per reason and one for failed
//! writes, however many records there are, and none quotes a record.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::call_error::CallError;
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

/// A record, or a part of one, that a function cannot use, to be kept in the rejected-records table.
#[derive(Clone, Debug)]
pub struct RejectedRecord<'r> {
    /// The record's index in the batch, from 0.
    pub index: usize,
    /// The record.
    pub record: Record<'r>,
    /// What of it was rejected.
    pub part: RejectedPart<'r>,
    /// Why.
    pub rejection: Rejection,
}

/// What is kept of a record.
#[derive(Clone, Debug)]
pub struct RejectedPart<'r> {
    /// Its place within the record, from 0; `None` if the record holds nothing else.
    pub place: Option<u32>,
    /// The partition key that its producer chose.
    pub partition_key: &'r str,
    /// Its bytes.
    pub data: Cow<'r, [u8]>,
    /// How many parts these are: one, unless several that were rejected for the same reason are kept together, one to a
    /// line. The place is that of the first.
    pub parts: u64,
}

impl<'r> RejectedRecord<'r> {
    /// The record at `index` of the batch, rejected as a whole.
    #[must_use]
    pub fn whole(index: usize, record: Record<'r>, rejection: Rejection) -> Self {
        let data = Cow::Borrowed(record.data);
        let part = RejectedPart { place: None, partition_key: record.partition_key, data, parts: 1 };
        Self { index, record, part, rejection }
    }

    /// Its unique position: that of its record, and its place if the record holds several parts, separated by slashes.
    #[must_use]
    pub fn position(&self) -> String {
        let position = self.record.position();
        match self.part.place {
            Some(place) => format!("{position}/{place}"),
            None => position,
        }
    }
}

/// Records that were rejected, and are written, together.
#[derive(Debug)]
pub(crate) struct RejectedRecords<'r> {
    records: Vec<RejectedRecord<'r>>,
    /// Which of them are written.
    written: Vec<AtomicBool>,
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
        let written = records.iter().map(|_| AtomicBool::new(false)).collect();
        Self { records, written, room: Semaphore::new(REQUESTS_BESIDE_GOOD_RECORDS), refusals: Mutex::default() }
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

    /// Records that the record at `place` is written.
    pub(crate) fn note_written(&self, place: usize) {
        if let Some(written) = self.written.get(place) {
            written.store(true, Relaxed);
        }
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
/// Returns the number of records and parts of records written.
pub(crate) fn log<'i, 'r: 'i>(rejected: impl Iterator<Item = &'i RejectedRecords<'r>> + Clone) -> u64 {
    let (mut written, mut unwritten) = (Vec::new(), Vec::new());
    for rejected in rejected.clone() {
        for (record, is_written) in rejected.records.iter().zip(&rejected.written) {
            if is_written.load(Relaxed) { written.push(record) } else { unwritten.push(record) }
        }
    }
    let mut by_reason: BTreeMap<Reason, Vec<&RejectedRecord<'_>>> = BTreeMap::new();
    for rejected in &written {
        by_reason.entry(rejected.rejection.reason).or_default().push(rejected);
    }
    for (reason, records) in by_reason {
        tracing::warn!(%reason, records = parts(&records), first_positions = positions(&records), "records rejected");
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
            records = parts(&unwritten),
            first_positions = positions(&unwritten),
            retried,
            error,
            "rejected records could not be written and will be redelivered"
        );
    } else if retried > 0 {
        tracing::warn!(retried, error, "writes of rejected records were retried");
    }
    parts(&written)
}

/// How many records and parts of records these are.
fn parts(records: &[&RejectedRecord<'_>]) -> u64 {
    records.iter().map(|rejected| rejected.part.parts).sum()
}

/// The keys of the first few items, by which an operator can look them up.
fn positions(records: &[&RejectedRecord<'_>]) -> String {
    let positions: Vec<_> = records.iter().take(POSITIONS_PER_LINE).map(|it| it.position()).collect();
    positions.join(", ")
}
