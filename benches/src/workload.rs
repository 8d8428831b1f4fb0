//! The clicks of one shard: users who are active at the same time, each clicking at random until a session is over.
//!
//! What decides about the cost is how many different users a batch holds, and that follows from how long clicks are
//! gathered and how often a user clicks. Random, but from a seed: two runs have the same clicks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;

use fastrand::Rng;

/// Clicks of a session.
pub const CLICKS_PER_SESSION: u32 = 20;

/// Most clicks of a batch: with the walkthrough's clicks, so many fill the 6 MB of an event.
pub const CLICKS_PER_BATCH: usize = 8_000;

/// When the first click comes, in Unix milliseconds.
pub const BEGIN_MS: u64 = 1_721_390_000_000;

/// How users click and for how long clicks are gathered, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// The session gap.
    pub gap_ms: u64,
    /// Time between two clicks of a session, on average.
    pub spacing_ms: u64,
    /// The batching window.
    pub window_ms: u64,
}

/// The workloads that figures are given for: two kinds of site, each with three batching windows.
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
    /// How many users are active at once for a window's clicks to fill a batch.
    #[must_use]
    pub fn users_of_full_batches(&self) -> usize {
        CLICKS_PER_BATCH * usize::try_from(self.spacing_ms / self.window_ms).unwrap_or(usize::MAX).max(1)
            / usize::try_from(self.window_ms.div_ceil(self.spacing_ms)).unwrap_or(1)
    }
}

/// One click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimulatedClick {
    /// Which user, from 0.
    pub user: usize,
    /// When, in Unix milliseconds.
    pub ms: u64,
}

/// How a user stands before the first batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Clicks of the session so far; all of them when the user is not active.
    pub clicks: u32,
    /// The last click, in Unix milliseconds.
    pub last_ms: u64,
}

/// The users of one shard.
#[derive(Debug)]
pub struct Shard {
    workload: Workload,
    rng: Rng,
    /// The next click of each active user.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// Clicks left of each user's session.
    left: Vec<u32>,
    /// Who is not active, with the time from which a click begins a new session.
    idle: VecDeque<(u64, usize)>,
    before: Vec<Before>,
    now_ms: u64,
}

impl Shard {
    /// A shard with `users` users, as many of them active as fill batches, or half of them where those are fewer.
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
            let wait = shard.wait();
            shard.left[user] = left;
            shard.next.push(Reverse((BEGIN_MS + wait, user)));
            if left == CLICKS_PER_SESSION {
                continue; // the session begins with the next click
            }
            let since = (workload.spacing_ms / 2).min(workload.gap_ms - 1 - wait);
            shard.before[user] = Before { clicks: CLICKS_PER_SESSION - left, last_ms: BEGIN_MS - since };
        }
        shard.idle = order.into_iter().map(|user| (0, user)).collect();
        shard
    }

    /// How each user stands before the first batch.
    #[must_use]
    pub fn before(&self) -> &[Before] {
        &self.before
    }

    /// The clicks of the next window, as far as a batch holds them.
    pub fn next_batch(&mut self) -> Vec<SimulatedClick> {
        let end_ms = self.now_ms + self.workload.window_ms;
        let mut clicks = Vec::new();
        while clicks.len() < CLICKS_PER_BATCH {
            match self.next.peek() {
                Some(Reverse((ms, _))) if *ms < end_ms => clicks.extend(self.next_click()),
                _ => break,
            }
        }
        // A batch is full before its window is over, or at its end.
        self.now_ms = if clicks.len() < CLICKS_PER_BATCH { end_ms } else { clicks.last().map_or(end_ms, |c| c.ms) };
        clicks
    }

    fn next_click(&mut self) -> Option<SimulatedClick> {
        let Reverse((ms, user)) = self.next.pop()?;
        self.left[user] -= 1;
        if self.left[user] > 0 {
            let wait = self.wait();
            self.next.push(Reverse((ms + wait, user)));
        } else {
            // Somebody else becomes active, so that there are always as many.
            self.idle.push_back((ms + self.workload.gap_ms, user));
            let (free_at, other) = self.idle.pop_front()?;
            let wait = self.wait();
            self.left[other] = CLICKS_PER_SESSION;
            self.next.push(Reverse((free_at.max(ms) + wait, other)));
        }
        Some(SimulatedClick { user, ms })
    }

    /// Time until the next click of a session: exponential, and never so long that it would end the session.
    fn wait(&mut self) -> u64 {
        loop {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let wait = (-(1.0 - self.rng.f64()).ln() * self.workload.spacing_ms as f64) as u64;
            if wait + 1 < self.workload.gap_ms {
                return wait;
            }
        }
    }
}

/// Different users per click of a batch.
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

    /// The share of users per click, measured elsewhere for streams of the same kind.
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
    fn users_who_are_not_active_change_nothing_about_the_number_of_clicks() {
        let workload = WORKLOADS[2];
        let clicks = |users| Shard::new(workload, users, 7).next_batch().len();
        assert!(clicks(2_000).abs_diff(clicks(50_000)) < 500);
    }
}
