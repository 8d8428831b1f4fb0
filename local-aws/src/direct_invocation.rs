//! A function's handler invoked without an event source mapping, as tests do.

use std::error::Error;

use kinesis_function::handler::{Handler, HandlerOutput};
use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;

use crate::hand_made_event::{HandMadeRecord, hand_made_event};

/// Invokes `handler` with `records` of `shard` of `stream`.
///
/// # Errors
/// If the records make an event that Lambda would not send.
pub async fn invoke<H: Handler>(
    handler: &H,
    time: TimeBudget,
    (stream, shard): (&str, &str),
    records: Vec<HandMadeRecord>,
) -> Result<HandlerOutput<H::Report>, Box<dyn Error + Send + Sync>> {
    let event = hand_made_event(stream, shard, records)?;
    Ok(handle(handler, serde_json::from_str(&event)?, time).await?)
}

/// The sequence number from which Lambda delivers again, if any.
///
/// # Panics
/// If the answer names several: Lambda would take the lowest, and this project's functions never name more than one.
#[must_use]
pub fn redelivered_from<R>(output: &HandlerOutput<R>) -> Option<&str> {
    let failures = &output.response.batch_item_failures;
    assert!(failures.len() <= 1, "{failures:?}");
    failures.first()?.item_identifier.as_deref()
}
