//! What is kept of a user between invocations.
//!
//! Plain data. How it is stored is `state_item`'s business, how it changes is `step`'s.

use std::collections::BTreeMap;

use shared::boundary::Version;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{TouchedSession, UserSessions};

use crate::batch::CursorKey;

/// Most shards of which a user's state remembers the last sequence number. Source: design, section 3.
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
