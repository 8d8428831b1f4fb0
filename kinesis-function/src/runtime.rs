//! The loop of a Lambda function, from one event to the next.
//!
//! It is `lambda_runtime`'s, except that events are read here. The runtime reads them through `serde_path_to_error`, which
//! allocates for every key it comes across: for a Kinesis event that takes longer than the reading itself.

use std::future::Future;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use aws_lambda_events::streams::KinesisEventResponse;
use aws_types::SdkConfig;
use bytes::Bytes;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::de::IgnoredAny;

use crate::aws::sdk_config;
use crate::config::ConfigError;
use crate::event::Event;
use crate::event_error::EventError;
use crate::invocation::Invocation;
use crate::metrics::{Course, InvocationLog, Metric};

/// What the runtime reads in place of an event.
const NOTHING: &[u8] = b"null";

/// What a function gives for an event.
#[derive(Clone, Debug)]
pub struct Told {
    /// For Lambda: the lowest sequence number that is not done, if any.
    pub response: KinesisEventResponse,
    /// For the log: which batch, when, for how long.
    pub course: Course,
    /// For the log and CloudWatch.
    pub metrics: Vec<Metric>,
}

/// A function's own settings together with the configuration of its clients, from its `variables`.
///
/// # Errors
/// All that is wrong with either, which has been logged as one line.
pub fn settings<C>(
    config: Result<C, ConfigError>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(C, SdkConfig), ConfigError> {
    ConfigError::both(config, sdk_config(variables)).inspect_err(|error| tracing::error!(%error, "cannot start"))
}

/// Calls `function` with each event and its time, as `lambda_runtime::run` does, and writes each invocation's line to
/// standard output. An event that cannot be read is a failed invocation.
///
/// # Errors
/// When Lambda's Runtime API cannot be reached. That has been logged.
pub async fn run<F, Answer>(function: F) -> Result<(), Error>
where
    F: Fn(Event, Invocation) -> Answer,
    Answer: Future<Output = Result<Told, EventError>>,
{
    let (taken, log) = (Taken::default(), &InvocationLog::default());
    let service = service_fn(|LambdaEvent { context, .. }: LambdaEvent<IgnoredAny>| {
        // Boxed, so that the compiler need not look through a function's whole future at once: it gives up at some depth.
        let told = taken.read().map(|event| Box::pin(function(event, Invocation::until(context.deadline))));
        async move {
            let Told { response, course, metrics } = told?.await?;
            println!("{}", log.line(&context.env_config.function_name, &context.request_id, &course, &metrics));
            Ok::<_, EventError>(response)
        }
    });
    Runtime::new(service).layer(TakeBody { taken: taken.clone() }).layer(TracingLayer::new()).run().await.inspect_err(
        |error| {
            tracing::error!(%error, "the Runtime API cannot be reached");
        },
    )
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
    fn read(&self) -> Result<Event, EventError> {
        let body = mem::take(&mut *self.body.lock().unwrap_or_else(PoisonError::into_inner));
        Event::from_json(&body)
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

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut invocation: LambdaInvocation) -> Self::Future {
        self.taken.put(mem::replace(&mut invocation.body, Bytes::from_static(NOTHING)));
        self.inner.call(invocation)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::convert::Infallible;

    use lambda_runtime::Context;

    use super::*;
    use crate::records::Records;

    const EVENT: &str = r#"{"Records":[{"eventID":"s:7","eventSourceARN":"arn:aws:kinesis:r:1:stream/c","kinesis":
        {"sequenceNumber":"7","partitionKey":"k","data":"aGk=","approximateArrivalTimestamp":1.5}}]}"#;

    fn invocation(body: &'static str) -> LambdaInvocation {
        let (parts, ()) = http::Response::new(()).into_parts();
        LambdaInvocation { parts, body: Bytes::from_static(body.as_bytes()), context: Context::default() }
    }

    #[tokio::test]
    async fn the_runtime_reads_nothing_and_the_function_gets_the_event() {
        let taken = Taken::default();
        let body = |invocation: LambdaInvocation| async move { Ok::<_, Infallible>(invocation.body) };
        let mut service = TakeBody { taken: taken.clone() }.layer(service_fn(body));
        assert_eq!(service.call(invocation(EVENT)).await.unwrap(), NOTHING);
        let records = Records::of(taken.read().unwrap()).unwrap();
        assert_eq!(records.iter().map(|record| record.arrival_ms).collect::<Vec<_>>(), [1_500]);
    }

    #[tokio::test]
    async fn each_invocation_has_its_own_event_whatever_became_of_the_one_before() {
        let taken = Taken::default();
        let nothing = |_: LambdaInvocation| async { Ok::<_, Infallible>(()) };
        let mut service = TakeBody { taken: taken.clone() }.layer(service_fn(nothing));
        service.call(invocation("{ no event")).await.unwrap();
        assert!(taken.read().is_err());
        service.call(invocation("{\"never\": \"read\"}")).await.unwrap();
        service.call(invocation(EVENT)).await.unwrap();
        assert_eq!(Records::of(taken.read().unwrap()).unwrap().len(), 1);
        assert!(taken.read().is_err(), "an event is read once");
    }
}
