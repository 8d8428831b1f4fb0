//! Owns the wait between two attempts. It knows neither what is attempted nor a clock.

use std::time::Duration;

/// A wait that doubles with every failure in a row, up to a cap.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RetryBackoff {
    /// The wait after the first failure.
    pub(crate) initial: Duration,
    /// The longest wait.
    pub(crate) max: Duration,
}

impl RetryBackoff {
    /// The wait after this many consecutive failures; zero without failures.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        match failures {
            0 => Duration::ZERO,
            _ => {
                let factor = 2_u32.saturating_pow(failures - 1);
                self.initial.saturating_mul(factor).min(self.max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_cap() {
        let backoff = RetryBackoff { initial: Duration::from_millis(50), max: Duration::from_millis(300) };
        let waits_ms: Vec<_> = (0..6).map(|failures| backoff.delay(failures).as_millis()).collect();
        assert_eq!(waits_ms, [0, 50, 100, 200, 300, 300]);
        assert_eq!(backoff.delay(u32::MAX).as_millis(), 300);
    }
}
