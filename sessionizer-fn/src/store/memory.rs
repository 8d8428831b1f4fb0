//! Both tables and the stream in memory, for tests. They keep the contracts of [`LogStore`], [`RestStore`] and
//! [`Publisher`], and exercise all the freedom these allow.
//!
//! Each client draws its faults from a seed. Every call yields before it takes effect, between its parts and before it
//! returns, where a scheduler may run others or drop the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use fastrand::Rng;
use kinesis_function::call_error::CallError;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;
use tokio::time::Instant;

use crate::ring_log::ring::Expected;
use crate::state_log_codec::{decode_entries, decode_user, encode_entries, encode_user};
use crate::state_log_entry::UserEntry;
use crate::store::log_store::{LogCommit, LogStore, StoreError, WriteResult};
use crate::store::publisher::{Message, Publisher};
use crate::store::rest_store::{RestResult, RestStore, RestingUser};
use crate::store::settings::Settings;

/// The contents shared by all clients.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    contents: Mutex<Contents>,
    /// The columns of what is stored.
    columns: SessionColumns,
}

/// The contents of tables and stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) settings: Option<Settings>,
    /// The slots of the rings, by bucket and slot.
    pub(crate) slots: BTreeMap<(u32, u64), LogCommit>,
    /// Users at rest.
    pub(crate) resting: BTreeMap<UserId, RestingUser>,
    /// Every commit ever stored, by bucket, in the order in which they were.
    pub(crate) commits: BTreeMap<u32, Vec<LogCommit>>,
    /// Every write of a user at rest that took effect, in order.
    pub(crate) rested: Vec<RestingUser>,
    /// The distinct messages. Tests shuffle their order.
    pub(crate) stream: BTreeSet<Vec<u8>>,
}

/// The name of calls that buckets make side by side, so that one bucket's failure demands no pause of another's.
const NOT_PACED: &str = "";

/// How often a call, or a part of one, meets a fault: so many times in 256.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FaultRates {
    /// It takes no effect.
    pub(crate) not_sent: u8,
    /// It takes effect, and the answer is lost.
    pub(crate) reply_lost: u8,
    /// It takes no effect, and a retry would not help.
    pub(crate) denied: u8,
    /// A user's read or write, or a message, is throttled on its own.
    pub(crate) part_throttled: u8,
    /// A commit is said to be too large.
    pub(crate) too_large: u8,
}

impl FaultRates {
    /// Faults of every kind.
    pub(crate) const MANY: Self = Self { not_sent: 8, reply_lost: 24, denied: 2, part_throttled: 16, too_large: 8 };
}

/// A client, which may inject faults.
#[derive(Debug)]
pub(crate) struct MemoryClient<'m> {
    memory: &'m Memory,
    faults: Option<Mutex<Faults>>,
}

#[derive(Debug)]
struct Faults {
    rng: Rng,
    rates: FaultRates,
    /// When each call last failed, if the caller has to pause before it tries again.
    failed_at: Option<BTreeMap<String, Instant>>,
    was_denied: bool,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It takes effect and is answered; parts may still be throttled.
    Answered,
    NotSent,
    ReplyLost,
    Denied,
}

impl Fate {
    fn takes_effect(self) -> bool {
        matches!(self, Self::Answered | Self::ReplyLost)
    }

    fn error(self) -> Option<CallError> {
        match self {
            Self::Answered => None,
            Self::NotSent => Some(throttled()),
            Self::ReplyLost => Some(CallError::incomplete_answer("Memory", "the reply was lost")),
            Self::Denied => Some(CallError::of_part("Memory", "AccessDeniedException", "not authorized")),
        }
    }
}

fn throttled() -> CallError {
    CallError::of_part("Memory", "ThrottlingException", "rate exceeded")
}

