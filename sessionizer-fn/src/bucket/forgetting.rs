//! The commit that forgets a user: nothing that was known of the user before it counts any more.
//!
//! Pure, like [`super::plan`]. The user's entry becomes one without sessions, which supersedes an item of session-state,
//! too. Boundaries of the user that wait in an outbox are dropped from it; those of others stay, under their own commit.

use std::collections::HashSet;

use shared::user_id::UserId;

use crate::bucket::bounds::MAX_COMMIT_BYTES;
use crate::bucket::memory::BucketMemory;
use crate::bucket::plan::entry_bytes;
use crate::ring_log::ring::Ring;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Outbox, UserEntry};
use crate::store::log_store::LogCommit;

/// Most bytes that a commit repeats, sure to fit into an item: the outboxes of shards are rewritten in as many commits as
/// that takes.
const MAX_REWRITTEN_BYTES: usize = MAX_COMMIT_BYTES / 2;

/// What is left to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: the log holds nothing of the user.
    Done,
    /// A commit to write.
    Commit(LogCommit),
    /// A commit, once the log has room for it.
    LogIsFull,
}

/// The next step to forget `user_id` in the log that `memory` holds; `is_at_rest` says whether session-state has an item.
#[must_use]
pub fn next_step(memory: &BucketMemory, ring: Ring, user_id: &UserId, is_at_rest: bool, now_ms: u64) -> Step {
    let mut entries = Vec::new();
    if memory.user(user_id).map_or(is_at_rest, |entry| !entry.is_forgotten()) {
        entries.push((LogKey::User(user_id.clone()), LogValue::User(UserEntry::forgotten(now_ms))));
    }
    let mut bytes = 0;
    for (origin, value) in memory.origins() {
        let Some(without) = without(value, user_id) else { continue };
        let key = LogKey::Origin(origin.clone());
        bytes += entry_bytes(&key, &without);
        if bytes > MAX_REWRITTEN_BYTES && !entries.is_empty() {
            break;
        }
        entries.push((key, without));
    }
    if entries.is_empty() {
        return Step::Done;
    }
    let number = memory.next_commit(ring);
    repeat_oldest(memory, ring, number, bytes, &mut entries);
    let tail = memory.log().tail_after(number, entries.iter().map(|(key, _)| key));
    if !ring.has_room(number, tail) {
        return Step::LogIsFull;
    }
    let version = memory.log().version().next(now_ms);
    Step::Commit(LogCommit { number, tail, version, made_ms: now_ms, entries })
}

/// Makes room, like every commit, once the ring is half full: repeats the live entries of the oldest commits, except for
/// those that are among `entries`. These take `bytes`. Nobody leaves the log, since items would have to be written first.
fn repeat_oldest(
    memory: &BucketMemory,
    ring: Ring,
    number: u64,
    mut bytes: usize,
    entries: &mut Vec<(LogKey, LogValue)>,
) {
    let written: HashSet<LogKey> = entries.iter().map(|(key, _)| key.clone()).collect();
    for oldest in memory.log().oldest_first().take_while(|oldest| ring.is_half_full(number, oldest.number)) {
        for (key, value) in oldest.live().filter(|(key, _)| !written.contains(*key)) {
            bytes += entry_bytes(key, value);
            if bytes > MAX_REWRITTEN_BYTES {
                return;
            }
            entries.push((key.clone(), value.clone()));
        }
    }
}

/// The boundaries of the user that wait in outboxes: their ordinals.
pub fn waiting_ordinals(memory: &BucketMemory, user_id: &UserId) -> impl Iterator<Item = u64> {
    let outboxes = memory.origins().filter_map(|(_, value)| value.outbox());
    let entries = outboxes.flat_map(|outbox| &outbox.entries);
    entries.filter(move |entry| entry.user_id == *user_id).map(|entry| entry.session.ordinal)
}

/// A cursor or the sweep's outbox without the boundaries of the user; `None` if it has none.
fn without(value: &LogValue, user_id: &UserId) -> Option<LogValue> {
    let outbox = value.outbox()?;
    let is_other = |user: &UserId| user != user_id;
    if outbox.entries.iter().all(|entry| is_other(&entry.user_id)) {
        return None;
    }
    let entries = outbox.entries.iter().filter(|entry| is_other(&entry.user_id)).cloned().collect();
    let outbox = Outbox { entries, ..outbox.clone() };
    Some(match value {
        LogValue::Cursor(cursor) => LogValue::Cursor(Cursor { outbox, ..cursor.clone() }),
        _ => LogValue::Swept(outbox),
    })
}

#[cfg(test)]
#[path = "forgetting_tests.rs"]
mod tests;
