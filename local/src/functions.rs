//! The two functions as an event source mapping invokes them: JSON in, JSON out, and the sum of their reports.
//!
//! The handlers are those that Lambda runs. What is different here: reports are kept, as there is no CloudWatch.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kinesis_function::event::Event;
use kinesis_function::invocation::Invocation;
use local_aws::event_source_mapping::Function;
use sessionizer_fn::handler::Sessionizer;
use sink_fn::handler::Sink;
use tokio::time::Instant;

/// The sum of the reports of all invocations of a function; clones show the same sum.
#[derive(Clone, Debug, Default)]
pub struct Total<R> {
    sum: Arc<Mutex<R>>,
}

impl<R: AddAssign + Copy> Total<R> {
    /// The sum so far.
    #[must_use]
    pub fn now(&self) -> R {
        *self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, report: R) {
        *self.sum.lock().unwrap_or_else(PoisonError::into_inner) += report;
    }
}

/// The sessionizer, to be invoked by a mapping.
#[derive(Debug)]
pub struct SessionizerFunction {
    handler: Sessionizer,
    total: Total<sessionizer_fn::report::Report>,
}

impl SessionizerFunction {
    /// Invokes `handler` and adds its reports to `total`.
    #[must_use]
    pub fn new(handler: Sessionizer, total: Total<sessionizer_fn::report::Report>) -> Self {
        Self { handler, total }
    }
}

impl Function for SessionizerFunction {
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = Event::from_json(event.as_bytes()).map_err(|error| error.to_string())?;
        let answer = self.handler.handle(event, until(deadline)).await.map_err(|error| error.to_string())?;
        self.total.add(answer.report);
        encoded(&answer.response)
    }
}

/// The sink, to be invoked by a mapping.
#[derive(Debug)]
pub struct SinkFunction {
    handler: Sink,
    total: Total<sink_fn::report::Report>,
}

impl SinkFunction {
    /// Invokes `handler` and adds its reports to `total`.
    #[must_use]
    pub fn new(handler: Sink, total: Total<sink_fn::report::Report>) -> Self {
        Self { handler, total }
    }
}

impl Function for SinkFunction {
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = Event::from_json(event.as_bytes()).map_err(|error| error.to_string())?;
        let answer = self.handler.handle(event, until(deadline)).await.map_err(|error| error.to_string())?;
        self.total.add(answer.report);
        encoded(&answer.response)
    }
}

pub(crate) fn decoded<'e, E: serde::Deserialize<'e>>(event: &'e str) -> Result<E, String> {
    serde_json::from_str(event).map_err(|error| format!("the event is no Kinesis event: {error}"))
}

fn encoded(response: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string(response).map_err(|error| format!("the answer cannot be written: {error}"))
}

/// Lambda gives a deadline as the time of day.
fn until(deadline: Instant) -> Invocation {
    let at = SystemTime::now() + deadline.saturating_duration_since(Instant::now());
    let ms = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Invocation::until(u64::try_from(ms).unwrap_or(u64::MAX))
}