/// Lets others act. Unlike tokio's `yield_now`, it wakes the task at once, whatever polls it.
async fn pause() {
    let mut paused = false;
    poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Memory {
    /// An empty memory of sessions with these `columns`.
    pub(crate) fn of(columns: SessionColumns) -> Self {
        Self { columns, ..Self::default() }
    }

    /// The contents, to look at or to change. Must not be held across a call.
    pub(crate) fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client whose calls succeed.
    pub(crate) fn client(&self) -> MemoryClient<'_> {
        MemoryClient { memory: self, faults: None }
    }

    /// A client whose calls fail at random.
    pub(crate) fn faulty_client(&self, rng: Rng, rates: FaultRates) -> MemoryClient<'_> {
        self.client_with(Faults { rng, rates, failed_at: None, was_denied: false })
    }

    /// A client whose calls fail at random, and which checks that its caller pauses before it retries one.
    pub(crate) fn strict_client(&self, rng: Rng, rates: FaultRates) -> MemoryClient<'_> {
        self.client_with(Faults { rng, rates, failed_at: Some(BTreeMap::new()), was_denied: false })
    }

    fn client_with(&self, faults: Faults) -> MemoryClient<'_> {
        MemoryClient { memory: self, faults: Some(Mutex::new(faults)) }
    }
}

