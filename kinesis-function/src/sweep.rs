//! One sweep: scheduled work that no record causes, until it is done or the time is up.
//!
//! A schedule invokes the function with `{"sweep":{}}`. Nothing redelivers a sweep: whatever one leaves, the next one
//! finds.

use lambda_runtime::Diagnostic;
use tokio::time::timeout_at;

use crate::event_error::EventError;
use crate::failures::Failures;
use crate::handler::Handler;
use crate::time_budget::{TimeBudget, Timing};

/// The context of one sweep's work: the time left and the failures.
#[derive(Debug)]
pub struct Sweep {
    /// The time left.
    pub time: TimeBudget,
    /// The failures so far.
    pub failures: Failures,
}

/// What was done by a sweep.
#[derive(Clone, Debug)]
pub struct SweepOutput<R> {
    /// When it began and how long it took. Running out of time is not an error.
    pub timing: Timing,
    /// The function's own counts.
    pub report: R,
    /// Whether everything that it tried succeeded.
    pub outcome: Result<(), SweepError>,
}

/// A sweep that gave up part of its work. Its invocation fails, so that an alarm sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sweep gave up: {given_up}")]
pub struct SweepError {
    given_up: String,
}

/// The error type is a stable word, for filters on the function's errors.
impl From<SweepError> for Diagnostic {
    fn from(error: SweepError) -> Self {
        Self { error_type: "SweepFailed".to_owned(), error_message: error.to_string() }
    }
}

/// Does the scheduled work of `handler`.
///
/// # Errors
/// [`EventError::NoSweep`] if it has none. What the work gave up is part of the output.
pub async fn handle_sweep<H: Handler>(handler: &H, time: TimeBudget) -> Result<SweepOutput<H::Report>, EventError> {
    let mut work = handler.begin_sweep().ok_or(EventError::NoSweep)?;
    let sweep = Sweep { time, failures: Failures::default() };
    let in_time = timeout_at(time.stop_at, handler.sweep(&mut work, &sweep)).await.is_ok();
    let outcome = sweep.failures.given_up_kinds().map_or(Ok(()), |given_up| Err(SweepError { given_up }));
    sweep.failures.log("the next sweep tries again");
    Ok(SweepOutput { timing: time.timing(in_time), report: H::report(work), outcome })
}

#[cfg(test)]
#[path = "sweep_tests.rs"]
mod tests;
