//! Invokes a function's handler without an event source mapping, for tests.

use std::error::Error;

use kinesis_function::handler::{Handler, HandlerOutput};
use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;

use crate::hand_made_event::{HandMadeRecord, hand_made_event};

/// Invokes `handler` with `records` from `shard` of `stream`.
///
/// # Errors
/// If Lambda would not send an event with these records.
pub async fn invoke<H: Handler>(
    handler: &H,
    time: TimeBudget,
    (stream, shard): (&str, &str),
    records: Vec<HandMadeRecord>,
) -> Result<HandlerOutput<H::Report>, Box<dyn Error + Send + Sync>> {
    let event = hand_made_event(stream, shard, records)?;
    Ok(handle(handler, serde_json::from_str(&event)?, time).await?)
}

/// The sequence number from which Lambda redelivers, if any.
///
/// # Panics
/// If the response names several: Lambda would use the lowest, and this project's functions never name more than one.
#[must_use]
pub fn redelivered_from<R>(output: &HandlerOutput<R>) -> Option<&str> {
    let failures = &output.response.batch_item_failures;
    assert!(failures.len() <= 1, "{failures:?}");
    failures.first()?.item_identifier.as_deref()
}
