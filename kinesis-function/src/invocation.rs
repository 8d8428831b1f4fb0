//! What one invocation is given besides its event: the time, and until when it may work.
//!
//! The only place where the functions look at a clock, so that everything behind it takes time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// How long before Lambda's deadline an invocation stops working to send its answer.
const TIME_TO_ANSWER: Duration = Duration::from_millis(1_000);

/// The longest that Lambda lets a function run, in milliseconds. Source: Lambda quotas (900 s).
const LONGEST_INVOCATION_MS: u64 = 900_000;

/// Longest time that a function spends on warming up. With the CPU that Lambda gives a starting environment, a first call
/// takes less than a tenth of it; a service that does not answer by then must not delay the first batch as well.
pub const WARM_UP_TIME: Duration = Duration::from_millis(500);

/// The first pause before trying again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// One invocation's time.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// When it began, in Unix milliseconds.
    pub now_ms: u64,
    /// The same on the clock that never goes back.
    began: Instant,
    /// When it must stop working and answer with what is done.
    pub stop_at: Instant,
}

impl Invocation {
    /// An invocation that begins now and that Lambda ends at `deadline_ms` (Unix milliseconds).
    ///
    /// It keeps back a second to answer, or a quarter of the time where there is little. `cargo lambda watch` gives the
    /// time that is left in place of the time of day: a deadline within 15 minutes of 1970 is taken for that.
    #[must_use]
    pub fn until(deadline_ms: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Self::lasting(now_ms, time_to_work(deadline_ms, now_ms))
    }

    /// An invocation that begins at `now_ms` (Unix milliseconds) and may work for `time`.
    #[must_use]
    pub fn lasting(now_ms: u64, time: Duration) -> Self {
        let began = Instant::now();
        Self { now_ms, began, stop_at: began + time }
    }

    /// How long it has been going on, in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn time_to_work(deadline_ms: u64, now_ms: u64) -> Duration {
    let is_time_of_day = deadline_ms > LONGEST_INVOCATION_MS;
    let left = Duration::from_millis(if is_time_of_day { deadline_ms.saturating_sub(now_ms) } else { deadline_ms });
    left - TIME_TO_ANSWER.min(left / 4)
}

/// Growing pauses between attempts, spread at random so that many callers do not come back together.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Starts with the shortest pause.
    #[must_use]
    pub fn new() -> Self {
        Self { next: FIRST_PAUSE }
    }

    /// Waits for half of the pause and a random part of the other half; the next pause is twice as long.
    pub async fn pause(&mut self) {
        let half = self.next / 2;
        tokio::time::sleep(half + half.mul_f64(fastrand::f64())).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }

    /// Goes back to the shortest pause: something went forward.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
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
