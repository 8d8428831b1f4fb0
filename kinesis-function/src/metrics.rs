//! One line of JSON per invocation: both its log entry and its CloudWatch metrics.
//!
//! The line is in CloudWatch's embedded metric format (EMF): CloudWatch Logs extracts metrics from the members that
//! `_aws` names, and keeps the rest as a log entry. The only dimension is the function's name. Each value of a
//! dimension is billed as a separate metric, so users, shards and reasons must never become dimensions. Each function
//! names its own counts ([`Handler::counts`]); the caller of [`InvocationLog::line`] prints the line.
//!
//! `metrique` also writes EMF, but its queue and histograms add two dozen crates to a binary that every cold start
//! loads; this module builds one JSON object.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use crate::handler::{Handler, HandlerOutput, RecordCounts};

/// The namespace of all of this project's metrics.
pub const NAMESPACE: &str = "Sessionizer";

/// The one dimension, whose value is the Lambda function's name.
pub const DIMENSION: &str = "FunctionName";

/// The metric that is 1 for an execution environment's first invocation and 0 for every later one.
pub const COLD_STARTS: &str = "ColdStarts";

/// The unit of a metric, one of CloudWatch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of occurrences.
    Count,
    /// A duration in milliseconds.
    Milliseconds,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Count => "Count",
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

    /// A duration in milliseconds.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Milliseconds, value }
    }
}

/// The metrics of one invocation: the shell's counts, the function's counts, and the longest wait from a record's
/// arrival to the response, in milliseconds, unless the batch was empty.
#[must_use]
pub fn of<H: Handler>(records: RecordCounts, report: &H::Report, longest_wait_ms: Option<u64>) -> Vec<Metric> {
    let RecordCounts { received, rejected, undone } = records;
    let counts = [("Records", received), ("RecordsRejected", rejected), ("RecordsUndone", undone)];
    let wait = longest_wait_ms.map(|ms| Metric::milliseconds(H::LONGEST_WAIT, ms));
    let counts = counts.into_iter().chain(H::counts(report));
    counts.map(|(name, value)| Metric::count(name, value)).chain(wait).collect()
}

/// Formats the lines of one execution environment.
#[derive(Debug, Default)]
pub struct InvocationLog {
    has_written: AtomicBool,
}

impl InvocationLog {
    /// The line of invocation `request_id` of the function `function_name`.
    pub fn line<R>(
        &self,
        function_name: &str,
        request_id: &str,
        output: &HandlerOutput<R>,
        metrics: &[Metric],
    ) -> String {
        let is_cold = !self.has_written.swap(true, Ordering::Relaxed);
        let metrics: Vec<_> = metrics.iter().copied().chain([Metric::count(COLD_STARTS, u64::from(is_cold))]).collect();
        let definitions: Vec<_> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.word() })).collect();
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put(
            "_aws",
            json!({
                "Timestamp": output.timing.began_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions }],
            }),
        );
        put(DIMENSION, function_name.into());
        put("level", "INFO".into());
        put("message", "batch processed".into());
        put("requestId", request_id.into());
        if let Some(range) = &output.range {
            put("shard", range.shard.to_string().into());
            put("first_sequence_number", range.first.as_str().into());
            put("last_sequence_number", range.last.as_str().into());
        }
        put("duration_ms", output.timing.duration_ms.into());
        put("in_time", output.timing.in_time.into());
        for metric in &metrics {
            put(metric.name, metric.value.into());
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
