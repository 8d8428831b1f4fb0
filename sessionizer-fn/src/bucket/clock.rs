//! The clock by which users become inactive (design, section 6).
//!
//! Event time decides which clicks are one session; arrival time decides when its end is reported. A consumer that is
//! behind must not take the time at which it reads for the time at which users were silent: its clock is the arrival of
//! what it has read. A shard without records must not stop the clock of the others.

use crate::state_log_entry::{Cursor, ShardKey};

/// How old the newest record of a commit may be for its shard to count as caught up, in milliseconds: the grace, within
/// these bounds.
const CAUGHT_UP_MS: (u64, u64) = (5_000, 60_000);

/// How long a shard counts as catching up after its last commit, in milliseconds. A shard that is behind commits every
/// few seconds; one that has stopped delays no closing for longer.
const CATCHING_UP_FOR_MS: u64 = 120_000;

/// How long after a batch's commit a sweep still leaves the clock to the batches, in milliseconds.
const BATCHES_KEEP_THE_CLOCK_MS: u64 = 15_000;

/// The clock of a sweep in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepClock {
    /// The time up to which arrivals are known, in Unix milliseconds; `None` if no user may become inactive.
    pub ms: Option<u64>,
    /// Whether a shard is catching up.
    pub catching_up: bool,
}

/// Whether the shard of `cursor` was behind at its last commit, and that was not long ago.
fn is_catching_up(cursor: &Cursor, now_ms: u64, grace_ms: u64) -> bool {
    let behind_ms = cursor.made_ms.saturating_sub(cursor.arrival_ms);
    behind_ms > grace_ms.clamp(CAUGHT_UP_MS.0, CAUGHT_UP_MS.1)
        && now_ms.saturating_sub(cursor.made_ms) < CATCHING_UP_FOR_MS
}

/// The clock of a commit of `shard` whose last record arrived at `arrival_ms`: that arrival, or the earlier one of
/// another shard that is catching up.
#[must_use]
pub fn batch_clock<'m>(
    cursors: impl Iterator<Item = (&'m ShardKey, &'m Cursor)>,
    shard: &ShardKey,
    arrival_ms: u64,
    now_ms: u64,
    grace_ms: u64,
) -> u64 {
    let others = cursors.filter(|(key, cursor)| *key != shard && is_catching_up(cursor, now_ms, grace_ms));
    others.map(|(_, cursor)| cursor.arrival_ms).fold(arrival_ms, u64::min)
}

/// The clock of a sweep: the current time where no batch has committed lately and no shard is catching up; elsewhere
/// the batches' clock.
#[must_use]
pub fn sweep_clock<'m>(
    cursors: impl Iterator<Item = (&'m ShardKey, &'m Cursor)> + Clone,
    now_ms: u64,
    grace_ms: u64,
) -> SweepClock {
    let behind = cursors.clone().map(|(_, cursor)| cursor).filter(|cursor| is_catching_up(cursor, now_ms, grace_ms));
    let slowest_ms = behind.map(|cursor| cursor.arrival_ms).min();
    let newest = cursors.map(|(_, cursor)| cursor).max_by_key(|cursor| cursor.made_ms);
    let lately = newest.filter(|cursor| now_ms.saturating_sub(cursor.made_ms) < BATCHES_KEEP_THE_CLOCK_MS);
    let ms = match (slowest_ms, lately) {
        (None, None) => Some(now_ms),
        (slowest_ms, lately) => slowest_ms.into_iter().chain(lately.map(|cursor| cursor.arrival_ms)).min(),
    };
    SweepClock { ms, catching_up: slowest_ms.is_some() }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
