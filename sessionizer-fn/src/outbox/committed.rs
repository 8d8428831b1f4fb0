//! States known to be committed: seen by a read or written by a commit.

use shared::user_id::UserId;

use crate::outbox::permit::PublishPermit;
use crate::outbox::state_store::ProposedCommit;
use crate::report::Report;
use crate::state::{OutboxId, UserState};

/// A user's committed state. A later commit may have superseded it, but the contents of its outboxes were committed.
#[derive(Debug, PartialEq, Eq)]
pub struct CommittedState {
    user_id: UserId,
    state: UserState,
}

impl CommittedState {
    /// For stores only: `state` was returned by a strongly consistent read of `user_id`, or with a failed condition.
    pub(super) fn seen(user_id: UserId, state: UserState) -> Box<Self> {
        Box::new(Self { user_id, state })
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &UserState {
        &self.state
    }

    /// Permission to publish again the contents of those of `outboxes` that this state still holds. It settles no clicks,
    /// and gives no receipt for an outbox that a later commit has replaced.
    ///
    /// # Errors
    /// None in practice: a boundary's fields are strings and integers, which JSON can always represent.
    pub fn permit(&self, outboxes: Vec<OutboxId>) -> Result<PublishPermit, serde_json::Error> {
        let held = outboxes.into_iter().filter(|outbox| self.state.holds(outbox)).collect();
        PublishPermit::new(&self.user_id, &self.state, held, 0)
    }
}

/// A commit that took effect.
#[derive(Debug)]
pub struct Committed {
    stored: Box<CommittedState>,
    outbox: OutboxId,
    settles: usize,
    report: Report,
}

impl Committed {
    /// For stores only: `commit` of `user_id` was written, so its condition held.
    pub(super) fn of(user_id: UserId, commit: ProposedCommit) -> Box<Self> {
        let outbox = commit.outbox();
        let ProposedCommit { state, settles, report, .. } = commit;
        Box::new(Self { stored: CommittedState::seen(user_id, state), outbox, settles, report })
    }

    /// The commit's counts.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// Permission to publish the commit's outbox, which settles the commit's clicks, and the state that is stored now.
    /// A commit gives one permit: a second one would settle clicks that were not committed.
    ///
    /// The permit is an error only in theory: a boundary's fields are strings and integers, which JSON can always represent.
    pub fn into_parts(self) -> (Result<PublishPermit, serde_json::Error>, Box<CommittedState>) {
        let CommittedState { user_id, state } = &*self.stored;
        (PublishPermit::new(user_id, state, vec![self.outbox], self.settles), self.stored)
    }
}
