//! The sessionizer's scheduled sweeps, invoked as EventBridge Scheduler does.
//!
//! They run in a sessionizer of their own, as on AWS, where another execution environment may handle them: its memory
//! is not that of the batches, and their commits compete.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kinesis_function::time_budget::TimeBudget;
use local_aws::template::ScheduleSpec;
use sessionizer_fn::handler::Sessionizer;

use crate::error::LocalError;
use crate::functions::LocalFunction;

/// The wait between two sweeps. The template's schedule says a minute, the shortest rate that EventBridge Scheduler
/// offers; here, a session need not take that long to close.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How far in the future the clock of a closing sweep is: later than any gap, grace or clock skew, early enough for a
/// version to stay an exact number in JSON.
const FAR_FUTURE_MS: u64 = 100 * 365 * 86_400_000;

/// The longest closing sweep: Lambda's longest invocation.
const LONGEST_SWEEP: Duration = Duration::from_secs(900);

/// The event of a sweep.
const SWEEP: &str = r#"{"sweep":{}}"#;

/// Invokes sweeps. Clones share the function.
#[derive(Clone, Debug)]
pub struct Sweeps {
    function: Arc<LocalFunction<Sessionizer>>,
    schedules: Vec<ScheduleSpec>,
    timeout: Duration,
}

impl Sweeps {
    /// Sweeps of `function`, which has these schedules in the template and runs up to `timeout`.
    #[must_use]
    pub fn new(function: LocalFunction<Sessionizer>, schedules: Vec<ScheduleSpec>, timeout: Duration) -> Self {
        Self { function: Arc::new(function), schedules, timeout }
    }

    /// Invokes the function for each enabled schedule, every second until dropped. As on AWS, the next sweep makes up
    /// for a failed one.
    pub async fn repeat(self) -> Infallible {
        loop {
            tokio::time::sleep(SWEEP_INTERVAL).await;
            for schedule in &self.schedules {
                let time = TimeBudget::lasting(unix_ms(), self.timeout);
                if let Err(reason) = self.function.sweep(&schedule.input, time).await {
                    tracing::warn!(reason, "a sweep failed");
                }
            }
        }
    }

    /// Closes every session: one sweep whose clock is far in the future.
    ///
    /// # Errors
    /// If the sweep gives something up, or does not end within 15 minutes.
    pub async fn close_all(&self) -> Result<(), LocalError> {
        let time = TimeBudget::lasting(unix_ms() + FAR_FUTURE_MS, LONGEST_SWEEP);
        match self.function.sweep(SWEEP, time).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(LocalError::Sweep { reason: format!("it ran for {LONGEST_SWEEP:?} without an end") }),
            Err(reason) => Err(LocalError::Sweep { reason }),
        }
    }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
