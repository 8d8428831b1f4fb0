//! One user's way through an invocation: which phase it is in, and what each result makes of it.
//!
//! No I/O here: `rounds` makes the calls and reports their results. A phase holds the value that the next one needs, so
//! none can be skipped: only a committed state is decided over, only a permit is published, only a receipt settles
//! clicks.

use std::mem;

use kinesis_function::call_error::CallError;
use shared::sequence_number::SequenceNumber;
use shared::user_id::UserId;

use crate::batch::{BatchClick, UserClicks};
use crate::ledger::Ledger;
use crate::outbox::{CommitResult, CommittedState, Pass, ProposedCommit, PublishPermit, Published, StoredState};
use crate::report::Report;
use crate::step::{NextStep, Rule, next_step};

/// A user of the batch and what is left to do for them.
#[derive(Debug)]
pub struct UserWork {
    /// Whose clicks.
    pub user_id: UserId,
    phase: UserPhase,
    /// Whether a call for this user failed in this round, so that an immediate retry would not help.
    held_up: bool,
    /// Those that are not settled: all of them at first, fewer with every commit that is published.
    clicks: Vec<BatchClick>,
    published: Published,
}

/// What is to happen next for a user.
#[derive(Debug)]
enum UserPhase {
    /// The state is to be read.
    Unread,
    /// The next step is to be decided over the stored state; `None` if the user has no state.
    Undecided(Option<Box<CommittedState>>),
    /// A commit is to be tried.
    Committing(Box<ProposedCommit>),
    /// What outboxes of the stored state hold is to be published.
    Publishing { permit: PublishPermit, stored: Box<CommittedState> },
    /// Nothing: done, or given up until the batch is redelivered.
    Finished,
}

impl UserWork {
    /// A user whose state has not been read.
    #[must_use]
    pub fn new(clicks: UserClicks) -> Self {
        let UserClicks { user_id, clicks } = clicks;
        Self { user_id, phase: UserPhase::Unread, held_up: false, clicks, published: Published::default() }
    }

