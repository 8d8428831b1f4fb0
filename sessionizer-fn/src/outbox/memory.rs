//! A table and a stream in memory, for tests. They keep the contracts of [`StateStore`] and [`Publisher`], and exercise
//! all the freedom these allow.
//!
//! Each client draws its faults from a seed. Every call yields before it takes effect, between its parts and before it
//! returns, where a scheduler may run others or drop the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use fastrand::Rng;
use kinesis_function::call_error::CallError;
use shared::boundary::Version;
use shared::user_id::UserId;
use tokio::time::Instant;

use crate::outbox::committed::{Committed, CommittedState};
use crate::outbox::permit::{Message, Publisher};
use crate::outbox::state_store::{CommitResult, ProposedCommit, StateStore, StoredState};
use crate::state::UserState;

/// The contents shared by all clients.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    contents: Mutex<Contents>,
}

/// The contents of table and stream.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// The table.
    pub(crate) states: BTreeMap<UserId, UserState>,
    /// Every state ever stored, in commit order.
    pub(crate) commits: Vec<(UserId, UserState)>,
    /// The distinct messages. Tests shuffle their order.
    pub(crate) stream: BTreeSet<Vec<u8>>,
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
    /// What the caller knows, if its behavior is checked.
    caller: Option<Caller>,
    was_denied: bool,
}

/// What a caller knows about each user. It must pause before it retries a failed call, and must not propose a commit
/// over a version that it knows to be superseded.
#[derive(Debug, Default)]
struct Caller {
    failed_at: BTreeMap<String, Instant>,
    superseded: BTreeMap<String, Option<Version>>,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It takes effect and is answered; parts may still be throttled, and returned items left out.
    Answered,
    /// It takes no effect.
    NotSent,
    /// It takes effect, and the answer is lost.
    ReplyLost,
    /// It takes no effect, and a retry would not help.
    Denied,
}

impl Fate {
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

fn shown(user_id: &UserId, state: Option<&UserState>) -> StoredState {
    let seen = |state: &UserState| StoredState::Present(CommittedState::seen(user_id.clone(), state.clone()));
    state.map_or(StoredState::Absent, seen)
}

/// Lets others act.
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
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client whose calls succeed.
    pub(crate) fn client(&self) -> MemoryClient<'_> {
        MemoryClient { memory: self, faults: None }
    }

    /// A client whose calls fail at random.
    pub(crate) fn faulty_client(&self, rng: Rng) -> MemoryClient<'_> {
        MemoryClient { memory: self, faults: Some(Mutex::new(Faults { rng, caller: None, was_denied: false })) }
    }

    /// A client whose calls fail at random, and which checks that its caller respects the results.
    pub(crate) fn strict_client(&self, rng: Rng) -> MemoryClient<'_> {
        MemoryClient {
            memory: self,
            faults: Some(Mutex::new(Faults { rng, caller: Some(Caller::default()), was_denied: false })),
        }
    }

    /// The final contents.
    pub(crate) fn into_contents(self) -> Contents {
        self.contents.into_inner().unwrap_or_else(PoisonError::into_inner)
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

    /// Draws the fate of a call for `users`.
    fn fate<'u>(&self, users: impl Iterator<Item = &'u str>) -> Fate {
        let draw = |faults: &mut Faults| {
            if let Some(caller) = &faults.caller {
                for user in users {
                    let has_paused = caller.failed_at.get(user).is_none_or(|at| *at < Instant::now());
                    assert!(has_paused, "a failed call is retried without a pause");
                }
            }
            match faults.rng.u8(..32) {
                0 => Fate::NotSent,
                1..=3 => Fate::ReplyLost,
                4 => {
                    faults.was_denied = true;
                    Fate::Denied
                }
                _ => Fate::Answered,
            }
        };
        self.with(draw).unwrap_or(Fate::Answered)
    }

    /// True at random, once in `times`.
    fn once_in(&self, times: u8) -> bool {
        self.with(|faults| faults.rng.u8(..times) == 0).unwrap_or(false)
    }

    /// Whether the caller knows that a commit for `user` over `expected` lost a race.
    fn is_known_to_be_superseded(&self, user: &str, expected: Option<Version>) -> bool {
        self.with(|faults| faults.caller.as_ref()?.superseded.get(user).copied()).flatten() == Some(expected)
    }

    /// Records what the caller learns, if its behavior is checked.
    fn inform(&self, inform: impl FnOnce(&mut Caller)) {
        self.with(|faults| faults.caller.as_mut().map(inform));
    }

    /// Records that the caller learns of a failed call for `user`.
    fn inform_failed(&self, user: &str) {
        self.inform(|caller| _ = caller.failed_at.insert(user.to_owned(), Instant::now()));
    }

    fn try_commit(&self, user_id: UserId, commit: Box<ProposedCommit>) -> CommitResult {
        if self.once_in(16) {
            return CommitResult::Failed(commit, throttled());
        }
        let mut contents = self.memory.lock();
        let stored = contents.states.get(&user_id);
        if stored.map(|state| state.version) == commit.expected {
            contents.states.insert(user_id.clone(), commit.state.clone());
            contents.commits.push((user_id.clone(), commit.state.clone()));
            CommitResult::Committed(Committed::of(user_id, *commit))
        } else {
            let winner = stored.filter(|_| !self.once_in(3));
            CommitResult::LostRace(winner.map(|state| shown(&user_id, Some(state))))
        }
    }
}

