//! The clicks of one bucket over hours: sessions at random times, at a steady rate.
//!
//! Unlike a [`crate::workload::Shard`], which fills single batches, it runs long enough for users to become inactive and
//! to leave the log. The clicks are random but seeded: two runs have the same clicks.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use fastrand::Rng;

use crate::workload::{BEGIN_MS, CLICKS_PER_SESSION, SimulatedClick, Workload};

/// The users of one bucket.
#[derive(Debug)]
pub struct Population {
    workload: Workload,
    rng: Rng,
    /// The next click of each active user.
    next: BinaryHeap<Reverse<(u64, usize)>>,
    /// Remaining clicks of each user's session.
    left: Vec<u32>,
    /// Inactive users, each with the time from which a click starts the next session.
    resting: VecDeque<(u64, usize)>,
    returns: Returns,
}

/// When users begin their next session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// This many milliseconds after the end of their last one. There are as many users as that takes.
    AfterMs(u64),
    /// When all others of this many users had their turn.
    InTurn(usize),
}

impl Population {
    /// Users who click `clicks_per_second` times in all, on average.
    #[must_use]
    pub fn new(workload: Workload, clicks_per_second: f64, returns: Returns, seed: u64) -> Self {
        let mut population = Self {
            workload,
            rng: Rng::with_seed(seed),
            next: BinaryHeap::new(),
            left: Vec::new(),
            resting: VecDeque::new(),
            returns,
        };
        for user in 0..active_users(workload, clicks_per_second) {
            let left = population.rng.u32(1..=CLICKS_PER_SESSION);
            let wait = workload.wait(&mut population.rng);
            population.left.push(left);
            population.next.push(Reverse((BEGIN_MS + wait, user)));
        }
        population
    }

    /// When the next click arrives, in Unix milliseconds.
    #[must_use]
    pub fn next_ms(&self) -> u64 {
        self.next.peek().map_or(u64::MAX, |Reverse((ms, _))| *ms)
    }

    /// The next click.
    pub fn next_click(&mut self) -> Option<SimulatedClick> {
        let Reverse((ms, user)) = self.next.pop()?;
        self.left[user] -= 1;
        let wait = self.workload.wait(&mut self.rng);
        if self.left[user] > 0 {
            self.next.push(Reverse((ms + wait, user)));
        } else {
            // Another user becomes active, so that their number stays the same.
            let (from_ms, other) = self.next_user(ms, user);
            self.left[other] = CLICKS_PER_SESSION;
            self.next.push(Reverse((from_ms.max(ms) + wait, other)));
        }
        Some(SimulatedClick { user, ms })
    }

    /// Who begins a session now that `user` has ended one at `ms`, and the earliest time for it.
    fn next_user(&mut self, ms: u64, user: usize) -> (u64, usize) {
        let rest_ms = match self.returns {
            Returns::AfterMs(rest_ms) => rest_ms,
            Returns::InTurn(_) => self.workload.gap_ms,
        };
        self.resting.push_back((ms + rest_ms, user));
        let known = match self.returns {
            Returns::AfterMs(_) => self.resting.pop_front_if(|(from_ms, _)| *from_ms <= ms),
            Returns::InTurn(users) if self.left.len() < users => None,
            Returns::InTurn(_) => self.resting.pop_front(),
        };
        known.unwrap_or_else(|| {
            self.left.push(0);
            (ms, self.left.len() - 1)
        })
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn active_users(workload: Workload, clicks_per_second: f64) -> usize {
    (clicks_per_second * workload.spacing_ms as f64 / 1_000.0).round().max(1.0) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const WORKLOAD: Workload = Workload { gap_ms: 10_000, spacing_ms: 2_000, window_ms: 1_000 };

    fn clicks(returns: Returns, seconds: u64) -> Vec<SimulatedClick> {
        let mut population = Population::new(WORKLOAD, 50.0, returns, 3);
        let clicks = std::iter::from_fn(|| population.next_click());
        clicks.take_while(|click| click.ms < BEGIN_MS + seconds * 1_000).collect()
    }

    #[test]
    fn clicks_come_in_order_and_at_the_rate_asked_for() {
        let clicks = clicks(Returns::AfterMs(86_400_000), 600);
        assert!(clicks.is_sorted_by_key(|click| click.ms));
        // Waits are cut at the gap, which makes them a little shorter.
        assert!((30_000..33_000).contains(&clicks.len()), "{}", clicks.len());
    }

    #[test]
    fn users_return_when_their_rest_is_over_and_not_before() {
        let sessions = |clicks: &[SimulatedClick]| {
            let mut sessions: HashMap<usize, Vec<u64>> = HashMap::new();
            clicks.iter().for_each(|click| sessions.entry(click.user).or_default().push(click.ms));
            sessions
        };
        assert!(sessions(&clicks(Returns::AfterMs(86_400_000), 600)).values().all(|times| times.len() <= 20));
        let returning = sessions(&clicks(Returns::AfterMs(60_000), 600));
        assert!(returning.values().any(|times| times.len() > 40));
        let gaps = returning.values().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0]));
        assert!(gaps.filter(|gap| *gap >= WORKLOAD.gap_ms).all(|gap| gap >= 60_000));
    }
    #[test]
    fn users_in_turn_are_as_many_as_asked_for_and_take_equal_parts() {
        let clicks = clicks(Returns::InTurn(500), 600);
        let mut of_user = vec![0; 500];
        clicks.iter().for_each(|click| of_user[click.user] += 1);
        // 30,000 clicks are three sessions for each of 500 users.
        assert!(of_user.iter().all(|count| (25..=100).contains(count)), "{of_user:?}");
        assert!((30_000..33_000).contains(&clicks.len()), "{}", clicks.len());
    }
}