    /// Whether there is nothing left to do in this invocation.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, UserPhase::Finished)
    }

    /// Whether the state is to be read.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        matches!(self.phase, UserPhase::Unread)
    }

    /// Whether there is a permit to publish.
    #[must_use]
    pub fn is_publishing(&self) -> bool {
        matches!(self.phase, UserPhase::Publishing { .. })
    }

    /// Whether a call for this user failed in this round.
    #[must_use]
    pub fn is_held_up(&self) -> bool {
        self.held_up
    }

    /// Ends the round for this user; gives whether the user was held up in it.
    pub fn release(&mut self) -> bool {
        mem::take(&mut self.held_up)
    }

    /// Takes note of what a read gave.
    pub fn read(&mut self, result: Result<StoredState, CallError>, ledger: &Ledger<'_>) {
        match result {
            Ok(stored) => self.learn(stored, ledger),
            Err(error) => self.hold_or_give_up(&error, ledger),
        }
    }

    /// Decides on the next step, where the stored state is known.
    pub fn decide(&mut self, rule: Rule, now_ms: u64, ledger: &Ledger<'_>) {
        self.phase = match mem::replace(&mut self.phase, UserPhase::Finished) {
            UserPhase::Undecided(stored) => {
                let state = stored.as_ref().map(|stored| stored.state());
                match (next_step(state, &self.clicks, &self.published, rule, now_ms), stored) {
                    (NextStep::Republish(outboxes), Some(stored)) => {
                        self.publishing(stored.permit(outboxes), stored, ledger)
                    }
                    // Without a state there is no outbox, so this cannot occur; if it did, redelivery would start over.
                    (NextStep::Republish(_), None) => UserPhase::Finished,
                    (NextStep::Commit(commit), _) => UserPhase::Committing(commit),
                    (NextStep::Finish(report), _) => {
                        ledger.count(report);
                        self.clicks.iter().for_each(|click| ledger.done.set_done(click.index));
                        UserPhase::Finished
                    }
                }
            }
            other => other,
        };
    }

    /// The commit to try now. Its result must be given to [`Self::committed`]: without one, the user is given up.
    pub fn take_commit(&mut self) -> Option<Box<ProposedCommit>> {
        match mem::replace(&mut self.phase, UserPhase::Finished) {
            UserPhase::Committing(commit) => Some(commit),
            other => {
                self.phase = other;
                None
            }
        }
    }

    /// Takes note of what became of the commit. After a lost race the next step is decided over what is stored now,
    /// which must be read where the store did not show it.
    pub fn committed(&mut self, result: CommitResult, ledger: &Ledger<'_>) {
        match result {
            CommitResult::Committed(committed) => {
                ledger.count(committed.report());
                let (permit, stored) = committed.into_parts();
                self.phase = self.publishing(permit, stored, ledger);
            }
            CommitResult::LostRace(stored) => {
                ledger.count(Report { lost_races: 1, ..Report::default() });
                self.phase = UserPhase::Unread;
                if let Some(stored) = stored {
                    self.learn(stored, ledger);
                }
            }
            CommitResult::Failed(commit, error) => {
                self.phase = UserPhase::Committing(commit);
                self.hold_or_give_up(&error, ledger);
            }
        }
    }

    /// What may be published for this user now.
    #[must_use]
    pub fn permit(&mut self) -> Option<&mut PublishPermit> {
        if let UserPhase::Publishing { permit, .. } = &mut self.phase { Some(permit) } else { None }
    }

    /// Takes note of a pass over [`Self::permit`].
    pub fn published(&mut self, pass: Pass, ledger: &Ledger<'_>) {
        ledger.count(Report { published: pass.published, ..Report::default() });
        if let Some(error) = pass.failure {
            self.hold_or_give_up(&error, ledger);
        }
    }

    /// Where all that was permitted is published, its clicks are done and the next step may be decided.
    pub fn settle(&mut self, ledger: &Ledger<'_>) {
        self.phase = match mem::replace(&mut self.phase, UserPhase::Finished) {
            UserPhase::Publishing { permit, stored } => match permit.into_receipt() {
                Ok(receipt) => {
                    let settled = self.published.record(receipt);
                    for click in self.clicks.drain(..settled) {
                        ledger.done.set_done(click.index);
                    }
                    if self.clicks.is_empty() { UserPhase::Finished } else { UserPhase::Undecided(Some(stored)) }
                }
                Err(permit) => UserPhase::Publishing { permit, stored },
            },
            other => other,
        };
    }

    fn learn(&mut self, stored: StoredState, ledger: &Ledger<'_>) {
        self.phase = match stored {
            StoredState::Absent => UserPhase::Undecided(None),
            StoredState::Present(state) => UserPhase::Undecided(Some(state)),
            StoredState::Unreadable(error) => {
                ledger.failures.blocked("state", "unreadable", error, self.position());
                UserPhase::Finished
            }
        };
    }

    fn publishing(
        &self,
        permit: Result<PublishPermit, serde_json::Error>,
        stored: Box<CommittedState>,
        ledger: &Ledger<'_>,
    ) -> UserPhase {
        match permit {
            Ok(permit) => UserPhase::Publishing { permit, stored },
            Err(error) => {
                ledger.failures.blocked("boundary", "unencodable", error, self.position());
                UserPhase::Finished
            }
        }
    }

    /// A call for this user failed. If that is transient, the user is held up until a later round; otherwise the user's
    /// clicks wait until the batch is redelivered.
    fn hold_or_give_up(&mut self, error: &CallError, ledger: &Ledger<'_>) {
        if error.is_transient() {
            ledger.failures.retried(error);
            self.held_up = true;
        } else {
            ledger.failures.given_up(error, self.position());
            self.phase = UserPhase::Finished;
        }
    }

    /// The position of the first unsettled click.
    fn position(&self) -> Option<&SequenceNumber> {
        self.clicks.first().map(|click| &click.sequence_number)
    }
}
