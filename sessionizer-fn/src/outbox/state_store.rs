//! The interface of a store for users' states, and the contract that implementations must keep.

use kinesis_function::call_error::CallError;
use shared::boundary::Version;
use shared::user_id::UserId;

use crate::batch::CursorKey;
use crate::outbox::committed::{Committed, CommittedState};
use crate::report::Report;
use crate::state::{OutboxId, UserState};
use crate::state_item::StateItemError;

/// A store with one state per user, written conditionally.
///
/// Its contract, which `contract_tests` checks for every implementation:
///
/// * **A read is strongly consistent.** It sees every commit that returned [`CommitResult::Committed`] before the read
///   began, and never part of a commit.
/// * **A commit is conditional.** It takes effect only if the stored version is the expected one, or if none is
///   expected and there is no state. Of several commits that expect the same version, at most one takes effect.
/// * **A commit is atomic.** A user's state, cursors and outbox are stored together or not at all.
/// * **A failure is inconclusive.** After [`CommitResult::Failed`], the commit may have taken effect, or may still do
///   so while the call is in flight. The condition makes a retry safe: if the commit took effect, the retry loses the
///   race to it.
/// * **A lost race may include the winning state.** If it does, that state was committed, possibly by the caller's own
///   commit whose answer was lost.
/// * **Users are independent.** There is one result per user, in the order of the request. One user's failure does not
///   change the results of others.
///
/// Dropping a future is like a failure: its calls may have taken effect.
pub trait StateStore: Sync {
    /// Reads the states of `users`, which must be distinct.
    fn read(&self, users: &[&UserId]) -> impl Future<Output = Vec<Result<StoredState, CallError>>> + Send;

    /// Tries once to commit for each of these users, which must be distinct.
    fn commit(&self, commits: Vec<(UserId, Box<ProposedCommit>)>) -> impl Future<Output = Vec<CommitResult>> + Send;
}

/// A user's entry in a store.
#[derive(Debug)]
pub enum StoredState {
    /// Nothing.
    Absent,
    /// A state.
    Present(Box<CommittedState>),
    /// An item that this code must not touch.
    Unreadable(StateItemError),
}

/// The outcome of a proposed commit.
#[derive(Debug)]
pub enum CommitResult {
    /// It took effect.
    Committed(Box<Committed>),
    /// Another commit won. Contains the current state if the store returned it.
    LostRace(Option<StoredState>),
    /// The call failed, and the commit may have taken effect. Returns the proposal for a retry.
    Failed(Box<ProposedCommit>, CallError),
}

/// A new state of a user, to be stored together with the boundaries to publish.
#[derive(Clone, Debug)]
pub struct ProposedCommit {
    /// The version that the stored state must still have; `None` if no state may exist.
    pub expected: Option<Version>,
    /// The state to store.
    pub state: UserState,
    /// The cursor whose outbox contains the boundaries to publish after the commit.
    pub outbox_key: CursorKey,
    /// How many clicks, starting with the first, are settled once the outbox is published.
    pub settles: usize,
    /// The counts to report once it is stored.
    pub report: Report,
}

impl ProposedCommit {
    /// The outbox with the boundaries to publish once the state is stored.
    #[must_use]
    pub fn outbox(&self) -> OutboxId {
        OutboxId { cursor_key: self.outbox_key.clone(), version: self.state.version }
    }
}
