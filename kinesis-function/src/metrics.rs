//! What an invocation tells CloudWatch: one line of JSON that is its log entry and its metrics at once.
//!
//! The line is in CloudWatch's embedded metric format: CloudWatch Logs makes metrics of the members that `_aws` names,
//! and keeps the rest for reading. The only dimension is the function's name. Each further value of a dimension is
//! billed as a metric of its own, so nothing per user, shard or reason ever becomes one. Which metrics there are is
//! each function's own business (its `report` module), and whoever calls [`InvocationLog::line`] prints the line.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use crate::records::Extent;

/// The namespace of all metrics of this project.
pub const NAMESPACE: &str = "Sessionizer";

/// The one dimension, whose value is the Lambda function's name.
pub const DIMENSION: &str = "FunctionName";

/// The name of the metric that is 1 in an execution environment's first invocation and 0 in every later one.
pub const COLD_STARTS: &str = "ColdStarts";

/// What a metric's value counts. The words are CloudWatch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Time, in milliseconds.
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
    /// What its value counts.
    pub unit: Unit,
    /// The value.
    pub value: u64,
}

impl Metric {
    /// So many of something.
    #[must_use]
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Count, value }
    }

    /// A time.
    #[must_use]
    pub fn milliseconds(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Milliseconds, value }
    }
}

/// What there is to tell of an invocation besides its counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Where the batch lies; `None` for one without records.
    pub extent: Option<Extent>,
    /// When it began, in Unix milliseconds.
    pub began_ms: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Whether everything was tried before time was up.
    pub in_time: bool,
}

impl Course {
    /// How long the record that waited longest had waited when the invocation answered, in milliseconds. Kinesis and
    /// Lambda do not share a clock: a wait below nothing counts as none.
    #[must_use]
    pub fn longest_wait_ms(&self) -> Option<u64> {
        let arrived_ms = self.extent.as_ref()?.oldest_arrival_ms;
        Some((self.began_ms + self.duration_ms).saturating_sub(arrived_ms))
    }
}

/// Writes the lines of one execution environment.
#[derive(Debug, Default)]
pub struct InvocationLog {
    has_written: AtomicBool,
}

impl InvocationLog {
    /// The line of the invocation `request_id` of the function called `function_name`.
    pub fn line(&self, function_name: &str, request_id: &str, course: &Course, metrics: &[Metric]) -> String {
        let is_cold = !self.has_written.swap(true, Ordering::Relaxed);
        let metrics: Vec<_> = metrics.iter().copied().chain([Metric::count(COLD_STARTS, u64::from(is_cold))]).collect();
        let definitions: Vec<_> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit.word() })).collect();
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| line.insert(name.to_owned(), value);
        put(
            "_aws",
            json!({
                "Timestamp": course.began_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions }],
            }),
        );
        put(DIMENSION, function_name.into());
        put("level", "INFO".into());
        put("message", "batch processed".into());
        put("requestId", request_id.into());
        if let Some(extent) = &course.extent {
            put("shard", extent.shard.to_string().into());
            put("first_sequence_number", extent.first.as_str().into());
            put("last_sequence_number", extent.last.as_str().into());
        }
        put("duration_ms", course.duration_ms.into());
        put("in_time", course.in_time.into());
        for metric in &metrics {
            put(metric.name, metric.value.into());
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
