//! The clicks of one shard: concurrently active users, each clicking at random times until their session ends.
//!
//! The cost depends on the number of distinct users in a batch, which follows from the batching window and from how
//! often a user clicks. The clicks are random but seeded: two runs have the same clicks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

use fastrand::Rng;
use serde::{Deserialize, Serialize};

/// Clicks per session.
pub const CLICKS_PER_SESSION: u32 = 20;

/// Maximum clicks per batch: this many of the walkthrough's clicks fill the 6 MB of an event.
pub const CLICKS_PER_BATCH: usize = 8_000;

/// Time of the first click, in Unix milliseconds.
pub const BEGIN_MS: u64 = 1_721_390_000_000;

/// Maximum clicks per second of a shard. Source: Kinesis quotas.
const CLICKS_PER_SECOND: u64 = 1_000;

/// How users click and how long clicks are gathered, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// The session gap.
    pub gap_ms: u64,
    /// Average time between two clicks of a session.
    pub spacing_ms: u64,
    /// The batching window.
    pub window_ms: u64,
}

/// The documented workloads: two kinds of site, each with three batching windows.
pub const WORKLOADS: [Workload; 6] = [
    Workload { gap_ms: 10_000, spacing_ms: 2_000, window_ms: 1_000 },
    Workload { gap_ms: 10_000, spacing_ms: 2_000, window_ms: 10_000 },
    Workload { gap_ms: 10_000, spacing_ms: 2_000, window_ms: 30_000 },
    Workload { gap_ms: 1_800_000, spacing_ms: 30_000, window_ms: 1_000 },
    Workload { gap_ms: 1_800_000, spacing_ms: 30_000, window_ms: 10_000 },
    Workload { gap_ms: 1_800_000, spacing_ms: 30_000, window_ms: 30_000 },
];

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (gap, spacing, window) = (self.gap_ms / 1_000, self.spacing_ms / 1_000, self.window_ms / 1_000);
        write!(f, "gap {gap} s, clicks {spacing} s apart, window {window} s")
    }
}

impl Workload {
    /// How many concurrently active users fill a batch in one window.
    #[must_use]
    pub fn users_of_full_batches(&self) -> usize {
        CLICKS_PER_BATCH * usize::try_from(self.spacing_ms / self.window_ms).unwrap_or(usize::MAX).max(1)
            / usize::try_from(self.window_ms.div_ceil(self.spacing_ms)).unwrap_or(1)
    }

    /// Users who click at the same time in a shard with as many clicks as it takes and as fill a batch in one window.
    #[must_use]
    pub fn users_of_a_full_shard(&self) -> usize {
        let per_window = (CLICKS_PER_SECOND * self.window_ms / 1_000).min(CLICKS_PER_BATCH as u64);
        usize::try_from(per_window * self.spacing_ms / self.window_ms).unwrap_or(usize::MAX)
    }

    /// Clicks per second of `users` users who click at the same time.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn clicks_per_second(&self, users: usize) -> f64 {
        users as f64 * 1_000.0 / self.spacing_ms as f64
    }

    /// Time until the next click of a session, in milliseconds: exponentially distributed, always less than the gap.
    pub fn wait(&self, rng: &mut Rng) -> u64 {
        loop {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let wait = (-(1.0 - rng.f64()).ln() * self.spacing_ms as f64) as u64;
            if wait + 1 < self.gap_ms {
                return wait;
            }
        }
    }
}

/// One click.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulatedClick {
    /// The user's number, from 0.
    pub user: usize,
    /// Its time, in Unix milliseconds.
    pub ms: u64,
}

/// A user's activity before the first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Clicks of the session so far; all of them if the user is not active.
    pub clicks: u32,
    /// Time of the last click, in Unix milliseconds.
    pub last_ms: u64,
}

/// The users of one shard.
#[derive(Debug)]
pub struct Shard {
    workload: Workload,
    rng: Rng,
    /// The next click of each active user.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// Remaining clicks of each user's session.
    left: Vec<u32>,
    /// Inactive users, each with the time from which a click starts a new session.
    idle: VecDeque<(u64, usize)>,
    before: Vec<Before>,
    now_ms: u64,
}

