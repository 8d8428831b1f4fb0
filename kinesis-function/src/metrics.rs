//! One line of JSON per invocation: both its log entry and its CloudWatch metrics.
//!
//! The line is in CloudWatch's embedded metric format (EMF): CloudWatch Logs extracts metrics from the members that
//! `_aws` names, and keeps the rest as a log entry. The only dimension is the function's name. Each value of a
//! dimension is billed as a separate metric, so users, shards and reasons must never become dimensions. Each function
//! names its own counts ([`Handler::metrics`]); the caller of [`InvocationLog::line`] prints the line.
//!
//! `metrique` also writes EMF, but its queue and histograms add two dozen crates to a binary that every cold start
//! loads; this module builds one JSON object.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use crate::handler::{Handler, HandlerOutput, RecordCounts};
use crate::records::BatchRange;
use crate::sweep::SweepOutput;
use crate::time_budget::Timing;

/// The namespace of all of this project's metrics.
pub const NAMESPACE: &str = "Sessionizer";

/// The one dimension, whose value is the Lambda function's name.
pub const DIMENSION: &str = "FunctionName";

/// The metric that is 1 for an execution environment's first invocation and 0 for every later one.
pub const COLD_STARTS: &str = "ColdStarts";

/// The metric for how long a sweep took, in milliseconds. A sweep that failed has none, so an alarm can count the others.
pub const SWEEP_DURATION: &str = "SweepDuration";

/// The unit of a metric, one of CloudWatch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of occurrences.
    Count,
    /// A size in bytes.
    Bytes,
    /// A duration in milliseconds.
    Milliseconds,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// One value of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The metric's name.
    pub name: &'static str,
    /// The unit of its value.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

impl Metric {
    /// A count.
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Count, value }
    }

    /// A size in bytes.
    #[must_use]
    pub fn bytes(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Bytes, value }
    }

    /// A duration in milliseconds.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Milliseconds, value }
    }
}

/// The metrics of one batch: the shell's counts, the function's counts, and the longest wait from a record's
/// arrival to the response, in milliseconds, unless the batch was empty.
#[must_use]
pub fn of<H: Handler>(records: RecordCounts, report: &H::Report, longest_wait_ms: Option<u64>) -> Vec<Metric> {
    let RecordCounts { received, rejected, undone } = records;
    let counts = [("Records", received), ("RecordsRejected", rejected), ("RecordsUndone", undone)];
    let counts = counts.map(|(name, value)| Metric::count(name, value));
    let wait = longest_wait_ms.map(|ms| Metric::milliseconds(H::LONGEST_WAIT, ms));
    counts.into_iter().chain(H::metrics(report)).chain(wait).collect()
}

/// The metrics of one sweep: the function's counts, and how long it took, in milliseconds, unless it failed
/// or ran out of time: a sweep that never ends must be missed.
#[must_use]
pub fn of_sweep<H: Handler>(output: &SweepOutput<H::Report>) -> Vec<Metric> {
    let has_finished = output.outcome.is_ok() && output.timing.in_time;
    let duration_ms = has_finished.then_some(output.timing.duration_ms);
    let duration = duration_ms.map(|ms| Metric::milliseconds(SWEEP_DURATION, ms));
    H::metrics(&output.report).into_iter().chain(duration).collect()
}

/// What an invocation's line says of it beside its metrics.
#[derive(Clone, Copy, Debug)]
pub struct InvocationLine<'a> {
    message: &'static str,
    range: Option<&'a BatchRange>,
    timing: Timing,
}

impl<'a, R> From<&'a HandlerOutput<R>> for InvocationLine<'a> {
    fn from(output: &'a HandlerOutput<R>) -> Self {
        Self { message: "batch processed", range: output.range.as_ref(), timing: output.timing }
    }
}

impl<R> From<&SweepOutput<R>> for InvocationLine<'_> {
    fn from(output: &SweepOutput<R>) -> Self {
        Self { message: "sweep done", range: None, timing: output.timing }
    }
}

/// Formats the lines of one execution environment.
#[derive(Debug, Default)]
pub struct InvocationLog {
    has_written: AtomicBool,
}

impl InvocationLog {
    /// The line of invocation `request_id` of the function `function_name`.
    pub fn line<'a>(
        &self,
        function_name: &str,
        request_id: &str,
        output: impl Into<InvocationLine<'a>>,
        metrics: &[Metric],
    ) -> String {
        let InvocationLine { message, range, timing } = output.into();
        let is_cold = !self.has_written.swap(true, Ordering::Relaxed);
        let metrics: Vec<_> = metrics.iter().copied().chain([Metric::count(COLD_STARTS, u64::from(is_cold))]).collect();
        let definitions: Vec<_> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.word() })).collect();
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put(
            "_aws",
            json!({
                "Timestamp": timing.began_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions }],
            }),
        );
        put(DIMENSION, function_name.into());
        put("level", "INFO".into());
        put("message", message.into());
        put("requestId", request_id.into());
        if let Some(range) = range {
            put("shard", range.shard.to_string().into());
            put("first_sequence_number", range.first.as_str().into());
            put("last_sequence_number", range.last.as_str().into());
        }
        put("duration_ms", timing.duration_ms.into());
        put("in_time", timing.in_time.into());
        for metric in &metrics {
            put(metric.name, metric.value.into());
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
