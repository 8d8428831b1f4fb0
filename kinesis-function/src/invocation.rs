//! One invocation: decodes a batch, processes it until the deadline, and reports which records are done.
//!
//! Rejected records are written concurrently with the work. Everything recorded here survives the work, which the
//! deadline may drop.

use std::sync::OnceLock;

use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use crate::done_records::DoneRecords;
use crate::event::Event;
use crate::event_error::EventError;
use crate::failures::Failures;
use crate::handler::{Decoded, Handler, HandlerOutput, RecordCounts};
use crate::records::{BatchRange, Records};
use crate::rejected_records::{self, RejectedRecords};
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
    let Decoded { mut work, rejected, done } = handler.decode(&records);
    let invocation = Invocation { records: &records, time, done, failures: Failures::default() };
    let (rejected, unusable) = (RejectedRecords::beside_good_records(rejected), OnceLock::new());
    let write = |records| handler.rejected_table().write(records, time.now_ms, &invocation.done);
    let everything = async {
        tokio::join!(write(&rejected), async {
            let records = handler.work(&mut work, &invocation).await;
            rejected.good_records_are_done();
            write(unusable.get_or_init(|| RejectedRecords::after_good_records(records))).await;
        })
    };
    let in_time = timeout_at(time.stop_at, everything.instrument(span.clone())).await.is_ok();
    let given_up = invocation.failures.given_up_kinds();
    let rejected = span.in_scope(|| {
        invocation.failures.log("the batch will be redelivered from the first affected record");
        rejected_records::log([Some(&rejected), unusable.get()].into_iter().flatten())
    });
    Ok(HandlerOutput {
        records: RecordCounts {
            received: records.len() as u64,
            rejected,
            undone: invocation.done.count_undone() as u64,
        },
        response: invocation.done.response(&records),
        timing: time.timing(in_time),
        given_up,
        report: H::report(work),
        range,
    })
}

#[cfg(test)]
#[path = "invocation_tests.rs"]
mod tests;
