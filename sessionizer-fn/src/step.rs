//! The next step of one user: what to commit, what to publish, what that settles.
//!
//! Pure: it decides over a state that was already read and clicks that were already decoded, and returns what to do.
//! A user's clicks of a batch usually take one step. They take more when what there is to publish would not fit into
//! the state item; each step is committed and published before the next, as if the batch had been cut there.

use std::collections::{BTreeMap, BTreeSet};

use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{self, Placement, SessionGap, TouchedSession, UserSessions};

use crate::batch::{BatchClick, CursorKey};
use crate::config::FirstSession;
use crate::outbox::{ProposedCommit, Published};
use crate::report::Report;
use crate::state::{Cursor, MAX_CURSORS, OutboxEntry, OutboxId, UserState};

/// Most bytes of an outbox, estimated as [`entry_bytes`]. With [`MAX_CURSORS`] of them an item stays below
/// [`kinesis_function::limits::MAX_ITEM_BYTES`]; one holds the two boundaries of any single click.
pub const MAX_OUTBOX_BYTES: usize = 20 * 1_024;

/// What an outbox entry takes besides its attributes: names, numbers and DynamoDB's overhead of a nested map.
const ENTRY_OVERHEAD_BYTES: usize = 200;

/// The settings that decide about steps.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Inactivity that ends a session.
    pub gap: SessionGap,
    /// Whether a user's first session is published.
    pub first_session: FirstSession,
}

/// What to do next for a user.
#[derive(Clone, Debug)]
pub enum NextStep {
    /// Publish what earlier commits left in these outboxes, then ask again.
    Republish(Vec<OutboxId>),
    /// Commit a new state, and publish its outbox once it is stored.
    Commit(Box<ProposedCommit>),
    /// All clicks were already applied, and everything is published.
    Finish(Report),
}

/// The next step for a user whose stored state is `stored` and who has `clicks` left in this batch.
///
/// A click at or below its cursor is redelivered. Its batch was not checkpointed the first time, so the outbox of that
/// commit may never have been published: it is, before a commit replaces it.
#[must_use]
pub fn next_step(
    stored: Option<&UserState>,
    clicks: &[BatchClick],
    published: &Published,
    rule: Rule,
    now_ms: u64,
) -> NextStep {
    let mut draft = Draft::on(stored, rule);
    let mut redelivered = BTreeSet::new();
    let mut settles = 0;
    for click in clicks {
        if !draft.has_room_for(click) {
            break;
        }
        settles += 1;
        let cursor = stored.and_then(|state| state.cursors.get(&click.cursor_key));
        if cursor.is_some_and(|cursor| click.sequence_number <= cursor.sequence_number) {
            redelivered.insert(click.cursor_key.clone());
            draft.report.already_applied += 1;
        } else {
            draft.apply(click);
        }
    }
    let report = draft.report;
    let commit = draft.finish(stored, now_ms).map(|(state, outbox_key)| {
        let expected = stored.map(|state| state.version);
        Box::new(ProposedCommit { expected, state, outbox_key, settles, report })
    });
    if let Some(stored) = stored {
        let forgets = |key: &&CursorKey| commit.as_ref().is_some_and(|commit| !commit.state.cursors.contains_key(key));
        let owing = stored.cursors.iter().filter(|(key, _)| redelivered.contains(*key) || forgets(key));
        let owed = owing.map(|(key, cursor)| OutboxId { cursor_key: key.clone(), version: cursor.version });
        let owed: Vec<_> =
            owed.filter(|outbox| !published.contains(outbox) && stored.outbox(outbox).next().is_some()).collect();
        if !owed.is_empty() {
            return NextStep::Republish(owed);
        }
    }
    commit.map_or(NextStep::Finish(report), NextStep::Commit)
}

/// A state in the making: the clicks of one step applied to a copy of the stored state.
struct Draft {
    rule: Rule,
    sessions: Option<UserSessions>,
    /// By ordinal: of each session only how it stands at the end of the step.
    touched: BTreeMap<u64, TouchedSession>,
    touched_bytes: usize,
    advanced: BTreeMap<CursorKey, SequenceNumber>,
    /// The cursor of the last click applied, now or in the stored state.
    last_key: Option<CursorKey>,
    report: Report,
}

