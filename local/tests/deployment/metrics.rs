//! Alarms and dashboard use only metrics that the functions emit, with the same dimension, and together use all of
//! them.

use std::collections::BTreeSet;

use kinesis_function::handler::RecordCounts;
use kinesis_function::metrics::{self, COLD_STARTS, DIMENSION, NAMESPACE};
use kinesis_function::sweep::SweepOutput;
use kinesis_function::time_budget::Timing;
use serde_json::Value;
use sessionizer_fn::handler::Sessionizer;
use sink_fn::handler::Sink;

use crate::template::{file, properties, resources};

/// A metric of this project: its name and the logical id of its function.
type Metric = (String, String);

const SESSIONIZER: &str = "SessionizerFunction";
const SINK: &str = "SinkFunction";

/// The metrics that the functions emit.
fn emitted() -> BTreeSet<Metric> {
    let sessionizer = metrics::of::<Sessionizer>(RecordCounts::default(), &Default::default(), Some(1));
    let timing = Timing { began_ms: 0, duration_ms: 1, in_time: true };
    let sweep = metrics::of_sweep::<Sessionizer>(&SweepOutput { timing, report: Default::default(), outcome: Ok(()) });
    let sink = metrics::of::<Sink>(RecordCounts::default(), &Default::default(), Some(1));
    let of = |function: &'static str| move |name: &str| (name.to_owned(), function.to_owned());
    let mut metrics: BTreeSet<Metric> =
        sessionizer.iter().chain(&sweep).map(|metric| metric.name).map(of(SESSIONIZER)).collect();
    metrics.extend(sink.iter().map(|metric| metric.name).map(of(SINK)));
    metrics.extend([SESSIONIZER, SINK].map(|function| of(function)(COLD_STARTS)));
    metrics
}

/// The metric that an alarm uses, if it is one of this project's.
fn of_alarm(metric: &Value) -> Option<Metric> {
    if metric["Namespace"] != NAMESPACE {
        return None;
    }
    let dimensions = metric["Dimensions"].as_array().unwrap();
    assert_eq!((dimensions.len(), &dimensions[0]["Name"]), (1, &Value::from(DIMENSION)), "{metric}");
    let function = dimensions[0]["Value"]["Ref"].as_str().unwrap();
    Some((metric["MetricName"].as_str().unwrap().to_owned(), function.to_owned()))
}

fn used_by_alarms() -> BTreeSet<Metric> {
    let alarms = resources().into_iter().filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    let mut metrics = BTreeSet::new();
    for (_, alarm) in alarms {
        let properties = &alarm["Properties"];
        let description = properties["AlarmDescription"].as_str().unwrap();
        assert!(description.contains("First: "), "the first step is missing: {description}");
        metrics.extend(of_alarm(properties));
        let several = properties["Metrics"].as_array().into_iter().flatten();
        metrics.extend(several.filter_map(|query| of_alarm(&query["MetricStat"]["Metric"])));
    }
    metrics
}

/// The dashboard as CloudWatch receives it, except that `${NAME}` is not substituted.
fn dashboard() -> Value {
    let body = properties("Dashboard")["DashboardBody"].clone();
    let text = body["Fn::Sub"].as_str().or_else(|| body["Fn::Sub"][0].as_str()).unwrap();
    serde_json::from_str(text).expect("the dashboard is JSON")
}

fn used_by_the_dashboard() -> BTreeSet<Metric> {
    let dashboard = dashboard();
    let widgets = dashboard["widgets"].as_array().unwrap();
    let rows = widgets.iter().flat_map(|widget| widget["properties"]["metrics"].as_array().into_iter().flatten());
    rows.filter(|row| row[0] == NAMESPACE)
        .map(|row| {
            assert_eq!(row[2], DIMENSION, "{row}");
            assert!(row.as_array().unwrap().len() == 4 || row[4].is_object(), "one dimension: {row}");
            let function = row[3].as_str().unwrap().strip_prefix("${").unwrap().strip_suffix('}').unwrap();
            (row[1].as_str().unwrap().to_owned(), function.to_owned())
        })
        .collect()
}

#[test]
fn alarms_and_dashboard_use_only_metrics_that_the_functions_emit() {
    let emitted = emitted();
    let alarms = used_by_alarms();
    let dashboard = used_by_the_dashboard();
    assert!(alarms.len() >= 5 && dashboard.len() >= 15, "{alarms:?} {dashboard:?}");
    let unknown: Vec<_> = alarms.union(&dashboard).filter(|metric| !emitted.contains(*metric)).collect();
    assert_eq!(unknown, Vec::<&Metric>::new());
}

#[test]
fn every_metric_is_used_by_an_alarm_or_the_dashboard() {
    let seen: BTreeSet<_> = used_by_alarms().union(&used_by_the_dashboard()).cloned().collect();
    let unseen: Vec<_> = emitted().into_iter().filter(|metric| !seen.contains(metric)).collect();
    assert_eq!(unseen, [], "each metric costs money");
}

#[test]
fn every_metric_and_alarm_is_documented() {
    let operations = file("docs/operations.md");
    for (name, function) in emitted() {
        assert!(operations.contains(&format!("`{name}`")), "{name} of {function} is not in docs/operations.md");
    }
    for (logical_id, resource) in resources() {
        if resource["Type"] == "AWS::CloudWatch::Alarm" {
            assert!(operations.contains(&format!("`{logical_id}`")), "alarm {logical_id} is not in docs/operations.md");
        }
    }
}
