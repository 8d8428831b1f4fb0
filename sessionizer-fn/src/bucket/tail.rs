//! Emptying the oldest commits, so that the tail can move past them.
//!
//! Once the log fills half of its ring, or remembers more than an hour, each commit repeats what must stay, and lets go
//! of users whose end was reported: they get an item each. Where what is live exceeds its bounds, users under way are told
//! closed ahead of time and leave, too; the next click reopens their sessions. A user who was forgotten gets no item.

use std::collections::HashSet;

use shared::session_window::WindowDraft;
use shared::user_id::UserId;

use crate::bucket::memory::BucketMemory;
use crate::bucket::plan::{Rules, entry_bytes};
use crate::ring_log::commit::Weight;
use crate::ring_log::memory::Oldest;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox};
use crate::store::rest_store::RestingUser;

/// What becomes of the oldest entries.
#[derive(Debug, Default)]
pub struct Tail {
    repeated: Vec<(LogKey, LogValue)>,
    repeated_bytes: usize,
    leaving: Vec<RestingUser>,
    /// Of those who leave, the ones who are told closed by it.
    closed_early: HashSet<UserId>,
    /// Keys of entries that nobody needs any more.
    let_go: Vec<LogKey>,
}

/// What became of them.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) repeated: Vec<(LogKey, LogValue)>,
    /// Keys that the log lets go of.
    pub(super) let_go: Vec<LogKey>,
    /// How many users have left.
    pub(super) left: u64,
    /// How many of them were told closed ahead of time.
    pub(super) closed_early: u64,
}

/// The entries of one of the oldest commits, sorted by what is to happen to them.
#[derive(Debug, Default)]
struct Sorted {
    repeated: Vec<(LogKey, LogValue)>,
    repeated_bytes: usize,
    leaving: Vec<RestingUser>,
    /// What the entries of those who leave take in commits, and in memory.
    leaving_bytes: usize,
    leaving_memory_bytes: usize,
    closed_early: Vec<UserId>,
    boundary_bytes: usize,
    let_go: Vec<LogKey>,
}

/// The commit in the making.
#[derive(Clone, Copy, Debug)]
struct Making {
    number: u64,
    now_ms: u64,
    /// When the last record that it applies arrived, if it applies any.
    arrival_ms: Option<u64>,
}

impl Tail {
    pub(super) fn leaving(&self) -> &[RestingUser] {
        &self.leaving
    }

    /// Settles the users who leave: `has_left` says whose item was written, in the order of [`Self::leaving`]. `tell`
    /// takes those who were told closed ahead of time.
    pub(super) fn settle(
        self,
        memory: &BucketMemory,
        rules: &Rules,
        has_left: &[bool],
        mut tell: impl FnMut(&UserId, &WindowDraft),
    ) -> Settled {
        let Self { mut repeated, mut repeated_bytes, leaving, closed_early, mut let_go } = self;
        let written = || has_left.iter().copied().chain(std::iter::repeat(false));
        let mut all_repeated = true;
        for (user, _) in leaving.iter().zip(written()).filter(|(_, has_left)| !has_left) {
            let key = LogKey::User(user.user_id.clone());
            if let Some(value) = memory.log().get(&key) {
                let bytes = entry_bytes(&key, value);
                if repeated_bytes + bytes <= rules.bounds.repeated_bytes {
                    repeated_bytes += bytes;
                    repeated.push((key, value.clone()));
                } else {
                    all_repeated = false;
                }
            }
        }
        let (mut left, mut told) = (0, 0);
        for (user, _) in leaving.into_iter().zip(written()).filter(|(_, has_left)| *has_left) {
            if closed_early.contains(&user.user_id) {
                // Where a commit stays because of others, its users are still under way: nothing of them is published.
                let Some(entry) = memory.user(&user.user_id).filter(|_| all_repeated) else { continue };
                let mut draft = WindowDraft::on(entry.window.clone());
                draft.close();
                tell(&user.user_id, &draft);
                told += 1;
            }
            left += 1;
            let_go.push(LogKey::User(user.user_id));
        }
        Settled { repeated, let_go, left, closed_early: told }
    }
}