impl Draft {
    fn on(stored: Option<&UserState>, rule: Rule) -> Self {
        let newest = stored.and_then(|state| state.cursors.iter().max_by_key(|(_, cursor)| cursor.version));
        Self {
            rule,
            sessions: stored.map(|state| state.sessions.clone()),
            touched: BTreeMap::new(),
            touched_bytes: 0,
            advanced: BTreeMap::new(),
            last_key: newest.map(|(key, _)| key.clone()),
            report: Report::default(),
        }
    }

    /// Whether the outbox holds whatever `click` may add: at most two boundaries, of sessions whose attributes are
    /// known by now. The first click always has room.
    fn has_room_for(&self, click: &BatchClick) -> bool {
        let Some(sessions) = &self.sessions else { return true };
        let previous = sessions.previous.iter().map(|session| &session.attributes);
        let known = previous.chain([&sessions.current.attributes, &click.click.attributes]);
        let largest = known.map(entry_bytes).max().unwrap_or_default();
        self.touched.is_empty() || self.touched_bytes + 2 * largest <= MAX_OUTBOX_BYTES
    }

    fn apply(&mut self, click: &BatchClick) {
        let is_users_first = self.sessions.is_none();
        let applied = session_rule::apply(self.sessions.take(), &click.click, self.rule.gap);
        self.sessions = Some(applied.sessions);
        for session in applied.touched {
            if session.ordinal == 0 && self.rule.first_session == FirstSession::Skip {
                continue;
            }
            self.touched_bytes += entry_bytes(&session.attributes);
            if let Some(before) = self.touched.insert(session.ordinal, session) {
                self.touched_bytes -= entry_bytes(&before.attributes);
            }
        }
        match applied.placement {
            Placement::Late => self.report.late += 1,
            placement => {
                self.report.applied += 1;
                let started = placement == Placement::Started;
                self.report.started += u64::from(started);
                self.report.closed += u64::from(started && !is_users_first);
                self.report.merged += u64::from(placement == Placement::Merged);
            }
        }
        self.advanced.insert(click.cursor_key.clone(), click.sequence_number.clone());
        let last_key = self.last_key.replace(click.cursor_key.clone());
        self.report.shard_switches += u64::from(last_key.is_some_and(|key| key != click.cursor_key));
    }

    /// The state to commit and the key of the outbox to publish; `None` when no click was new.
    ///
    /// The outbox of any cursor that moved would do: none of their batches is checkpointed before it is published.
    fn finish(self, stored: Option<&UserState>, now_ms: u64) -> Option<(UserState, CursorKey)> {
        if self.advanced.is_empty() {
            return None;
        }
        let (sessions, outbox_key) = (self.sessions?, self.last_key?);
        let version = stored.map_or(Version::NONE, |state| state.version).next(now_ms);
        let mut cursors = stored.map(|state| state.cursors.clone()).unwrap_or_default();
        for (key, sequence_number) in self.advanced {
            cursors.insert(key, Cursor { sequence_number, version, outbox: Vec::new() });
        }
        if let Some(cursor) = cursors.get_mut(&outbox_key) {
            cursor.outbox = self.touched.into_values().map(|session| OutboxEntry { version, session }).collect();
        }
        while cursors.len() > MAX_CURSORS {
            let oldest = cursors.iter().min_by_key(|(key, cursor)| (cursor.version, **key == outbox_key))?.0.clone();
            cursors.remove(&oldest);
        }
        Some((UserState { version, sessions, cursors }, outbox_key))
    }
}

/// What an outbox entry with these attributes takes of an item, at most, in bytes.
fn entry_bytes(attributes: &Attributes) -> usize {
    ENTRY_OVERHEAD_BYTES + attributes.len_bytes()
}

#[cfg(test)]
#[path = "step_tests.rs"]
mod tests;
