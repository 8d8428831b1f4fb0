//! Growing, jittered pauses between attempts.
//!
//! `backon` and the SDK's retries repeat a whole call until it succeeds. The functions repeat only the failed parts of
//! a request, and any progress resets the pauses, so these few lines are simpler than adapting either.

use std::time::Duration;

/// The first pause: a few times the duration of a call, so a brief throttle costs little time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// The longest pause. Short against an invocation's time, so that a function notices the end of an outage and retries
/// again before its deadline; long enough that waiting invocations add little load.
const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// Pauses that double from 25 ms to 2 s, jittered so that many callers do not retry at the same moment.
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

    /// Waits for half of the current pause plus a random part of the other half, then doubles the pause.
    pub async fn pause(&mut self) {
        let half = self.next / 2;
        tokio::time::sleep(half + half.mul_f64(fastrand::f64())).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }

    /// Returns to the shortest pause, after progress.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
