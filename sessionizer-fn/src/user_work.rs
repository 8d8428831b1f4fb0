//! One user's way through an invocation: which phase it is in, and what each answer from outside makes of it.
//!
//! No I/O here: the handler asks AWS and tells the answers.

use std::mem;

use kinesis_function::call_error::CallError;
use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;
use shared::boundary::{Boundary, Version};
use shared::sequence_number::SequenceNumber;
use shared::user_id::UserId;

use crate::batch::{BatchClick, CursorKey, UserClicks};
use crate::publisher::Message;
use crate::report::Report;
use crate::state::{OutboxEntry, UserState};
use crate::state_table::Known;
use crate::step::{Commit, Published, Rule, Step, next_step};

/// A user of the batch who is not done yet.
#[derive(Debug)]
pub struct UserWork {
    /// Whose clicks.
    pub user_id: UserId,
    /// Where the user is.
    pub phase: Phase,
    /// Whether a call for this user failed in the last round: trying again at once would not help.
    pub held_up: bool,
    /// Those that are not settled: first all of them, then less with every commit that is published.
    clicks: Vec<BatchClick>,
    published: Published,
}

/// Where the outcomes of an invocation are noted.
#[derive(Debug)]
pub struct Ledger<'i> {
    /// Which records are done.
    pub done: &'i DoneRecords,
    /// What failed.
    pub failures: &'i Failures,
    /// What was done, in numbers.
    pub report: &'i mut Report,
}

/// What a user waits for.
#[derive(Debug)]
pub enum Phase {
    /// For the state to be read.
    Unread,
    /// For a decision over the state that is stored; `None` when there is none.
    Known(Option<UserState>),
    /// For a commit.
    Committing(Box<Commit>),
    /// For what was committed to be published.
    Publishing(Publishing),
    /// For nothing: done, or given up until the batch comes again.
    Over,
}

/// Boundaries on their way out.
#[derive(Debug)]
pub struct Publishing {
    /// Those that are not in yet.
    messages: Vec<Message>,
    /// The outboxes that are published when all are in.
    outboxes: Vec<(CursorKey, Version)>,
    /// How many clicks are settled when all are in.
    settled: usize,
    /// The state that is stored.
    stored: Option<UserState>,
}

impl UserWork {
    /// A user of whom nothing is known yet.
    #[must_use]
    pub fn new(clicks: UserClicks) -> Self {
        let UserClicks { user_id, clicks } = clicks;
        Self { user_id, phase: Phase::Unread, held_up: false, clicks, published: Published::new() }
    }

    /// Whether there is nothing left to do in this invocation.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Takes note of the state that is stored.
    pub fn learn(&mut self, known: Known, ledger: &mut Ledger<'_>) {
        self.phase = match known {
            Known::Absent => Phase::Known(None),
            Known::Present(state) => Phase::Known(Some(state)),
            Known::Unreadable(error) => {
                ledger.failures.blocked("state", "unreadable", error, self.position());
                Phase::Over
            }
        };
    }

    /// Decides about the next step, when the state is known.
    pub fn decide(&mut self, rule: Rule, now_ms: u64, ledger: &mut Ledger<'_>) {
        self.phase = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Known(stored) => match next_step(stored.as_ref(), &self.clicks, &self.published, rule, now_ms) {
                Step::Republish { entries, outboxes } => self.publishing(&entries, outboxes, 0, stored, ledger),
                Step::Commit(commit) => Phase::Committing(commit),
                Step::Finished(found) => {
                    *ledger.report += found;
                    self.clicks.iter().for_each(|click| ledger.done.set_done(click.index));
                    Phase::Over
                }
            },
            other => other,
        };
    }

    /// The commit is stored: now it may be published.
    pub fn committed(&mut self, ledger: &mut Ledger<'_>) {
        if let Phase::Committing(commit) = mem::replace(&mut self.phase, Phase::Over) {
            *ledger.report += commit.report;
            let outbox = (commit.outbox_key.clone(), commit.state.version);
            let entries = commit.entries().to_vec();
            self.phase = self.publishing(&entries, vec![outbox], commit.settled, Some(commit.state), ledger);
        }
    }

    /// Another commit came first: decide anew over what is stored now, which must be read where it was not told.
    pub fn lost_race(&mut self, known: Option<Known>, ledger: &mut Ledger<'_>) {
        ledger.report.lost_races += 1;
        match known {
            Some(known) => self.learn(known, ledger),
            None => self.phase = Phase::Unread,
        }
    }

    /// A call for this user failed. If that may pass, the user is held up until a later round; otherwise the user's
    /// clicks wait until the batch is redelivered.
    pub fn hold_or_give_up(&mut self, error: &CallError, ledger: &mut Ledger<'_>) {
        if error.is_transient() {
            ledger.failures.retried(error);
            self.held_up = true;
        } else {
            ledger.failures.given_up(error, self.position());
            self.phase = Phase::Over;
        }
    }

    /// Where the first click lies that is not settled.
    fn position(&self) -> Option<&SequenceNumber> {
        self.clicks.first().map(|click| &click.sequence_number)
    }

    /// What is to be published for this user now.
    #[must_use]
    pub fn messages(&self) -> &[Message] {
        if let Phase::Publishing(publishing) = &self.phase { &publishing.messages } else { &[] }
    }

    /// Takes note of which of [`Self::messages`] are in.
    pub fn published(&mut self, results: Vec<Result<(), CallError>>, ledger: &mut Ledger<'_>) {
        let Phase::Publishing(publishing) = &mut self.phase else { return };
        let mut errors = Vec::new();
        let mut results = results.into_iter();
        publishing.messages.retain(|_| match results.next() {
            Some(Err(error)) => {
                errors.push(error);
                true
            }
            Some(Ok(())) => false,
            None => true,
        });
        let lasting = errors.iter().find(|error| !error.is_transient());
        if let Some(error) = lasting.or(errors.first()) {
            self.hold_or_give_up(error, ledger);
        }
    }

    /// When everything is in that was to be published, its clicks are done and the next step may be decided.
    pub fn settle(&mut self, ledger: &mut Ledger<'_>) {
        self.phase = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Publishing(publishing) if publishing.messages.is_empty() => {
                self.published.extend(publishing.outboxes);
                for click in self.clicks.drain(..publishing.settled) {
                    ledger.done.set_done(click.index);
                }
                if self.clicks.is_empty() { Phase::Over } else { Phase::Known(publishing.stored) }
            }
            other => other,
        };
    }

    fn publishing(
        &self,
        entries: &[OutboxEntry],
        outboxes: Vec<(CursorKey, Version)>,
        settled: usize,
        stored: Option<UserState>,
        ledger: &mut Ledger<'_>,
    ) -> Phase {
        let encode = |entry: &OutboxEntry| {
            let boundary = Boundary::of(&self.user_id, entry.session.clone(), entry.version);
            Ok(Message { user_id: self.user_id.clone(), data: boundary.encode()? })
        };
        match entries.iter().map(encode).collect::<Result<Vec<_>, serde_json::Error>>() {
            Ok(messages) => Phase::Publishing(Publishing { messages, outboxes, settled, stored }),
            Err(error) => {
                ledger.failures.blocked("boundary", "unencodable", error, self.position());
                Phase::Over
            }
        }
    }
}
