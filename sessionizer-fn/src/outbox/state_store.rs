//! Where users' states are kept: what a store owes its callers.

use kinesis_function::call_error::CallError;
use shared::boundary::Version;
use shared::user_id::UserId;

use crate::batch::CursorKey;
use crate::outbox::committed::{Committed, CommittedState};
use crate::report::Report;
use crate::state::{OutboxId, UserState};
use crate::state_item::StateItemError;

/// A store with one state per user, written under conditions.
///
/// Its contract, which `contract_tests` checks for every implementation:
///
/// * **A read is strongly consistent.** It sees every commit that was answered as [`CommitResult::Committed`] before the
///   read began, and only whole commits.
/// * **A commit is conditional.** It takes effect only if the stored version is the expected one, or if there is no
///   state where none is expected. Of several commits that expect the same version, at most one takes effect.
/// * **A commit is atomic.** State, cursors and outbox are stored together or not at all; each user's by itself.
/// * **A failed answer says nothing.** After [`CommitResult::Failed`] the commit may have taken effect, and may still do
///   so while the call is under way. The condition makes trying again safe: if it took effect, the next attempt loses
///   the race to it.
/// * **A lost race may or may not show the state** that won. What it does show is a state that was committed. It may be
///   one's own commit, whose answer was lost.
/// * **Users do not affect each other.** Results are in the order of the request, one each; one user's failure leaves the
///   others' results as they are.
///
/// A future that is dropped leaves its calls as a failed answer would: they may have taken effect.
pub trait StateStore: Sync {
    /// The states of `users`, each of them given once.
    fn read(&self, users: &[&UserId]) -> impl Future<Output = Vec<Result<StoredState, CallError>>> + Send;

    /// Tries once to commit for each of these users, each of them given once.
    fn commit(&self, commits: Vec<(UserId, Box<ProposedCommit>)>) -> impl Future<Output = Vec<CommitResult>> + Send;
}

/// What a store has of a user.
#[derive(Debug)]
pub enum StoredState {
    /// Nothing.
    Absent,
    /// A state.
    Present(Box<CommittedState>),
    /// An item that this code must not touch.
    Unreadable(StateItemError),
}

/// What became of a proposed commit.
#[derive(Debug)]
pub enum CommitResult {
    /// It took effect.
    Committed(Box<Committed>),
    /// Another commit came first. What is stored now, where the store shows it.
    LostRace(Option<StoredState>),
    /// The call failed; whether the commit took effect is not known. The proposal, to be tried again.
    Failed(Box<ProposedCommit>, CallError),
}

/// A new state of a user, to be stored together with what it owes to session-stream.
#[derive(Clone, Debug)]
pub struct ProposedCommit {
    /// The version that the stored state must still have; `None` where there must be no state.
    pub expected: Option<Version>,
    /// The state to store.
    pub state: UserState,
    /// The cursor whose outbox holds what is to be published once the state is stored.
    pub outbox_key: CursorKey,
    /// How many of the clicks, from the first on, are settled once that is published.
    pub settles: usize,
    /// What it counts as once it is stored.
    pub report: Report,
}

impl ProposedCommit {
    /// The outbox that holds what is to be published once the state is stored.
    #[must_use]
    pub fn outbox(&self) -> OutboxId {
        OutboxId { cursor_key: self.outbox_key.clone(), version: self.state.version }
    }
}