/// Decides what commit `number` does with the oldest entries, except those whose keys are in `changed`, which it writes
/// anyway. `room` is how many bytes the boundaries of users told closed ahead of time may take. `arrival_ms` is when the
/// last record that the commit applies arrived, if it applies any.
pub(super) fn empty_oldest(
    memory: &BucketMemory,
    rules: &Rules,
    number: u64,
    now_ms: u64,
    arrival_ms: Option<u64>,
    changed: &HashSet<LogKey>,
    mut room: usize,
) -> Tail {
    let bounds = &rules.bounds;
    let making = Making { number, now_ms, arrival_ms };
    let mut tail = Tail::default();
    let (mut live_bytes, mut memory_bytes) = (memory.log().encoded_bytes(), memory.memory_bytes());
    for oldest in memory.log().oldest_first() {
        let is_over = bounds.are_exceeded(live_bytes, memory_bytes);
        let is_due = is_over
            || rules.ring.is_half_full(number, oldest.number)
            || oldest.made_ms().saturating_add(bounds.longest_memory_ms) <= now_ms;
        if !is_due && oldest.live().any(|(key, _)| !changed.contains(key)) {
            break;
        }
        let mut sorted = sort(&oldest, memory, rules, making, changed, is_over.then_some(room));
        let is_first = tail.leaving.is_empty();
        let fits = tail.repeated_bytes + sorted.repeated_bytes <= bounds.repeated_bytes
            && (is_first || tail.leaving.len() + sorted.leaving.len() <= bounds.leaving);
        if !fits {
            // Some of them now, so that the next commit has fewer to repeat. Nobody leaves a commit that stays.
            for (key, value) in sorted.repeated {
                let bytes = entry_bytes(&key, &value);
                if tail.repeated_bytes + bytes > bounds.repeated_bytes {
                    break;
                }
                tail.repeated_bytes += bytes;
                tail.repeated.push((key, value));
            }
            break;
        }
        room = room.saturating_sub(sorted.boundary_bytes);
        live_bytes = live_bytes.saturating_sub(sorted.leaving_bytes);
        memory_bytes = memory_bytes.saturating_sub(sorted.leaving_memory_bytes);
        tail.repeated_bytes += sorted.repeated_bytes;
        tail.repeated.append(&mut sorted.repeated);
        tail.leaving.append(&mut sorted.leaving);
        tail.closed_early.extend(sorted.closed_early);
        tail.let_go.append(&mut sorted.let_go);
    }
    tail
}

/// Sorts the live entries of one commit. `early_room` is given if users under way must leave, too: how many bytes their
/// boundaries may take.
fn sort(
    oldest: &Oldest<'_, LogKey, LogValue>,
    memory: &BucketMemory,
    rules: &Rules,
    making: Making,
    changed: &HashSet<LogKey>,
    early_room: Option<usize>,
) -> Sorted {
    let Making { number, now_ms, arrival_ms } = making;
    let mut sorted = Sorted::default();
    for (key, value) in oldest.live().filter(|(key, _)| !changed.contains(key)) {
        match (key, value) {
            (LogKey::User(_), LogValue::User(entry)) if entry.is_forgotten() => {
                // Until then, the entry supersedes an item that was on its way to session-state when the user was
                // forgotten, and is not yet deleted.
                if entry.arrival_ms.saturating_add(rules.bounds.longest_memory_ms) <= now_ms {
                    sorted.let_go.push(key.clone());
                } else {
                    sorted.repeat(key.clone(), value.clone());
                }
            }
            (LogKey::User(user_id), LogValue::User(entry)) => {
                let bytes = entry_bytes(key, value);
                let closes_early =
                    !entry.window.told_closed && early_room.is_some_and(|room| sorted.boundary_bytes + bytes <= room);
                if entry.window.told_closed || closes_early {
                    sorted.leaving_bytes += bytes;
                    sorted.leaving_memory_bytes += key.memory_bytes() + value.memory_bytes();
                    let mut entry = entry.clone();
                    if closes_early {
                        entry.window.told_closed = true;
                        sorted.boundary_bytes += bytes;
                        sorted.closed_early.push(user_id.clone());
                    }
                    sorted.leaving.push(RestingUser { user_id: user_id.clone(), entry, commit: number });
                } else {
                    sorted.repeat(key.clone(), value.clone());
                }
            }
            (LogKey::Origin(origin), value) => match still_needed(origin, value, memory, rules, arrival_ms) {
                Some(value) => sorted.repeat(key.clone(), value),
                None => sorted.let_go.push(key.clone()),
            },
            (LogKey::User(_), _) => sorted.let_go.push(key.clone()), // the codec gives a user's key a user's value
        }
    }
    sorted
}

/// What of a cursor or of the sweep's outbox must be repeated.
fn still_needed(
    origin: &Origin,
    value: &LogValue,
    memory: &BucketMemory,
    rules: &Rules,
    arrival_ms: Option<u64>,
) -> Option<LogValue> {
    let unpublished = |outbox: &Outbox| match memory.unpublished(origin) {
        Some(outbox) => outbox.clone(),
        None => Outbox { entries: Vec::new(), ..outbox.clone() },
    };
    match value {
        LogValue::User(_) => None,
        LogValue::Swept(outbox) => {
            Some(unpublished(outbox)).filter(|outbox| !outbox.entries.is_empty()).map(LogValue::Swept)
        }
        // Records older than the streams' retention are not delivered any more. The clock is the arrival of records
        // that are: a sweep's clock may be wrong.
        LogValue::Cursor(cursor)
            if arrival_ms.is_some_and(|now_ms| cursor.made_ms.saturating_add(rules.stream_retention_ms) <= now_ms) =>
        {
            None
        }
        LogValue::Cursor(cursor) => {
            Some(LogValue::Cursor(Cursor { outbox: unpublished(&cursor.outbox), ..cursor.clone() }))
        }
    }
}

impl Sorted {
    fn repeat(&mut self, key: LogKey, value: LogValue) {
        self.repeated_bytes += entry_bytes(&key, &value);
        self.repeated.push((key, value));
    }
}
