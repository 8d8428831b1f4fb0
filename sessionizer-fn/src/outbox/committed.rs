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

    /// Permission to publish again what earlier commits left in `outboxes`. It settles no clicks.
    ///
    /// # Errors
    /// None in practice: a boundary's fields are texts and integers, which JSON always holds.
    pub fn permit(&self, outboxes: Vec<OutboxId>) -> Result<PublishPermit, serde_json::Error> {
        PublishPermit::new(&self.user_id, &self.state, outboxes, 0)
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

    /// Permission to publish the commit's outbox, which settles the commit's clicks.
    ///
    /// # Errors
    /// None in practice: a boundary's fields are texts and integers, which JSON always holds.
    pub fn permit(&self) -> Result<PublishPermit, serde_json::Error> {
        let CommittedState { user_id, state } = &*self.stored;
        PublishPermit::new(user_id, state, vec![self.outbox.clone()], self.settles)
    }

    /// What the commit counts as.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report
    }

    /// The state that is stored now.
    #[must_use]
    pub fn into_state(self) -> Box<CommittedState> {
        self.stored
    }
}
