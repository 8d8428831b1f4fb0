//! The entries of a state log: a user's sessions under way, and cursors with their outboxes.

use std::fmt;
use std::sync::Arc;

use shared::boundary::{Boundary, Version};
use shared::columns::declaration::SessionColumns;
use shared::sequence_number::SequenceNumber;
use shared::session::TouchedSession;
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

/// Identifies a sequence of records that is processed in order: a stream, a slash and the shard's id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardKey(Arc<str>);

impl ShardKey {
    /// The key with this text.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What makes commits: the batches of a shard, or sweeps. Each has its own outbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// Batches of this shard.
    Shard(ShardKey),
    /// Sweeps.
    Sweep,
}

/// The key of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogKey {
    /// A user under way.
    User(UserId),
    /// What a shard's batches, or sweeps, have done.
    Origin(Origin),
}

/// The value of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogValue {
    /// Of a [`LogKey::User`].
    User(UserEntry),
    /// Of an [`Origin::Shard`].
    Cursor(Cursor),
    /// Of [`Origin::Sweep`]: the outbox of the last sweep's commit.
    Swept(Outbox),
}

/// A user with a session under way, or one that ended so recently that the log has not let go of it; or a user who was
/// forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserEntry {
    /// The user's sessions.
    pub window: SessionWindow,
    /// When the last click that was not late arrived, in Unix milliseconds.
    pub arrival_ms: u64,
    /// Whether session-state is known to hold an item of the user, which the next one then replaces. Only a hint: the
    /// conditions of the write decide.
    pub has_item: bool,
}

/// A record's place in its shard, and a click's place in its record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The record's sequence number.
    pub sequence_number: SequenceNumber,
    /// The place within the record, from 0.
    pub place: u32,
}

/// How far a shard's records have been applied to a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The last click applied.
    pub position: Position,
    /// When its record arrived, in Unix milliseconds.
    pub arrival_ms: u64,
    /// When the commit that moved the cursor was made, in Unix milliseconds.
    pub made_ms: u64,
    /// What that commit has to publish.
    pub outbox: Outbox,
}

/// The boundaries of one commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbox {
    /// The commit's number.
    pub commit: u64,
    /// The commit's version, which its boundaries carry however often they are published.
    pub version: Version,
    /// What to publish. Empty once it is known to be published.
    pub entries: Vec<OutboxEntry>,
}

/// A boundary as an outbox keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The user.
    pub user_id: UserId,
    /// How the session stood.
    pub session: TouchedSession,
}

impl UserEntry {
    /// The entry of a user who was forgotten at `now_ms` (Unix milliseconds). It has no sessions, and supersedes all that
    /// was known of the user before, an item of session-state included: the next click starts as a new user's.
    #[must_use]
    pub fn forgotten(now_ms: u64) -> Self {
        // Told closed, so that no sweep waits for the user to become inactive.
        let window = SessionWindow { told_closed: true, ..SessionWindow::default() };
        Self { window, arrival_ms: now_ms, has_item: false }
    }

    /// Whether the user was forgotten, and has not clicked since.
    #[must_use]
    pub fn is_forgotten(&self) -> bool {
        self.window.sessions.is_empty()
    }
}

impl Outbox {
    /// Its boundaries, with the names of the declared `columns`.
    pub fn boundaries(&self, columns: &SessionColumns) -> impl Iterator<Item = Boundary> {
        self.entries.iter().map(|entry| Boundary::of(&entry.user_id, entry.session.clone(), columns, self.version))
    }
}

impl LogValue {
    /// The user's entry, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&UserEntry> {
        if let Self::User(user) = self { Some(user) } else { None }
    }

    /// The cursor, if it is one.
    #[must_use]
    pub fn cursor(&self) -> Option<&Cursor> {
        if let Self::Cursor(cursor) = self { Some(cursor) } else { None }
    }

    /// The outbox of a cursor or of the last sweep.
    #[must_use]
    pub fn outbox(&self) -> Option<&Outbox> {
        match self {
            Self::User(_) => None,
            Self::Cursor(cursor) => Some(&cursor.outbox),
            Self::Swept(outbox) => Some(outbox),
        }
    }
}
