//! Owns the visible progress of a mapping: counts, checkpoints, and the error that ended it. One value in one watch
//! channel, so that a reader always sees a consistent state.

use shared::sequence_number::SequenceNumber;
use tokio::sync::watch;

use super::answer::BatchResult;
use super::config::Checkpoints;
use super::error::MappingError;

/// The counts of a mapping since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records read from the stream.
    pub records_read: u64,
    /// Records that a checkpoint has passed: they and all earlier ones in their shard are done.
    pub records_done: u64,
    /// Invocations started.
    pub invocations: u64,
    /// Invocations that finished no record: an error, a time-out or an invalid response.
    pub failed_invocations: u64,
    /// Invocations whose response named failed records.
    pub partially_failed_batches: u64,
}

/// A view of a mapping's progress; cheap to clone, valid even after the mapping has ended.
#[derive(Debug, Clone)]
pub struct MappingProgress {
    state: watch::Receiver<State>,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    checkpoints: Checkpoints,
    failure: Option<MappingError>,
}

impl MappingProgress {
    /// The current counts.
    pub fn counts(&self) -> Counts {
        self.state.borrow().counts
    }

    /// For each shard, the sequence number up to which all records are done. Shards without progress are left out.
    pub fn checkpoints(&self) -> Checkpoints {
        self.state.borrow().checkpoints.clone()
    }

    /// Waits until something has changed since the last call.
    ///
    /// # Errors
    /// The error that ended the mapping, or [`MappingError::Stopped`].
    pub async fn changed(&mut self) -> Result<Counts, MappingError> {
        let closed = self.state.changed().await.is_err();
        let state = self.state.borrow_and_update();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None if closed => Err(MappingError::Stopped),
            None => Ok(state.counts),
        }
    }

    /// Waits until `reached` returns true; returns at once if it already does.
    ///
    /// # Errors
    /// The error that ended the mapping first, or [`MappingError::Stopped`].
    pub async fn wait_until(&self, mut reached: impl FnMut(&Counts) -> bool) -> Result<Counts, MappingError> {
        let mut state = self.state.clone();
        let mut met = false;
        let seen = state.wait_for(|state| {
            met = reached(&state.counts);
            met || state.failure.is_some()
        });
        let state = seen.await.map_err(|_closed| MappingError::Stopped)?;
        match &state.failure {
            Some(failure) if !met => Err(failure.clone()),
            _ => Ok(state.counts),
        }
    }

    /// Waits until this many records are done.
    ///
    /// # Errors
    /// As [`MappingProgress::wait_until`].
    pub async fn wait_until_done(&self, records: u64) -> Result<Counts, MappingError> {
        self.wait_until(|counts| counts.records_done >= records).await
    }
}

/// The mapping's side: every task holds one. When the last one is dropped, every waiting view learns that the mapping
/// ended.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    state: watch::Sender<State>,
}

/// A reporter and its view.
pub(crate) fn channel() -> (Reporter, MappingProgress) {
    let (sender, receiver) = watch::channel(State::default());
    (Reporter { state: sender }, MappingProgress { state: receiver })
}

impl Reporter {
    pub(crate) fn read(&self, records: usize) {
        self.count(|counts| counts.records_read += records as u64);
    }

    pub(crate) fn invoked(&self) {
        self.count(|counts| counts.invocations += 1);
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.state.send_modify(|state| change(&mut state.counts));
    }

    pub(crate) fn settled(
        &self,
        shard: &str,
        verdict: &BatchResult,
        checkpointed: u64,
        checkpoint: Option<&SequenceNumber>,
    ) {
        self.state.send_modify(|state| {
            match verdict {
                BatchResult::Succeeded => {}
                BatchResult::FailedFrom(_) => state.counts.partially_failed_batches += 1,
                BatchResult::Unusable(_) | BatchResult::Errored(_) => state.counts.failed_invocations += 1,
            }
            state.counts.records_done += checkpointed;
            if let Some(checkpoint) = checkpoint.filter(|_| checkpointed > 0) {
                state.checkpoints.insert(shard.to_owned(), checkpoint.clone());
            }
        });
    }

    pub(crate) fn failed(&self, failure: MappingError) {
        self.state.send_modify(|state| state.failure = Some(failure));
    }
}
