//! The state of a user between invocations.
//!
//! `state_item` defines how it is stored, `step` how it changes.

use std::collections::BTreeMap;

use shared::boundary::Version;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{Status, TouchedSession, UserSessions};

use crate::batch::CursorKey;

/// Most cursors in a user's state, so that a state with full outboxes fits into an item. A user needs more only with
/// clicks on more than 16 shards (or partition keys) at the same time. Source: design, section 3.
pub const MAX_CURSORS: usize = 16;

/// A user's state as of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    /// The commit's version: the next one is made under the condition that this is still the current one.
    pub version: Version,
    /// The sessions that later clicks can still change.
    pub sessions: UserSessions,
    /// How far each sequence of records has been applied.
    pub cursors: BTreeMap<CursorKey, Cursor>,
}

/// How far one sequence of records has been applied to a user, and what was to be published then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last record applied.
    pub sequence_number: SequenceNumber,
    /// The commit that moved the cursor there.
    pub version: Version,
    /// The boundaries of that commit. Until its batch is checkpointed it is not known whether they were published.
    pub outbox: Vec<OutboxEntry>,
}

/// A boundary as an outbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The version of the commit that made it. It never changes, however often it is published.
    pub version: Version,
    /// How the session stood.
    pub session: TouchedSession,
}

/// Which outbox of a user: that of one cursor as one commit left it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxId {
    /// The cursor it belongs to.
    pub cursor_key: CursorKey,
    /// The commit that filled it.
    pub version: Version,
}

impl UserState {
    /// Whether `outbox` is still there: a later commit of its cursor replaces it.
    #[must_use]
    pub fn holds(&self, outbox: &OutboxId) -> bool {
        self.cursors.get(&outbox.cursor_key).is_some_and(|cursor| cursor.version == outbox.version)
    }

    /// What is to be published of `outbox`; nothing if a later commit has replaced it.
    ///
    /// An open or closed boundary of a session that has been retracted since is left out: another outbox holds its
    /// retraction, and once the tombstone has expired an old boundary would bring the session back.
    pub fn outbox(&self, outbox: &OutboxId) -> impl Iterator<Item = &OutboxEntry> {
        let cursor = self.cursors.get(&outbox.cursor_key).filter(|cursor| cursor.version == outbox.version);
        cursor
            .map_or(&[][..], |cursor| &cursor.outbox)
            .iter()
            .filter(|entry| entry.session.ordinal <= self.sessions.ordinal || entry.session.status == Status::Retracted)
    }
}
