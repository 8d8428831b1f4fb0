//! One invocation's time: when it began, and when it must stop working and answer.
//!
//! The only place where a function reads a clock; everything behind it takes time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// How long before Lambda's deadline an invocation stops working to send its answer.
const TIME_TO_ANSWER: Duration = Duration::from_millis(1_000);

/// The longest that Lambda lets a function run, in milliseconds. Source: Lambda quotas (900 s).
const LONGEST_INVOCATION_MS: u64 = 900_000;

/// The time that one invocation has.
#[derive(Clone, Copy, Debug)]
pub struct TimeBudget {
    /// When it began, in Unix milliseconds.
    pub now_ms: u64,
    /// The same on the clock that never goes back.
    began: Instant,
    /// When it must stop working and answer with what is done.
    pub stop_at: Instant,
}

/// When an invocation began and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether everything was tried before time was up.
    pub in_time: bool,
}

impl TimeBudget {
    /// For an invocation that begins now and that Lambda ends at `deadline_ms` (Unix milliseconds).
    ///
    /// It keeps back a second to answer, or a quarter of the time if there are less than four. `cargo lambda watch` sends
    /// the remaining time instead of a time of day: a deadline within 15 minutes of 1970 is read that way.
    #[must_use]
    pub fn until(deadline_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self::lasting(now_ms, time_to_work(deadline_ms, now_ms))
    }

    /// For an invocation that begins at `now_ms` (Unix milliseconds) and may work for `time`.
    #[must_use]
    pub fn lasting(now_ms: u64, time: Duration) -> Self {
        let began = Instant::now();
        Self { now_ms, began, stop_at: began + time }
    }

    /// The timing of an invocation that ends now. `in_time` says whether everything was tried.
    #[must_use]
    pub fn timing(&self, in_time: bool) -> Timing {
        let duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Timing { began_ms: self.now_ms, duration_ms, in_time }
    }
}

fn time_to_work(deadline_ms: u64, now_ms: u64) -> Duration {
    let is_time_of_day = deadline_ms > LONGEST_INVOCATION_MS;
    let left = Duration::from_millis(if is_time_of_day { deadline_ms.saturating_sub(now_ms) } else { deadline_ms });
    left - TIME_TO_ANSWER.min(left / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_721_390_600_000;

    #[test]
    fn a_second_or_a_quarter_of_the_time_is_kept_back_to_answer() {
        assert_eq!(time_to_work(NOW_MS + 60_000, NOW_MS), Duration::from_millis(59_000));
        assert_eq!(time_to_work(NOW_MS + 1_000, NOW_MS), Duration::from_millis(750));
        assert_eq!(time_to_work(NOW_MS - 1, NOW_MS), Duration::ZERO);
    }

    #[test]
    fn deadline_that_can_be_no_time_of_day_is_the_time_that_is_left() {
        assert_eq!(time_to_work(600_000, NOW_MS), Duration::from_millis(599_000));
    }
}
