//! Where the results of an invocation are noted as they come about.

use std::sync::{Mutex, PoisonError};

use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;

use crate::report::Report;

/// What an invocation has done so far. Shared by its futures, so that nothing is forgotten when the deadline drops them.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'i> {
    /// Which records are done.
    pub done: &'i DoneRecords,
    /// What failed.
    pub failures: &'i Failures,
    /// What was counted.
    pub report: &'i Mutex<Report>,
}

impl Ledger<'_> {
    /// Adds `counts` to the report.
    pub fn count(&self, counts: Report) {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) += counts;
    }
}
