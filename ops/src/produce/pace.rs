//! When records are due: at a steady rate, with bounded catching up after a stall.

use std::time::Duration;

use tokio::time::Instant;

/// How often records are put. A request waits no longer than that for more records.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Behind its schedule by more than this, a load gives up the rest of its delay and ends later instead: a second, the
/// time over which a shard counts what it takes.
const MAX_BEHIND: Duration = Duration::from_secs(1);

/// While it catches up, a load makes at most this many times its rate; or as many records in a tick, if that is more.
const MAX_SPEED: u64 = 2;

/// A schedule: a record every 1 / `rate` seconds.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    rate: u64,
    begin: Instant,
    /// Records made since `begin`.
    made: u64,
}

impl Pace {
    /// A schedule of `rate` records a second from `now` on.
    pub(super) fn new(rate: u32, now: Instant) -> Self {
        Self { rate: u64::from(rate), begin: now, made: 0 }
    }

    /// How many records to make at `now`, if this is asked once a [`TICK`].
    pub(super) fn due(&mut self, now: Instant) -> u64 {
        if let Some(behind) = now.duration_since(self.time_of(self.made)).checked_sub(MAX_BEHIND) {
            self.begin += behind;
        }
        let tick_ms = u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX);
        let most = (self.rate * MAX_SPEED * tick_ms / 1_000).max(MAX_SPEED);
        self.passed(now).saturating_sub(self.made).min(most)
    }

    /// Makes the next record; returns the moment it was due, which is not later than the last `now`.
    pub(super) fn make(&mut self) -> Instant {
        self.made += 1;
        self.time_of(self.made)
    }

    /// How many records are due between `begin` and `now`.
    fn passed(&self, now: Instant) -> u64 {
        let micros = now.duration_since(self.begin).as_micros();
        u64::try_from(micros * u128::from(self.rate) / 1_000_000).unwrap_or(u64::MAX)
    }

    /// When record number `number`, from 1, is due.
    fn time_of(&self, number: u64) -> Instant {
        let whole = Duration::from_secs(number / self.rate);
        self.begin + whole + Duration::from_nanos(number % self.rate * 1_000_000_000 / self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Asks every `tick` for the time `span`; the records made each time.
    fn made(pace: &mut Pace, now: &mut Instant, tick: Duration, span: Duration) -> Vec<u64> {
        let end = *now + span;
        let mut counts = Vec::new();
        while *now < end {
            *now += tick;
            let due = pace.due(*now);
            (0..due).for_each(|_| assert!(pace.make() <= *now, "no record is due later than it is made"));
            counts.push(due);
        }
        counts
    }

    #[test]
    fn the_rate_is_kept_whatever_it_is() {
        for rate in [1, 7, 3_000, 99_999] {
            let mut now = Instant::now();
            let mut pace = Pace::new(rate, now);
            let counts = made(&mut pace, &mut now, TICK, 10_000 * MS);
            assert_eq!(counts.iter().sum::<u64>(), u64::from(rate) * 10);
            let most = counts.iter().max().copied();
            assert!(most <= Some(u64::from(rate) / 20 + 1), "{most:?} at {rate}");
        }
    }

    #[test]
    fn short_stall_is_made_up_for_at_twice_the_rate() {
        let mut now = Instant::now();
        let mut pace = Pace::new(3_000, now);
        made(&mut pace, &mut now, TICK, 1_000 * MS);
        now += 500 * MS;
        let counts = made(&mut pace, &mut now, TICK, 1_500 * MS);
        assert_eq!(counts.iter().sum::<u64>(), 2 * 3_000, "all of the 2 s since the stall began");
        assert_eq!(counts[0], 300, "twice the rate, not 1,650");
        assert_eq!((counts.iter().max(), counts.last()), (Some(&300), Some(&150)));
    }

    #[test]
    fn of_a_long_stall_only_the_last_second_is_made_up_for() {
        let mut now = Instant::now();
        let mut pace = Pace::new(1_000, now);
        made(&mut pace, &mut now, TICK, 1_000 * MS);
        now += 3_600_000 * MS;
        let counts = made(&mut pace, &mut now, TICK, 3_000 * MS);
        assert_eq!(counts.iter().sum::<u64>(), 3_000 - 50 + 1_000, "a tick after the stall, a second was owed");
        assert_eq!(counts.iter().max(), Some(&100));
    }
}
