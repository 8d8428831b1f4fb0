//! Whose turn it is to click: a fixed number of seats, each held by a user for a session.
//!
//! The seats take turns in an order that is shuffled for each round, so a user's clicks are up to two rounds apart. A
//! user who has clicked enough gives the seat to the one who has paused longest, if for longer than the gap; otherwise
//! the session goes on. So no pause between sessions is shorter than the gap, whatever the rate.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::produce::load::Load;

/// The longest session, in clicks; 20 on average, as in the workloads of docs/cost.md.
const MAX_CLICKS: u32 = 39;

/// All users. Each is a number from 1.
#[derive(Clone, Debug)]
pub(super) struct Seats {
    gap_ms: u64,
    seats: Vec<Seat>,
    /// The places of the seats in this round, and how many of them had their turn.
    order: Vec<usize>,
    served: usize,
    /// Users who pause, the one who has paused longest in front.
    pausing: VecDeque<Seat>,
    /// How many users have never had a seat, and the first of them.
    newcomers: std::ops::RangeInclusive<u32>,
    sessions: u64,
    clicked: u64,
}

/// A user with a session under way, or with one that is over.
#[derive(Clone, Copy, Debug)]
struct Seat {
    user: u32,
    /// The last click, in Unix milliseconds.
    last_ms: Option<u64>,
    /// Clicks until the session may end.
    left: u32,
}

impl Seats {
    pub(super) fn of(load: &Load, rng: &mut Rng) -> Self {
        let active = load.active_users();
        let seats: Vec<_> = (1..=active).map(|user| Seat { user, last_ms: None, left: clicks(rng) }).collect();
        Self {
            gap_ms: load.gap_ms(),
            order: (0..seats.len()).collect(),
            served: seats.len(),
            seats,
            pausing: VecDeque::new(),
            newcomers: active + 1..=load.options().users,
            sessions: 0,
            clicked: 0,
        }
    }

    /// The user who clicks at `time_ms`, Unix milliseconds.
    pub(super) fn click(&mut self, time_ms: u64, rng: &mut Rng) -> u32 {
        if self.served == self.order.len() {
            rng.shuffle(&mut self.order);
            self.served = 0;
        }
        let place = self.order[self.served];
        self.served += 1;
        if self.seats[place].left == 0
            && let Some(next) = self.next_user(time_ms, rng)
        {
            let left = std::mem::replace(&mut self.seats[place], next);
            self.pausing.push_back(left);
        }
        let seat = &mut self.seats[place];
        // Only a stall makes a pause within a session as long as the gap.
        let starts = seat.last_ms.is_none_or(|last_ms| time_ms.saturating_sub(last_ms) >= self.gap_ms);
        self.sessions += u64::from(starts);
        self.clicked += u64::from(seat.last_ms.is_none());
        seat.last_ms = seat.last_ms.max(Some(time_ms)); // the clock may have been set back
        seat.left = seat.left.saturating_sub(1);
        seat.user
    }

    /// A user with a session under way.
    pub(super) fn anyone(&self, rng: &mut Rng) -> u32 {
        self.seats[rng.usize(..self.seats.len())].user
    }

    /// Sessions of the clicks so far.
    pub(super) fn sessions(&self) -> u64 {
        self.sessions
    }

    /// Users who have clicked.
    pub(super) fn clicked(&self) -> u64 {
        self.clicked
    }

    /// A user who can start a session.
    fn next_user(&mut self, time_ms: u64, rng: &mut Rng) -> Option<Seat> {
        if let Some(user) = self.newcomers.next() {
            return Some(Seat { user, last_ms: None, left: clicks(rng) });
        }
        let last_ms = self.pausing.front()?.last_ms.unwrap_or_default();
        if time_ms.saturating_sub(last_ms) <= self.gap_ms {
            return None;
        }
        let back = self.pausing.pop_front()?;
        Some(Seat { left: clicks(rng), ..back })
    }
}

fn clicks(rng: &mut Rng) -> u32 {
    rng.u32(1..=MAX_CLICKS)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::produce::load::Options;
    use crate::produce::load::tests::options;

    /// The times of each user's clicks, at a steady rate for a minute, and how many sessions the seats count.
    fn a_minute(options: Options) -> (BTreeMap<u32, Vec<u64>>, Seats) {
        let mut rng = Rng::with_seed(3);
        let mut seats = Seats::of(&Load::new(options).unwrap(), &mut rng);
        let mut times: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for number in 0..u64::from(options.rate) * 60 {
            let time_ms = number * 1_000 / u64::from(options.rate);
            times.entry(seats.click(time_ms, &mut rng)).or_default().push(time_ms);
        }
        (times, seats)
    }

    fn pauses(times: &BTreeMap<u32, Vec<u64>>) -> Vec<u64> {
        times.values().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0])).collect()
    }

    #[test]
    fn pauses_are_far_below_the_gap_or_above_it() {
        let (times, seats) = a_minute(Options { rate: 500, users: 2_000, ..options() });
        let (within, between): (Vec<_>, Vec<_>) = pauses(&times).into_iter().partition(|pause_ms| *pause_ms < 10_000);
        assert!(within.iter().all(|pause_ms| *pause_ms <= 4_000), "two rounds of 2 s");
        assert!(between.iter().all(|pause_ms| *pause_ms > 10_000) && !between.is_empty());
        assert_eq!((times.len(), seats.clicked()), (2_000, 2_000), "every user has clicked");
        assert_eq!(seats.sessions(), (2_000 + between.len()) as u64);
        let clicks_per_session = 30_000 / seats.sessions();
        assert!((8..=20).contains(&clicks_per_session), "{clicks_per_session}: 20, less those that go on");
    }

    #[test]
    fn sessions_become_longer_where_users_are_too_few_to_pause() {
        let (times, seats) = a_minute(Options { rate: 500, users: 100, ..options() });
        let between: Vec<_> = pauses(&times).into_iter().filter(|pause_ms| *pause_ms >= 10_000).collect();
        assert!(between.iter().all(|pause_ms| *pause_ms > 10_000) && !between.is_empty());
        assert_eq!(seats.sessions(), (100 + between.len()) as u64);
        assert!(30_000 / seats.sessions() > 50, "{}", seats.sessions());
    }

    #[test]
    fn stall_as_long_as_the_gap_ends_every_session() {
        let mut rng = Rng::with_seed(3);
        let mut seats =
            Seats::of(&Load::new(Options { rate: 5, users: 2, gap_seconds: 1, ..options() }).unwrap(), &mut rng);
        for time_ms in [0, 200, 1_199, 2_199] {
            assert_eq!(seats.click(time_ms, &mut rng), 1);
        }
        assert_eq!((seats.sessions(), seats.clicked()), (2, 1), "999 ms are no end, 1,000 ms are");
    }
}
