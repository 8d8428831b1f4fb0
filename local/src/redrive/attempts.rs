//! How often a call is made that brings nothing forward.

use kinesis_function::backoff::Backoff;

/// Attempts after the first one. With their pauses some 5 seconds: a shard that is throttled takes records again every
/// second, and what lasts longer is for a person to look at.
const RETRIES: u32 = 9;

/// What is left of the attempts at one call. Make a new value when something was done.
#[derive(Debug)]
pub(super) struct Attempts {
    left: u32,
    backoff: Backoff,
}

impl Attempts {
    /// All of them.
    pub(super) fn new() -> Self {
        Self { left: RETRIES, backoff: Backoff::new() }
    }

    /// Says whether there is one more attempt, after a pause.
    pub(super) async fn again(&mut self) -> bool {
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
    async fn attempts_end() {
        let mut attempts = Attempts { left: 2, backoff: Backoff::new() };
        assert_eq!([attempts.again().await, attempts.again().await, attempts.again().await], [true, true, false]);
    }
}
