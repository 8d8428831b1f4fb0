//! Tracks which records of a batch are done, and builds the response from which Lambda resumes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use aws_lambda_events::streams::KinesisEventResponse;
use shared::sequence_number;

use crate::records::Records;

/// Tracks which records of a batch are done: applied and published, stored, or kept as rejected.
///
/// Shared by the futures of one invocation, so that progress survives when the deadline drops them.
#[derive(Debug)]
pub struct DoneRecords {
    done: Vec<AtomicBool>,
}

impl DoneRecords {
    /// For a batch of `records` records, none of them done yet.
    #[must_use]
    pub fn none_of(records: usize) -> Self {
        Self { done: (0..records).map(|_| AtomicBool::new(false)).collect() }
    }

    /// Marks the record at `index` of the batch as done.
    pub fn set_done(&self, index: usize) {
        if let Some(done) = self.done.get(index) {
            done.store(true, Relaxed);
        }
    }

    /// Whether the record at `index` of the batch is done.
    #[must_use]
    pub fn is_done(&self, index: usize) -> bool {
        self.done.get(index).is_some_and(|done| done.load(Relaxed))
    }

    /// How many records are not done.
    #[must_use]
    pub fn count_undone(&self) -> usize {
        self.undone().count()
    }

    /// The response for Lambda: empty if all records of the batch are done, otherwise the lowest sequence number that
    /// is not. `records` are the records of the batch.
    #[must_use]
    pub fn response(&self, records: &Records) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        let undone = self.undone().filter_map(|index| records.sequence_number_at(index));
        if let Some(lowest) = undone.min_by(|a, b| sequence_number::compare(a, b)) {
            response.add_failure(lowest);
        }
        response
    }

    fn undone(&self) -> impl Iterator<Item = usize> {
        self.done.iter().enumerate().filter(|(_, done)| !done.load(Relaxed)).map(|(index, _)| index)
    }
}