impl MemoryClient<'_> {
    fn with<T>(&self, draw: impl FnOnce(&mut Faults) -> T) -> Option<T> {
        self.faults.as_ref().map(|faults| draw(&mut faults.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Whether a call was denied.
    pub(crate) fn was_denied(&self) -> bool {
        self.with(|faults| faults.was_denied).unwrap_or(false)
    }

    /// Draws the fate of a call, or of its parts, each named by what it does to what.
    fn fate(&self, parts: &[String]) -> Fate {
        let draw = |faults: &mut Faults| {
            if let Some(failed_at) = &faults.failed_at {
                for part in parts {
                    let has_paused = failed_at.get(part).is_none_or(|at| *at < Instant::now());
                    assert!(has_paused, "{part} is retried without a pause");
                }
            }
            let FaultRates { not_sent, reply_lost, denied, .. } = faults.rates;
            let fates = [(not_sent, Fate::NotSent), (reply_lost, Fate::ReplyLost), (denied, Fate::Denied)];
            let mut drawn = faults.rng.u8(..);
            for (rate, fate) in fates {
                if drawn < rate {
                    faults.was_denied |= fate == Fate::Denied;
                    return fate;
                }
                drawn -= rate;
            }
            Fate::Answered
        };
        self.with(draw).unwrap_or(Fate::Answered)
    }

    fn is_throttled(&self) -> bool {
        self.with(|faults| faults.rng.u8(..) < faults.rates.part_throttled).unwrap_or(false)
    }

    /// Records that the caller learns of a failure of `part`.
    fn inform_failed(&self, part: &str) {
        self.with(|faults| {
            if part != NOT_PACED
                && let Some(failed_at) = &mut faults.failed_at
            {
                failed_at.insert(part.to_owned(), Instant::now());
            }
        });
    }

    /// Makes a call that takes effect as a whole, or not at all. Its effect yields where others may act meanwhile.
    async fn call<T>(&self, what: String, effect: impl AsyncFnOnce() -> T) -> Result<T, CallError> {
        let what = [what];
        let fate = self.fate(&what);
        pause().await;
        let effect = if fate.takes_effect() { Some(effect().await) } else { None };
        pause().await;
        match (effect, fate.error()) {
            (Some(effect), None) => Ok(effect),
            (_, error) => {
                self.inform_failed(&what[0]);
                Err(error.unwrap_or_else(throttled))
            }
        }
    }

    /// Makes a call of several parts, each of which may be throttled.
    async fn call_for_each<P, T>(
        &self,
        parts: &[P],
        name: impl Fn(&P) -> String,
        mut effect: impl FnMut(&P) -> T,
    ) -> Vec<Result<T, CallError>> {
        if parts.is_empty() {
            return Vec::new();
        }
        let names: Vec<_> = parts.iter().map(name).collect();
        let fate = self.fate(&names);
        let mut results = Vec::with_capacity(parts.len());
        for (part, name) in parts.iter().zip(&names) {
            pause().await;
            let error = fate.error().or_else(|| self.is_throttled().then(throttled));
            let effect = (error.is_none() || fate == Fate::ReplyLost).then(|| effect(part));
            results.push(match (effect, error) {
                (Some(effect), None) => Ok(effect),
                (_, error) => {
                    self.inform_failed(name);
                    Err(error.unwrap_or_else(throttled))
                }
            });
        }
        pause().await;
        results
    }
}

impl LogStore for MemoryClient<'_> {
    async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        Ok(self.call(NOT_PACED.to_owned(), async || self.memory.contents().settings).await?)
    }

    async fn make_settings(&self, settings: Settings) -> Result<Settings, StoreError> {
        let make = async || *self.memory.contents().settings.get_or_insert(settings);
        Ok(self.call("make settings".to_owned(), make).await?)
    }

    async fn read(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<LogCommit>>, StoreError> {
        let read = async || {
            let mut commits = Vec::with_capacity(slots.len());
            for slot in slots {
                commits.push(self.memory.contents().slots.get(&(bucket, *slot)).cloned());
                pause().await;
            }
            commits
        };
        Ok(self.call(format!("read {bucket}"), read).await?)
    }

    async fn read_numbers(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<u64>>, StoreError> {
        let read = async || {
            let mut numbers = Vec::with_capacity(slots.len());
            for slot in slots {
                numbers.push(self.memory.contents().slots.get(&(bucket, *slot)).map(|commit| commit.number));
                pause().await;
            }
            numbers
        };
        Ok(self.call(format!("read numbers {bucket}"), read).await?)
    }

    async fn write(&self, bucket: u32, slot: u64, expected: Expected, commit: &LogCommit) -> WriteResult {
        let bytes = encode_entries(&commit.entries, commit.made_ms, &self.memory.columns).unwrap();
        if self.with(|faults| faults.rng.u8(..) < faults.rates.too_large).unwrap_or(false) {
            return WriteResult::TooLarge;
        }
        let write = async || {
            let entries = decode_entries(&bytes, commit.made_ms, &self.memory.columns).unwrap();
            let stored = LogCommit { entries, ..commit.clone() };
            assert_eq!(&stored, commit, "what is read is what was written");
            let mut contents = self.memory.contents();
            let found = contents.slots.get(&(bucket, slot)).map(|commit| commit.number);
            let is_expected = match expected {
                Expected::Nothing => found.is_none(),
                Expected::Commit(number) => found == Some(number),
            };
            if is_expected {
                contents.slots.insert((bucket, slot), stored.clone());
                contents.commits.entry(bucket).or_default().push(stored);
            }
            is_expected
        };
        match self.call(format!("write {bucket}"), write).await {
            Ok(true) => WriteResult::Written,
            Ok(false) => WriteResult::LostRace,
            Err(error) => WriteResult::Failed(error),
        }
    }
}

impl RestStore for MemoryClient<'_> {
    async fn read(&self, users: &[UserId]) -> Vec<Result<Option<UserEntry>, StoreError>> {
        let name = |user: &UserId| format!("read {user}");
        let read = |user: &UserId| {
            let contents = self.memory.contents();
            contents.resting.get(user).map(|user| UserEntry { has_item: true, ..user.entry.clone() })
        };
        self.call_for_each(users, name, read).await.into_iter().map(|result| Ok(result?)).collect()
    }

    async fn write(&self, users: &[RestingUser]) -> Vec<RestResult> {
        let name = |user: &RestingUser| format!("write {}", user.user_id);
        let write = |user: &RestingUser| {
            let columns = &self.memory.columns;
            let stored = decode_user(&encode_user(&user.entry, columns).unwrap(), columns);
            assert_eq!(stored.as_ref(), Ok(&user.entry), "what is read is what was written");
            let mut contents = self.memory.contents();
            if contents.resting.get(&user.user_id).is_some_and(|found| found.commit > user.commit) {
                return RestResult::LaterCommit;
            }
            contents.resting.insert(user.user_id.clone(), user.clone());
            contents.rested.push(user.clone());
            RestResult::Written
        };
        let results = self.call_for_each(users, name, write).await;
        results.into_iter().map(|result| result.unwrap_or_else(RestResult::Failed)).collect()
    }
}

impl Publisher for MemoryClient<'_> {
    async fn put(&self, messages: &[Message]) -> Vec<Result<(), CallError>> {
        let name = |message: &Message| format!("publish to {}", message.partition_key());
        let put = |message: &Message| _ = self.memory.contents().stream.insert(message.data().to_vec());
        self.call_for_each(messages, name, put).await
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
