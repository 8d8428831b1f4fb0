//! Collects the results of an invocation as they happen.

use std::sync::{Mutex, PoisonError};

use kinesis_function::failures::Failures;
use kinesis_function::time_budget::TimeBudget;

use crate::report::{Gauges, Report};

/// The progress of an invocation. Shared by its futures, so that nothing is lost when the deadline drops them.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'i> {
    /// The failures.
    pub failures: &'i Failures,
    /// The counts.
    pub report: &'i Mutex<Report>,
    /// The time.
    pub time: TimeBudget,
}

impl Ledger<'_> {
    /// Adds `counts` to the report.
    pub fn count(&self, counts: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    /// Adds the sizes of a bucket to those of the others.
    pub fn gauge_bucket(&self, gauges: Gauges) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).gauges.add_bucket(gauges);
    }

    /// Sets what the environment's buckets take in memory, in bytes.
    pub fn gauge_memory(&self, bytes: u64) {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).gauges.memory_bytes = bytes;
    }

    /// The current time, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        let timing = self.time.timing(true);
        timing.began_ms.saturating_add(timing.duration_ms)
    }
}
