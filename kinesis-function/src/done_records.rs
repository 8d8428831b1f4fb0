//! Tracks which records of a batch are done, and builds the response from which Lambda resumes.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use aws_lambda_events::streams::KinesisEventResponse;
use shared::sequence_number;

use crate::records::Records;

/// Tracks which records of a batch are done: applied and published, stored, or kept as rejected. A record that holds
/// several parts is done with the last of them, whatever becomes of each.
///
/// Shared by the futures of one invocation, so that progress survives when the deadline drops them.
#[derive(Debug)]
pub struct DoneRecords {
    /// How many parts of each record are not done.
    open: Vec<AtomicUsize>,
}

impl DoneRecords {
    /// For a batch of `records` records of one part each, none of them done yet.
    #[must_use]
    pub fn none_of(records: usize) -> Self {
        Self::of_parts(std::iter::repeat_n(1, records))
    }

    /// For a batch whose records have these numbers of parts, none of them done yet. A record without parts is done.
    #[must_use]
    pub fn of_parts(parts: impl IntoIterator<Item = usize>) -> Self {
        Self { open: parts.into_iter().map(AtomicUsize::new).collect() }
    }

    /// Marks one part of the record at `index` of the batch as done. Call it once for each part.
    pub fn set_done(&self, index: usize) {
        if let Some(open) = self.open.get(index) {
            let before = open.fetch_update(Relaxed, Relaxed, |open| open.checked_sub(1));
            debug_assert!(before.is_ok(), "more parts of record {index} are done than it has");
        }
    }

    /// Whether the record at `index` of the batch is done.
    #[must_use]
    pub fn is_done(&self, index: usize) -> bool {
        self.open.get(index).is_some_and(|open| open.load(Relaxed) == 0)
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
        self.open.iter().enumerate().filter(|(_, open)| open.load(Relaxed) > 0).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_is_done_with_the_last_of_its_parts() {
        let done = DoneRecords::of_parts([1, 0, 2]);
        let are_done = || [0, 1, 2, 3].map(|index| done.is_done(index));
        assert_eq!((are_done(), done.count_undone()), ([false, true, false, false], 2));
        done.set_done(2);
        done.set_done(0);
        assert_eq!((are_done(), done.count_undone()), ([true, true, false, false], 1));
        done.set_done(2);
        done.set_done(3);
        assert_eq!((are_done(), done.count_undone()), ([true, true, true, false], 0));
    }
}
