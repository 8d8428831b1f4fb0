//! The interface of the store of state logs.

use kinesis_function::call_error::CallError;

use crate::ring_log::commit::Commit;
use crate::ring_log::ring::Expected;
use crate::state_log_entry::{LogKey, LogValue};
use crate::store::settings::Settings;

/// A commit of a state log.
pub type LogCommit = Commit<LogKey, LogValue>;

/// Why stored state cannot be used. Nothing is overwritten then.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A commit has other columns than the ones before it, which its reader goes by.
    #[error("the item {key:?} of the state-log table has other columns than the commits before")]
    OtherColumns {
        /// The item's key.
        key: String,
    },
    /// An item that this code must not touch: damaged, or in a format that it does not know.
    #[error("the item {key:?} of the {table} table cannot be read: {reason}")]
    Unreadable {
        /// Which table: `state-log` or `session-state`.
        table: &'static str,
        /// The item's key, unless it is a user's id, which logs must not show.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The logs of all buckets: items in the slots of rings.
///
/// * **A read is strongly consistent**, but a read of several slots is not one moment: commits may be written meanwhile.
/// * **A write is conditional** on what its slot holds. Of two writers of one commit, one wins.
/// * **A failure is inconclusive.** After [`WriteResult::Failed`] the commit may have been written, or may still be
///   while the call is in flight. Reading on shows.
pub trait LogStore: Sync {
    /// The tables' settings, if they were made.
    fn settings(&self) -> impl Future<Output = Result<Option<Settings>, StoreError>> + Send;

    /// Stores `settings` unless there are some, and returns the stored ones.
    fn make_settings(&self, settings: Settings) -> impl Future<Output = Result<Settings, StoreError>> + Send;

    /// The commits in these `slots` of a bucket's ring, in their order; `None` for a slot that was never used.
    fn read(
        &self,
        bucket: u32,
        slots: &[u64],
    ) -> impl Future<Output = Result<Vec<Option<LogCommit>>, StoreError>> + Send;

    /// The numbers of the commits in these `slots`, like [`Self::read`].
    fn read_numbers(
        &self,
        bucket: u32,
        slots: &[u64],
    ) -> impl Future<Output = Result<Vec<Option<u64>>, StoreError>> + Send;

    /// Tries once to write `commit` into `slot`, which must hold what is `expected`.
    fn write(
        &self,
        bucket: u32,
        slot: u64,
        expected: Expected,
        commit: &LogCommit,
    ) -> impl Future<Output = WriteResult> + Send;
}

/// The outcome of writing a commit.
#[derive(Debug)]
pub enum WriteResult {
    /// It is stored.
    Written,
    /// It has more than [`MAX_COMMIT_BYTES`](crate::bucket::bounds::MAX_COMMIT_BYTES) once compressed. Nothing was written.
    TooLarge,
    /// The slot holds something else: another writer was faster, or this one's reply to an earlier try was lost.
    LostRace,
    /// The call failed, and the commit may have been written.
    Failed(CallError),
}
