//! Forgets a user in a bucket's log: reads on, decides, writes, like a worker, until nothing of the user is live.

use kinesis_function::backoff::Backoff;
use shared::boundary::Version;
use shared::limits::MAX_WINDOW_SESSIONS;
use shared::user_id::UserId;

use crate::bucket::forgetting::{Step, next_step, waiting_ordinals};
use crate::bucket::memory::BucketMemory;
use crate::ring_log::ring::Ring;
use crate::state_log_entry::UserEntry;
use crate::store::log_store::{LogStore, WriteResult};
use crate::store::rest_store::RestStore;
use crate::work::attempts::until_it_succeeds;
use crate::work::error::BucketError;
use crate::work::reading::Reader;

/// Forgets users of one bucket.
#[derive(Debug)]
pub struct Forgetter<'f, S, R> {
    /// The bucket.
    pub bucket: u32,
    /// Reads its log.
    pub reader: Reader<'f, S>,
    /// The users at rest.
    pub rest: &'f R,
}

/// What was live of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The user's entry in the log, unless it says that the user was forgotten.
    pub entry: Option<UserEntry>,
    /// The user's item in session-state.
    pub item: Option<UserEntry>,
    /// The ordinals of the user's boundaries in outboxes.
    pub waiting: Vec<u64>,
}

/// The log after a user was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// What was live before, as the decision over it has seen it.
    pub known: Known,
    /// How many commits this took; 0 if nothing was live. Those whose answers were lost count as one together.
    pub commits: u64,
    /// When the user was forgotten, in Unix milliseconds, as long as the log keeps that: by these commits or by earlier
    /// ones.
    pub forgotten_ms: Option<u64>,
    /// The log's newest commit. An item of session-state that is not of a later one is superseded.
    pub head: u64,
    /// The version of that commit. Every boundary made of what was forgotten has a lower one.
    pub version: Version,
}

impl Known {
    /// The highest ordinal that a session of the user can have had; `None` if nothing is known of the user. Late clicks may
    /// have made sessions of the window one, and retracted as many ordinals; those in front of it they leave alone.
    #[must_use]
    pub fn highest_ordinal(&self) -> Option<u64> {
        const HIGHEST_IN_WINDOW: u64 = MAX_WINDOW_SESSIONS as u64 - 1;
        let of =
            |entry: &Option<UserEntry>| Some(entry.as_ref()?.window.first_ordinal.saturating_add(HIGHEST_IN_WINDOW));
        [of(&self.entry), of(&self.item), self.waiting.iter().max().copied()].into_iter().flatten().max()
    }
}

impl<S: LogStore, R: RestStore> Forgetter<'_, S, R> {
    /// What is live of the user, as of `memory`.
    ///
    /// # Errors
    /// A permanent failure, and an item that cannot be read.
    pub async fn known(&self, memory: &BucketMemory, user_id: &UserId) -> Result<Known, BucketError> {
        let user = std::slice::from_ref(user_id);
        let read = || async { self.rest.read(user).await.pop().transpose().map(Option::flatten) };
        Ok(Known {
            entry: memory.user(user_id).filter(|entry| !entry.is_forgotten()).cloned(),
            item: until_it_succeeds(self.reader.failures, read).await?,
            waiting: waiting_ordinals(memory, user_id).collect(),
        })
    }

    /// Makes the commits after which nothing of the user is live in the log, and an item of session-state does not count.
    /// A race that is lost is decided again. Dropping the future leaves a log that is right whichever commits were made.
    ///
    /// Waits while the log has no room, or a service is throttled or out of reach: without limit, so give it one.
    ///
    /// # Errors
    /// A permanent failure, and state that cannot be read.
    pub async fn forget(
        &self,
        memory: &mut BucketMemory,
        user_id: &UserId,
        now_ms: impl Fn() -> u64,
    ) -> Result<Forgotten, BucketError> {
        let ring = Ring::new(self.reader.settings.slots, self.reader.settings.first_commit);
        let (mut backoff, mut commits) = (Backoff::new(), 0);
        self.reader.catch_up(self.bucket, memory).await?;
        let mut before = self.known(memory, user_id).await?;
        loop {
            // After a lost race the log was read a moment ago: whatever is read between that and the write loses races.
            let seen = match memory.user(user_id) {
                Some(entry) => {
                    let entry = Some(entry.clone()).filter(|entry| !entry.is_forgotten());
                    Known { entry, item: None, waiting: waiting_ordinals(memory, user_id).collect() }
                }
                None => self.known(memory, user_id).await?,
            };
            let step = next_step(memory, ring, user_id, seen.item.is_some(), now_ms());
            before = Known {
                entry: seen.entry.or(before.entry),
                item: seen.item.or(before.item),
                waiting: if seen.waiting.is_empty() { before.waiting } else { seen.waiting },
            };
            let commit = match step {
                Step::Done => {
                    let was_live = before != Known::default();
                    return Ok(Forgotten {
                        known: before,
                        commits: if was_live { commits.max(1) } else { commits },
                        forgotten_ms: memory.user(user_id).map(|entry| entry.arrival_ms),
                        head: memory.log().head().unwrap_or_default(),
                        version: memory.log().version(),
                    });
                }
                Step::Commit(commit) => commit,
                Step::LogIsFull => {
                    backoff.pause().await;
                    self.reader.catch_up(self.bucket, memory).await?;
                    continue;
                }
            };
            let (slot, expected) = (ring.slot_of(commit.number), ring.expected(commit.number));
            match self.reader.store.write(self.bucket, slot, expected, &commit).await {
                WriteResult::Written => {
                    let inconsistent = |source| BucketError::Inconsistent { bucket: self.bucket, source };
                    memory.take_in(commit).map_err(inconsistent)?;
                    commits += 1;
                }
                WriteResult::LostRace => {
                    // Others make progress, so longer and longer pauses would not help.
                    Backoff::new().pause().await;
                    self.reader.read_on_after_losing(self.bucket, memory).await?;
                }
                WriteResult::Failed(error) if error.is_transient() => {
                    self.reader.failures.retried(&error);
                    backoff.pause().await;
                    self.reader.catch_up(self.bucket, memory).await?;
                }
                WriteResult::Failed(error) => return Err(BucketError::Call(error)),
                WriteResult::TooLarge => return Err(BucketError::TooLarge { bucket: self.bucket }),
            }
        }
    }
}

#[cfg(test)]
#[path = "forgetting_tests.rs"]
mod tests;
