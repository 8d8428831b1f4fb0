//! Owns what the mapping invokes and how one invocation ends. Knows nothing of records.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

/// What a mapping invokes: a Lambda function's handler. A closure that returns such a future is one, too.
///
/// Several invocations run at once when the mapping has several shards or a parallelization factor above one.
pub trait Function: Send + Sync + 'static {
    /// Handles an event, the JSON text Lambda hands over for Kinesis, and answers with JSON text
    /// (`{"batchItemFailures":[{"itemIdentifier":"…"}]}`) or with the error it failed with.
    ///
    /// At the deadline the future is dropped, as Lambda ends the environment; it must not block its thread.
    fn invoke(&self, event: String, deadline: Instant) -> impl Future<Output = Result<String, String>> + Send;
}

impl<Handler, Answer> Function for Handler
where
    Handler: Fn(String, Instant) -> Answer + Send + Sync + 'static,
    Answer: Future<Output = Result<String, String>> + Send,
{
    fn invoke(&self, event: String, deadline: Instant) -> impl Future<Output = Result<String, String>> + Send {
        self(event, deadline)
    }
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvocationResult {
    /// With an answer, not yet read.
    Answered(String),
    /// With an error, or by a panic.
    Failed(String),
    /// At its deadline.
    TimedOut,
}

/// Invokes the function once. A panic is the function's failure, as a crashed environment is in Lambda.
pub(crate) async fn invoke<F: Function>(function: Arc<F>, event: String, deadline: Instant) -> InvocationResult {
    let invocation = AssertUnwindSafe(async { function.invoke(event, deadline).await }).catch_unwind();
    match timeout_at(deadline, invocation).await {
        Ok(Ok(Ok(answer))) => InvocationResult::Answered(answer),
        Ok(Ok(Err(error))) => InvocationResult::Failed(error),
        Ok(Err(_panic)) => InvocationResult::Failed("the function panicked".to_owned()),
        Err(_elapsed) => InvocationResult::TimedOut,
    }
}
