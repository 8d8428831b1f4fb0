//! Bounds the retries of a call that makes no progress.

use kinesis_function::backoff::Backoff;

/// Attempts after the first. With their pauses they take roughly 5 seconds: a throttled shard accepts records again
/// within a second, and anything that lasts longer needs an operator.
const RETRIES: u32 = 9;

/// The remaining attempts of one call. Create a new value after any progress.
#[derive(Debug)]
pub(crate) struct Attempts {
    left: u32,
    backoff: Backoff,
}

impl Attempts {
    /// All attempts.
    pub(crate) fn new() -> Self {
        Self { left: RETRIES, backoff: Backoff::new() }
    }

    /// Whether one more attempt is allowed; if so, pauses first.
    pub(crate) async fn again(&mut self) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.backoff.pause().await;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn attempts_run_out() {
        let mut attempts = Attempts { left: 2, backoff: Backoff::new() };
        assert_eq!([attempts.again().await, attempts.again().await, attempts.again().await], [true, true, false]);
    }
}