impl StateStore for &MemoryClient<'_> {
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredState, CallError>> {
        if users.is_empty() {
            return Vec::new();
        }
        let fate = self.fate(users.iter().map(|user| user.as_str()));
        pause().await;
        let read = |user: &&UserId| match fate.error().or_else(|| self.once_in(16).then(throttled)) {
            Some(error) => {
                self.inform_failed(user.as_str());
                Err(error)
            }
            None => Ok(shown(user, self.memory.lock().states.get(*user))),
        };
        let states = users.iter().map(read).collect();
        pause().await;
        states
    }

    async fn commit(&self, commits: Vec<(UserId, Box<ProposedCommit>)>) -> Vec<CommitResult> {
        if commits.is_empty() {
            return Vec::new();
        }
        let fate = self.fate(commits.iter().map(|(user_id, _)| user_id.as_str()));
        let mut results = Vec::new();
        for (user_id, commit) in commits {
            pause().await;
            let (user, expected) = (user_id.clone(), commit.expected);
            let is_superseded = self.is_known_to_be_superseded(user.as_str(), expected);
            assert!(!is_superseded, "a commit is proposed over a version that lost a race");
            let result = match (fate, fate.error()) {
                (Fate::ReplyLost, Some(error)) => {
                    self.try_commit(user_id, commit.clone());
                    CommitResult::Failed(commit, error)
                }
                (_, Some(error)) => CommitResult::Failed(commit, error),
                (_, None) => self.try_commit(user_id, commit),
            };
            match &result {
                CommitResult::Committed(_) => {}
                CommitResult::LostRace(_) => {
                    self.inform(|caller| _ = caller.superseded.insert(user.as_str().to_owned(), expected));
                }
                CommitResult::Failed(..) => self.inform_failed(user.as_str()),
            }
            results.push(result);
        }
        pause().await;
        results
    }
}

impl Publisher for &MemoryClient<'_> {
    async fn put(&self, messages: &[&Message]) -> Vec<Result<(), CallError>> {
        if messages.is_empty() {
            return Vec::new();
        }
        let fate = self.fate(messages.iter().map(|message| message.partition_key()));
        let mut results = Vec::new();
        for message in messages {
            pause().await;
            let refused = self.once_in(16).then(throttled);
            if matches!(fate, Fate::Answered | Fate::ReplyLost) && refused.is_none() {
                self.memory.lock().stream.insert(message.data().to_vec());
            }
            let error = fate.error().or(refused);
            if error.is_some() {
                self.inform_failed(message.partition_key());
            }
            results.push(error.map_or(Ok(()), Err));
        }
        pause().await;
        results
    }
}
