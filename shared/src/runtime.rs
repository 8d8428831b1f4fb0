//! The loop of a Lambda function, from one event to the next.
//!
//! It is `lambda_runtime`'s, except that events are read here. The runtime reads them through `serde_path_to_error`, which
//! allocates for every key it comes across: for a Kinesis event that takes longer than the reading itself.

use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use aws_lambda_events::streams::KinesisEventResponse;
use bytes::Bytes;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::de::IgnoredAny;

use crate::event::Event;

/// What the runtime reads in place of an event.
const NOTHING: &[u8] = b"null";

/// Calls `function` with each event, as `lambda_runtime::run` does. An event that cannot be read is a failed invocation.
///
/// # Errors
/// When Lambda's Runtime API cannot be spoken to.
pub async fn run<F, Answer>(function: F) -> Result<(), Error>
where
    F: Fn(LambdaEvent<Event>) -> Answer,
    Answer: Future<Output = Result<KinesisEventResponse, Error>>,
{
    let taken = Taken::default();
    let service = service_fn(|invocation: LambdaEvent<IgnoredAny>| {
        let answer = taken.read().map(|event| function(LambdaEvent::new(event, invocation.context)));
        async { answer?.await }
    });
    Runtime::new(service).layer(TakeBody { taken: taken.clone() }).layer(TracingLayer::new()).run().await
}

/// The body of the invocation that is being worked on: there is one at a time.
#[derive(Clone, Debug, Default)]
struct Taken {
    body: Arc<Mutex<Bytes>>,
}

impl Taken {
    fn put(&self, body: Bytes) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body;
    }

    /// The event in the body, which is let go of: there may be 6 MB of it.
    fn read(&self) -> Result<Event, Error> {
        let body = mem::take(&mut *self.body.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(serde_json::from_slice(&body)?)
    }
}

/// Takes the body out of each invocation before the runtime reads it.
struct TakeBody {
    taken: Taken,
}

impl<S> Layer<S> for TakeBody {
    type Service = TakingBody<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TakingBody { taken: self.taken.clone(), inner }
    }
}

struct TakingBody<S> {
    taken: Taken,
    inner: S,
}

impl<S: Service<LambdaInvocation>> Service<LambdaInvocation> for TakingBody<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        self.taken.put(mem::replace(&mut invocation.body, Bytes::from_static(NOTHING)));
        self.inner.call(invocation)
    }
}
