//! What is known to be stored: a state that a read saw, or that a commit wrote.

use shared::user_id::UserId;

use crate::outbox::permit::PublishPermit;
use crate::outbox::state_store::ProposedCommit;
use crate::report::Report;
use crate::state::{OutboxId, UserState};

/// A user's state as a commit stored it. It may have been superseded since, but what its outboxes hold was committed.
#[derive(Debug, PartialEq, Eq)]
pub struct CommittedState {
    user_id: UserId,
    state: UserState,
}

impl CommittedState {
    /// For stores: `state` is what a strongly consistent read of `user_id`, or the item of a failed condition, showed.
    pub(super) fn seen(user_id: UserId, state: UserState) -> Box<Self> {
        Box::new(Self { user_id, state })
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &UserState {
        &self.state
    }

    /// Permission to publish again what earlier commits left in those of `outboxes` that this state holds. It settles no
    /// clicks, and gives no receipt for an outbox that a later commit has replaced.
    ///
    /// # Errors
    /// None in practice: a boundary's fields are texts and integers, which JSON always holds.
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
    /// For stores: `commit` of `user_id` was written, and its condition held.
    pub(super) fn of(user_id: UserId, commit: ProposedCommit) -> Box<Self> {
        let outbox = commit.outbox();
        let ProposedCommit { state, settles, report, .. } = commit;
        Box::new(Self { stored: CommittedState::seen(user_id, state), outbox, settles, report })
    }

    /// What the commit counts as.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// Permission to publish the commit's outbox, which settles the commit's clicks, and the state that is stored now.
    /// There is one permit for a commit: a second one would settle clicks that nobody has committed.
    ///
    /// The permit is an error only in theory: a boundary's fields are texts and integers, which JSON always holds.
    pub fn into_parts(self) -> (Result<PublishPermit, serde_json::Error>, Box<CommittedState>) {
        let CommittedState { user_id, state } = &*self.stored;
        (PublishPermit::new(user_id, state, vec![self.outbox], self.settles), self.stored)
    }
}
