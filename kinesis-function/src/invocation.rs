//! One invocation: decodes a batch, processes it until the deadline, and reports which records are done.
//!
//! Rejected records are written concurrently with the work. Everything recorded here survives the work, which the
//! deadline may drop.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use crate::done_records::DoneRecords;
use crate::event::Event;
use crate::event_error::EventError;
use crate::failures::Failures;
use crate::handler::{Decoded, Handler, HandlerOutput, RecordCounts};
use crate::records::{BatchRange, Records};
use crate::rejected_records::{self, RejectedRecords};
use crate::rejected_table::RejectedTable;
use crate::time_budget::TimeBudget;

/// The context of one invocation's work: the batch, the time left, the records done and the failures.
#[derive(Debug)]
pub struct Invocation<'r> {
    /// The batch.
    pub records: &'r Records,
    /// The time left.
    pub time: TimeBudget,
    /// The records that are done.
    pub done: DoneRecords,
    /// The failures so far.
    pub failures: Failures,
    rejected_table: &'r RejectedTable,
    rejected: Mutex<Vec<Arc<RejectedRecords<'r>>>>,
}

impl<'r> Invocation<'r> {
    fn new(records: &'r Records, time: TimeBudget, rejected_table: &'r RejectedTable) -> Self {
        Self {
            records,
            time,
            done: DoneRecords::none_of(records.len()),
            failures: Failures::default(),
            rejected_table,
            rejected: Mutex::default(),
        }
    }

    async fn write(&self, rejected: &RejectedRecords<'r>) {
        self.rejected_table.write(rejected, self.time.now_ms, &self.done).await;
    }

    /// Keeps `rejected` until the end of the invocation, for [`rejected_records::log`].
    fn keep(&self, rejected: RejectedRecords<'r>) -> Arc<RejectedRecords<'r>> {
        let rejected = Arc::new(rejected);
        self.rejected.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&rejected));
        rejected
    }

    /// Logs failures and rejected records, and returns the counts.
    fn close(&self) -> RecordCounts {
        self.failures.log();
        let rejected = self.rejected.lock().unwrap_or_else(PoisonError::into_inner);
        RecordCounts {
            received: self.records.len() as u64,
            rejected: rejected_records::log(&rejected, &self.done),
            undone: self.done.count_undone() as u64,
        }
    }
}

/// Processes one event.
///
/// # Errors
/// Only if the event is not a valid Kinesis event. Everything else, including running out of time, is part of the
/// output.
pub async fn handle<H: Handler>(
    handler: &H,
    event: Event,
    time: TimeBudget,
) -> Result<HandlerOutput<H::Report>, EventError> {
    let records = Records::of(event)?;
    let range = records.range();
    let span = range.as_ref().map_or_else(Span::none, BatchRange::span);
    let Decoded { mut work, rejected } = handler.decode(&records);
    let invocation = Invocation::new(&records, time, handler.rejected_table());
    let rejected = invocation.keep(RejectedRecords::beside_good_records(rejected));
    let everything = async {
        tokio::join!(invocation.write(&rejected), async {
            let unusable = handler.work(&mut work, &invocation).await;
            rejected.good_records_are_done();
            invocation.write(&invocation.keep(RejectedRecords::instead_of_work(unusable))).await;
        })
    };
    let in_time = timeout_at(time.stop_at, everything.instrument(span.clone())).await.is_ok();
    Ok(HandlerOutput {
        records: span.in_scope(|| invocation.close()),
        response: invocation.done.response(&records),
        timing: time.timing(in_time),
        report: H::report(work),
        range,
    })
}

#[cfg(test)]
#[path = "invocation_tests.rs"]
mod tests;