impl Shard {
    /// A shard with `users` users. Enough of them are active to fill batches, but at most half.
    #[must_use]
    pub fn new(workload: Workload, users: usize, seed: u64) -> Self {
        let active = workload.users_of_full_batches().min(users.div_ceil(2));
        let mut shard = Self {
            workload,
            rng: Rng::with_seed(seed),
            next: BinaryHeap::with_capacity(active),
            left: vec![0; users],
            idle: VecDeque::new(),
            before: Vec::with_capacity(users),
            now_ms: BEGIN_MS,
        };
        let mut order: Vec<_> = (0..users).collect();
        shard.rng.shuffle(&mut order);
        shard.before.resize(users, Before { clicks: CLICKS_PER_SESSION, last_ms: BEGIN_MS - 2 * workload.gap_ms });
        for user in order.drain(..active) {
            let left = shard.rng.u32(1..=CLICKS_PER_SESSION);
            let wait = workload.wait(&mut shard.rng);
            shard.left[user] = left;
            shard.next.push(Reverse((BEGIN_MS + wait, user)));
            if left == CLICKS_PER_SESSION {
                continue; // the session starts with the next click
            }
            let since = (workload.spacing_ms / 2).min(workload.gap_ms - 1 - wait);
            shard.before[user] = Before { clicks: CLICKS_PER_SESSION - left, last_ms: BEGIN_MS - since };
        }
        shard.idle = order.into_iter().map(|user| (0, user)).collect();
        shard
    }

    /// Each user's activity before the first batch.
    #[must_use]
    pub fn before(&self) -> &[Before] {
        &self.before
    }

    /// The clicks of the next window, up to the size of a batch.
    pub fn next_batch(&mut self) -> Vec<SimulatedClick> {
        let end_ms = self.now_ms + self.workload.window_ms;
        let mut clicks = Vec::new();
        while clicks.len() < CLICKS_PER_BATCH {
            match self.next.peek() {
                Some(Reverse((ms, _))) if *ms < end_ms => clicks.extend(self.next_click()),
                _ => break,
            }
        }
        // A batch ends when it is full or when its window ends.
        self.now_ms = if clicks.len() < CLICKS_PER_BATCH { end_ms } else { clicks.last().map_or(end_ms, |c| c.ms) };
        clicks
    }

    fn next_click(&mut self) -> Option<SimulatedClick> {
        let Reverse((ms, user)) = self.next.pop()?;
        self.left[user] -= 1;
        if self.left[user] > 0 {
            let wait = self.workload.wait(&mut self.rng);
            self.next.push(Reverse((ms + wait, user)));
        } else {
            // Another user becomes active, so that their number stays the same.
            self.idle.push_back((ms + self.workload.gap_ms, user));
            let (free_at, other) = self.idle.pop_front()?;
            let wait = self.workload.wait(&mut self.rng);
            self.left[other] = CLICKS_PER_SESSION;
            self.next.push(Reverse((free_at.max(ms) + wait, other)));
        }
        Some(SimulatedClick { user, ms })
    }
}

/// Distinct users per click of a batch.
#[must_use]
pub fn users_per_click(clicks: &[SimulatedClick]) -> f64 {
    let users: std::collections::HashSet<_> = clicks.iter().map(|click| click.user).collect();
    #[allow(clippy::cast_precision_loss)]
    let share = users.len() as f64 / clicks.len().max(1) as f64;
    share
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distinct users per click, measured separately for streams of the same kind.
    #[test]
    fn batches_hold_as_many_users_as_streams_of_this_kind_do() {
        for (workload, expected) in WORKLOADS.into_iter().zip([0.79, 0.23, 0.11, 0.98, 0.86, 0.65]) {
            let mut shard = Shard::new(workload, 2 * workload.users_of_full_batches(), 7);
            shard.next_batch();
            let clicks = shard.next_batch();
            let found = users_per_click(&clicks);
            assert!((found - expected).abs() < 0.03, "{workload}: {found}, expected {expected}");
            assert!(clicks.len() > 7_500, "{workload}: {} clicks", clicks.len());
        }
    }

    #[test]
    fn full_shard_has_at_most_a_thousand_clicks_a_second_and_a_batch_in_a_window() {
        let users = WORKLOADS.map(|workload| workload.users_of_a_full_shard());
        assert_eq!(users, [2_000, 1_600, 533, 30_000, 24_000, 8_000]);
        assert_eq!(WORKLOADS[3].clicks_per_second(30_000), 1_000.0);
    }

    #[test]
    fn users_who_are_not_active_change_nothing_about_the_number_of_clicks() {
        let workload = WORKLOADS[2];
        let clicks = |users| Shard::new(workload, users, 7).next_batch().len();
        assert!(clicks(2_000).abs_diff(clicks(50_000)) < 500);
    }
}
