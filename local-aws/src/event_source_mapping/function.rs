//! Owns what the mapping invokes and how an invocation ends. It does not know records.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::time::{Instant, timeout_at};

/// What a mapping invokes: a Lambda function's handler. Closures that return such a future implement it.
///
/// Several invocations run concurrently if the mapping has several shards.
pub trait Function: Send + Sync + 'static {
    /// Handles an event, the JSON that Lambda passes for Kinesis. Returns JSON
    /// (`{"batchItemFailures":[{"itemIdentifier":"…"}]}`) or an error message.
    ///
    /// The future is dropped at the deadline, at which Lambda would kill the environment. It must not block its thread.
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
    /// With a response, not yet interpreted.
    Answered(String),
    /// With an error or a panic.
    Failed(String),
    /// At its deadline.
    TimedOut,
}

/// Invokes the function once. A panic counts as a failure of the function, like a crashed environment in Lambda.
pub(crate) async fn invoke<F: Function>(function: Arc<F>, event: String, deadline: Instant) -> InvocationResult {
    let invocation = AssertUnwindSafe(async { function.invoke(event, deadline).await }).catch_unwind();
    match timeout_at(deadline, invocation).await {
        Ok(Ok(Ok(answer))) => InvocationResult::Answered(answer),
        Ok(Ok(Err(error))) => InvocationResult::Failed(error),
        Ok(Err(_panic)) => InvocationResult::Failed("the function panicked".to_owned()),
        Err(_elapsed) => InvocationResult::TimedOut,
    }
}
