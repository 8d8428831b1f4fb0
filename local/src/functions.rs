//! The functions as an event source mapping invokes them: JSON in, JSON out, and the sum of their reports.
//!
//! The handlers are the ones that Lambda runs. The only difference: reports are summed, because there is no CloudWatch.

use std::ops::AddAssign;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use kinesis_function::event::FunctionEvent;
use kinesis_function::handler::{Handler, RecordCounts};
use kinesis_function::invocation::handle;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::event_source_mapping::Function;
use tokio::sync::watch;
use tokio::time::Instant;

/// The totals of all invocations of a function. Clones share them.
#[derive(Clone, Debug)]
pub struct Total<R> {
    sums: Arc<Mutex<(RecordCounts, R)>>,
    given_up: watch::Sender<Option<String>>,
}

impl<R: Default> Default for Total<R> {
    fn default() -> Self {
        Self { sums: Arc::default(), given_up: watch::Sender::new(None) }
    }
}

impl<R: AddAssign> Total<R> {
    fn add(&self, records: RecordCounts, report: R) {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.0 += records;
        sums.1 += report;
    }

    /// Keeps the first failure.
    fn note(&self, given_up: Option<String>) {
        self.given_up.send_if_modified(|first| {
            let is_first = first.is_none() && given_up.is_some();
            if is_first {
                *first = given_up;
            }
            is_first
        });
    }
}

impl<R: Copy> Total<R> {
    /// The sum of the reports so far.
    #[must_use]
    pub fn now(&self) -> R {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Waits until a batch gives up records because of a permanent failure, and returns the first such failure.
    pub async fn first_failure(&self) -> String {
        let mut given_up = self.given_up.subscribe();
        // The sender lives as long as `self`.
        let seen = given_up.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
        seen.unwrap_or_default()
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

impl<H: Handler> LocalFunction<H>
where
    H::Report: AddAssign,
{
    /// Invokes the function with the event of a schedule, within `time`, whose beginning is the sweep's clock. Returns
    /// whether it ended in time.
    ///
    /// # Errors
    /// If the event is not a sweep, the function has no sweep, or what the sweep gave up.
    pub async fn sweep(&self, event: &str, time: TimeBudget) -> Result<bool, String> {
        let FunctionEvent::Sweep = FunctionEvent::from_json(event.as_bytes()).map_err(|error| error.to_string())?
        else {
            return Err("the schedule's event is a batch".to_owned());
        };
        let output = handle_sweep(&self.handler, time).await.map_err(|error| error.to_string())?;
        self.total.add(RecordCounts::default(), output.report);
        output.outcome.map(|()| output.timing.in_time).map_err(|error| error.to_string())
    }
}

impl<H> Function for LocalFunction<H>
where
    H: Handler + 'static,
    H::Report: AddAssign,
{
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = decoded(&event)?;
        let output = handle(&self.handler, event, until(deadline)).await.map_err(|error| error.to_string())?;
        self.total.add(output.records, output.report);
        self.total.note(output.given_up);
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
