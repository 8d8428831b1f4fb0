//! Collects the results of an invocation as they happen.

use std::sync::{Mutex, PoisonError};

use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;

use crate::report::Report;

/// The progress of an invocation. Shared by its futures, so that nothing is lost when the deadline drops them.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'i> {
    /// The records that are done.
    pub done: &'i DoneRecords,
    /// The failures.
    pub failures: &'i Failures,
    /// The counts.
    pub report: &'i Mutex<Report>,
}

impl Ledger<'_> {
    /// Adds `counts` to the report.
    pub fn count(&self, counts: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }
}
