//! Where the results of an invocation are noted as they come about.

use std::sync::{Mutex, PoisonError};

use kinesis_function::failures::Failures;
use kinesis_function::records::Progress;

use crate::report::Report;

/// What an invocation has done so far. Shared by its futures, so that nothing is forgotten when the deadline drops them.
#[derive(Debug)]
pub struct Ledger<'i> {
    /// Which records are done.
    pub progress: &'i Progress,
    /// What failed.
    pub failures: &'i Failures,
    report: Mutex<Report>,
}

impl<'i> Ledger<'i> {
    /// A ledger with nothing counted yet.
    #[must_use]
    pub fn new(progress: &'i Progress, failures: &'i Failures) -> Self {
        Self { progress, failures, report: Mutex::default() }
    }

    /// Adds `counts` to the report.
    pub fn count(&self, counts: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }

    /// What was counted.
    #[must_use]
    pub fn into_report(self) -> Report {
        self.report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
