//! The next step of one user: what to commit, what to publish, what that settles.
//!
//! Pure: it decides over a state that was already read and clicks that were already decoded, and returns what to do.
//! A user's clicks of a batch usually take one step. They take more when what there is to publish would not fit into
//! the state item; each step is committed and published before the next, as if the batch had been cut there.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::state::MAX_CURSORS;
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{self, Placement, SessionGap, Status, TouchedSession, UserSessions};

use crate::batch::{BatchClick, CursorKey};
use crate::config::FirstSession;
use crate::report::Report;
use crate::state::{Cursor, OutboxEntry, UserState};

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

/// Outboxes that this invocation has published: the cursor's key and the version of the commit that filled it.
pub type Published = HashSet<(CursorKey, Version)>;

/// What to do next for a user.
#[derive(Clone, Debug)]
pub enum Step {
    /// Publish what earlier commits left in these outboxes, note them as published, then ask again.
    Republish {
        /// The boundaries, each with the version it always had.
        entries: Vec<OutboxEntry>,
        /// The outboxes they come from.
        outboxes: Vec<(CursorKey, Version)>,
    },
    /// Commit a new state and publish its boundaries once it is stored.
    Commit(Box<Commit>),
    /// All of the clicks were in the state already, and everything is published.
    Finished(Report),
}

/// A new state to commit.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The version the stored item must still have; `None` where there must be no item.
    pub expected: Option<Version>,
    /// The state to store.
    pub state: UserState,
    /// The cursor whose outbox holds what is to be published once the state is stored.
    pub outbox_key: CursorKey,
    /// How many of the clicks, from the first on, this settles.
    pub settled: usize,
    /// What it counts as once it is stored.
    pub report: Report,
}

impl Commit {
    /// What to publish once the state is stored.
    #[must_use]
    pub fn entries(&self) -> &[OutboxEntry] {
        self.state.cursors.get(&self.outbox_key).map_or(&[], |cursor| &cursor.outbox)
    }
}

/// The next step for a user whose stored state is `stored` and who has `clicks` left in this batch.
///
/// A click at or below its cursor is one that came before. Its batch was not checkpointed then, so what that commit
/// had to publish may never have been published: it is, before anything replaces the outbox it lies in.
#[must_use]
pub fn next_step(
    stored: Option<&UserState>,
    clicks: &[BatchClick],
    published: &Published,
    rule: Rule,
    now_ms: u64,
) -> Step {
    let mut draft = Draft::on(stored, rule);
    let mut redelivered = BTreeSet::new();
    let mut settled = 0;
    for click in clicks {
        if !draft.has_room_for(click) {
            break;
        }
        settled += 1;
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
        Box::new(Commit { expected, state, outbox_key, settled, report })
    });
    if let Some(stored) = stored {
        let forgets = |key: &&CursorKey| commit.as_ref().is_some_and(|commit| !commit.state.cursors.contains_key(key));
        let owed = stored.cursors.keys().filter(|key| redelivered.contains(key) || forgets(key));
        if let Some(step) = republish(stored, owed, published) {
            return step;
        }
    }
    commit.map_or(Step::Finished(report), Step::Commit)
}

/// The boundaries in the outboxes of `keys`, less the outboxes that are `published`; `None` when there are none.
///
/// An open or closed boundary of a session that has been retracted since is left out: the retraction is on its way by
/// itself, and once its tombstone is gone an old boundary would bring the session back.
fn republish<'k>(stored: &UserState, keys: impl Iterator<Item = &'k CursorKey>, published: &Published) -> Option<Step> {
    let is_current = |entry: &&OutboxEntry| {
        entry.session.ordinal <= stored.sessions.ordinal || entry.session.status == Status::Retracted
    };
    let (mut entries, mut outboxes) = (Vec::new(), Vec::new());
    for key in keys {
        let Some(cursor) = stored.cursors.get(key) else { continue };
        let outbox = (key.clone(), cursor.version);
        if !published.contains(&outbox) {
            entries.extend(cursor.outbox.iter().filter(is_current).cloned());
            outboxes.push(outbox);
        }
    }
    (!entries.is_empty()).then_some(Step::Republish { entries, outboxes })
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
