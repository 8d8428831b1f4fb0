//! The life of a Lambda function: start-up, then the event loop.
//!
//! The loop is `lambda_runtime`'s, except that events are parsed here. The runtime would parse them through
//! `serde_path_to_error`, which allocates for every key; for a Kinesis event, that takes longer than the parsing
//! itself.

use std::env;
use std::mem;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};
use std::time::Duration;

use aws_lambda_events::streams::KinesisEventResponse;
use aws_types::SdkConfig;
use bytes::Bytes;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::{Layer, Service};
use lambda_runtime::{Context, Diagnostic, Error, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde::Serialize;
use serde::de::IgnoredAny;
use tokio::time::timeout;

use crate::aws::sdk_config;
use crate::config::{ConfigError, Settings};
use crate::event::FunctionEvent;
use crate::event_error::EventError;
use crate::handler::Handler;
use crate::invocation::handle;
use crate::logs;
use crate::metrics::{self, InvocationLog};
use crate::sweep::handle_sweep;
use crate::time_budget::TimeBudget;

/// The body that the runtime parses instead of the event.
const NOTHING: &[u8] = b"null";

/// Longest warm-up. With the CPU that Lambda grants during start-up, a first call takes less than a tenth of this; an
/// unresponsive service must not delay the first batch.
const WARM_UP_TIME: Duration = Duration::from_millis(500);

/// Runs a function until its execution environment ends. Its settings come from the environment variables; `make` builds
/// its handler from the settings and the client configuration.
///
/// Logs every error as one line before it returns.
pub async fn run<C: Settings, H: Handler>(make: impl FnOnce(C, &SdkConfig) -> H) -> ExitCode {
    logs::init();
    let (config, sdk) = match ConfigError::both(C::from_variables(env::vars()), sdk_config(env::vars())) {
        Ok(both) => both,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let handler = make(config, &sdk);
    warm_up(&handler).await;
    match serve(&handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Runtime API cannot be reached");
            ExitCode::FAILURE
        }
    }
}

/// Errors are ignored, because the first real call reports them; the time is bounded by [`WARM_UP_TIME`].
pub(crate) async fn warm_up<H: Handler>(handler: &H) {
    let _ = timeout(WARM_UP_TIME, handler.warm_up()).await;
}

/// Handles events like `lambda_runtime::run`, and writes each invocation's line to standard output. An unreadable event
/// fails its invocation.
async fn serve<H: Handler>(handler: &H) -> Result<(), Error> {
    let (taken, log) = (Taken::default(), &InvocationLog::default());
    let service = service_fn(|LambdaEvent { context, .. }: LambdaEvent<IgnoredAny>| {
        let event = taken.read();
        // Boxed, because the compiler has a depth limit for nested future types.
        async move { Box::pin(respond(handler, event?, &context, log)).await }
    });
    Runtime::new(service).layer(TakeBody { taken: taken.clone() }).layer(TracingLayer::new()).run().await
}

/// The response to one event.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Response {
    Batch(KinesisEventResponse),
    Sweep {},
}

/// Handles one event, and writes its line to standard output.
async fn respond<H: Handler>(
    handler: &H,
    event: FunctionEvent,
    context: &Context,
    log: &InvocationLog,
) -> Result<Response, Diagnostic> {
    let time = TimeBudget::until(context.deadline);
    let (function_name, request_id) = (&context.env_config.function_name, &context.request_id);
    match event {
        FunctionEvent::Batch(event) => {
            let output = handle(handler, event, time).await?;
            let metrics = metrics::of::<H>(output.records, &output.report, output.longest_wait_ms());
            println!("{}", log.line(function_name, request_id, &output, &metrics));
            Ok(Response::Batch(output.response))
        }
        FunctionEvent::Sweep => {
            let output = handle_sweep(handler, time).await?;
            let metrics = metrics::of_sweep::<H>(&output);
            println!("{}", log.line(function_name, request_id, &output, &metrics));
            Ok(output.outcome.map(|()| Response::Sweep {})?)
        }
    }
}

/// The body of the current invocation. There is only one at a time.
#[derive(Clone, Debug, Default)]
struct Taken {
    body: Arc<Mutex<Bytes>>,
}

impl Taken {
    fn put(&self, body: Bytes) {
        *self.body.lock().unwrap_or_else(PoisonError::into_inner) = body;
    }

    /// Parses the event in the body and frees the body, which may be 6 MB.
    fn read(&self) -> Result<FunctionEvent, EventError> {
        let body = mem::take(&mut *self.body.lock().unwrap_or_else(PoisonError::into_inner));
        FunctionEvent::from_json(&body)
    }
}

/// Takes the body out of each invocation before the runtime parses it.
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
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::records::Records;

    const EVENT: &str = r#"{"Records":[{"eventID":"s:7","eventSourceARN":"arn:aws:kinesis:r:1:stream/c","kinesis":
        {"sequenceNumber":"7","partitionKey":"k","data":"aGk=","approximateArrivalTimestamp":1.5}}]}"#;

    fn invocation(body: &'static str) -> LambdaInvocation {
        let (parts, ()) = http::Response::new(()).into_parts();
        LambdaInvocation { parts, body: Bytes::from_static(body.as_bytes()), context: Context::default() }
    }

    fn records(event: FunctionEvent) -> Records {
        let FunctionEvent::Batch(event) = event else { panic!("a batch expected: {event:?}") };
        Records::of(event).unwrap()
    }

    #[test]
    fn sweep_is_distinguished_from_a_batch_and_answered_with_an_empty_object() {
        let taken = Taken::default();
        for json in ["{\"sweep\":{}}", "{\"id\":[1],\"sweep\":{\"a\":{}}}"] {
            taken.put(Bytes::from_static(json.as_bytes()));
            assert!(matches!(taken.read(), Ok(FunctionEvent::Sweep)), "{json}");
        }
        assert_eq!(serde_json::to_string(&Response::Sweep {}).unwrap(), "{}");
        let batch = Response::Batch(KinesisEventResponse::default());
        assert_eq!(serde_json::to_string(&batch).unwrap(), "{\"batchItemFailures\":[]}");
    }

    #[tokio::test]
    async fn runtime_parses_nothing_and_the_function_gets_the_event() {
        let taken = Taken::default();
        let body = |invocation: LambdaInvocation| async move { Ok::<_, Infallible>(invocation.body) };
        let mut service = TakeBody { taken: taken.clone() }.layer(service_fn(body));
        assert_eq!(service.call(invocation(EVENT)).await.unwrap(), NOTHING);
        let records = records(taken.read().unwrap());
        assert_eq!(records.iter().map(|record| record.arrival_ms).collect::<Vec<_>>(), [1_500]);
    }

    #[tokio::test]
    async fn each_invocation_gets_its_own_event_even_after_a_failed_one() {
        let taken = Taken::default();
        let nothing = |_: LambdaInvocation| async { Ok::<_, Infallible>(()) };
        let mut service = TakeBody { taken: taken.clone() }.layer(service_fn(nothing));
        service.call(invocation("{ no event")).await.unwrap();
        assert!(taken.read().is_err());
        service.call(invocation("{\"never\": \"read\"}")).await.unwrap();
        service.call(invocation(EVENT)).await.unwrap();
        assert_eq!(records(taken.read().unwrap()).len(), 1);
        assert!(taken.read().is_err(), "an event can be read only once");
    }
}
