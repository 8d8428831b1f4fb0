//! The time of one invocation: when it began, and when it must stop working and respond.
//!
//! The only place where a function reads a clock; everything else takes time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// How long before Lambda's deadline an invocation stops working. An invocation that misses the deadline loses its
/// progress, and the whole batch is redelivered, so this leaves ample time to log and to send the response.
const TIME_TO_ANSWER: Duration = Duration::from_millis(1_000);

/// Lambda's longest invocation, in milliseconds. Source: Lambda quotas (900 s).
const LONGEST_INVOCATION_MS: u64 = 900_000;

/// The time available to one invocation.
#[derive(Clone, Copy, Debug)]
pub struct TimeBudget {
    /// When it began, in Unix milliseconds.
    pub now_ms: u64,
    /// The same on the monotonic clock.
    began: Instant,
    /// When it must stop working and report what is done.
    pub stop_at: Instant,
}

/// When an invocation began and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether the work ended before the time was up.
    pub in_time: bool,
}

impl TimeBudget {
    /// The budget of an invocation that begins now and that Lambda ends at `deadline_ms` (Unix milliseconds).
    ///
    /// Reserves one second for the response, or a quarter of the time if less than four seconds remain. A deadline in
    /// the first 15 minutes of 1970 is taken as the remaining time, which is what `cargo lambda watch` sends.
    #[must_use]
    pub fn until(deadline_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self::lasting(now_ms, time_to_work(deadline_ms, now_ms))
    }

    /// The budget of an invocation that begins at `now_ms` (Unix milliseconds) and may work for `time`.
    #[must_use]
    pub fn lasting(now_ms: u64, time: Duration) -> Self {
        let began = Instant::now();
        Self { now_ms, began, stop_at: began + time }
    }

    /// The timing of an invocation that ends now. `in_time` says whether the work ended before the time was up.
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
    fn a_second_or_a_quarter_of_the_time_is_reserved_for_the_response() {
        assert_eq!(time_to_work(NOW_MS + 60_000, NOW_MS), Duration::from_millis(59_000));
        assert_eq!(time_to_work(NOW_MS + 1_000, NOW_MS), Duration::from_millis(750));
        assert_eq!(time_to_work(NOW_MS - 1, NOW_MS), Duration::ZERO);
    }

    #[test]
    fn deadline_too_small_for_a_timestamp_is_the_remaining_time() {
        assert_eq!(time_to_work(600_000, NOW_MS), Duration::from_millis(599_000));
    }
}
