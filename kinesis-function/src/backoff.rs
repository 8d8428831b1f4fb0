//! Growing, jittered pauses between attempts.
//!
//! Not `backon` or the SDK's retries: both repeat one call until it succeeds. Here a round repeats only what is left of a
//! request, and any progress starts the pauses over. What remains to write by hand is these few lines.

use std::time::Duration;

/// The first pause before trying again, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
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

    /// Waits for half of the pause and a random part of the other half; the next pause is twice as long.
    pub async fn pause(&mut self) {
        let half = self.next / 2;
        tokio::time::sleep(half + half.mul_f64(fastrand::f64())).await;
        self.next = (self.next * 2).min(LONGEST_PAUSE);
    }

    /// Goes back to the shortest pause, after progress.
    pub fn reset(&mut self) {
        self.next = FIRST_PAUSE;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}
