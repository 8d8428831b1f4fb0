//! The functions as an event source mapping invokes them: JSON in, JSON out, and the sum of their reports.
//!
//! The handlers are the ones that Lambda runs. The only difference: reports are summed, because there is no CloudWatch.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kinesis_function::event::Event;
use kinesis_function::handler::{Handler, RecordCounts};
use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;
use local_aws::event_source_mapping::Function;
use tokio::time::Instant;

/// The totals of all invocations of a function. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Total<R> {
    sums: Arc<Mutex<(RecordCounts, R)>>,
}

impl<R: Copy> Total<R> {
    /// The sum of the reports so far.
    #[must_use]
    pub fn now(&self) -> R {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// The outcomes of the records so far.
    #[must_use]
    pub fn records(&self) -> RecordCounts {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).0
    }
}

/// A function that a mapping can invoke.
#[derive(Debug)]
pub struct LocalFunction<H: Handler> {
    handler: H,
    total: Total<H::Report>,
}

impl<H: Handler> LocalFunction<H> {
    /// Invokes `handler` and adds its reports to `total`.
    #[must_use]
    pub fn new(handler: H, total: Total<H::Report>) -> Self {
        Self { handler, total }
    }
}

impl<H> Function for LocalFunction<H>
where
    H: Handler + 'static,
    H::Report: AddAssign,
{
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = Event::from_json(event.as_bytes()).map_err(|error| error.to_string())?;
        let output = handle(&self.handler, event, until(deadline)).await.map_err(|error| error.to_string())?;
        {
            let mut sums = self.total.sums.lock().unwrap_or_else(PoisonError::into_inner);
            sums.0 += output.records;
            sums.1 += output.report;
        }
        serde_json::to_string(&output.response).map_err(|error| format!("cannot write the response as JSON: {error}"))
    }
}

pub(crate) fn decoded<'e, E: serde::Deserialize<'e>>(event: &'e str) -> Result<E, String> {
    serde_json::from_str(event).map_err(|error| format!("the event is not a Kinesis event: {error}"))
}

/// Lambda passes deadlines as wall-clock time.
fn until(deadline: Instant) -> TimeBudget {
    let at = SystemTime::now() + deadline.saturating_duration_since(Instant::now());
    let ms = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    TimeBudget::until(u64::try_from(ms).unwrap_or(u64::MAX))
}
