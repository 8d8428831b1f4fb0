//! Checks an invocation's line against CloudWatch's embedded metric format.
use aws_lambda_events::streams::KinesisEventResponse;

use super::*;
use crate::records::{BatchRange, Shard};
use crate::time_budget::Timing;
use shared::sequence_number::SequenceNumber;

fn output() -> HandlerOutput<()> {
    let range = BatchRange {
        shard: Shard::new("click-stream", "shardId-000000000006"),
        first: SequenceNumber::parse("5").unwrap(),
        last: SequenceNumber::parse("9").unwrap(),
        oldest_arrival_ms: 1_000,
    };
    HandlerOutput {
        response: KinesisEventResponse::default(),
        range: Some(range),
        timing: Timing { began_ms: 4_000, duration_ms: 250, in_time: true },
        records: RecordCounts::default(),
        given_up: None,
        report: (),
    }
}

fn line(log: &InvocationLog, metrics: &[Metric]) -> Value {
    let line = log.line("shop-sessionizer", "request-1", &output(), metrics);
    assert!(!line.contains('\n'), "CloudWatch Logs makes each line an entry: {line}");
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn every_metric_has_a_definition_with_its_unit_and_a_value() {
    let line = line(&InvocationLog::default(), &[Metric::count("Clicks", 7), Metric::milliseconds("Wait", 3_250)]);
    let expected = json!({
        "_aws": {
            "Timestamp": 4_000,
            "CloudWatchMetrics": [{
                "Namespace": "Sessionizer",
                "Dimensions": [["FunctionName"]],
                "Metrics": [
                    { "Name": "Clicks", "Unit": "Count" },
                    { "Name": "Wait", "Unit": "Milliseconds" },
                    { "Name": "ColdStarts", "Unit": "Count" },
                ],
            }],
        },
        "FunctionName": "shop-sessionizer",
        "level": "INFO",
        "message": "batch processed",
        "requestId": "request-1",
        "shard": "click-stream/shardId-000000000006",
        "first_sequence_number": "5",
        "last_sequence_number": "9",
        "duration_ms": 250,
        "in_time": true,
        "Clicks": 7,
        "Wait": 3_250,
        "ColdStarts": 1,
    });
    assert_eq!(line, expected);
}

#[test]
fn line_of_a_sweep_has_no_position_and_its_own_message() {
    let timing = Timing { began_ms: 4_000, duration_ms: 250, in_time: false };
    let output = SweepOutput { timing, report: (), outcome: Ok(()) };
    let line = InvocationLog::default().line("f", "r", &output, &[Metric::bytes("Memory", 9)]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["message"], &line["in_time"], &line["Memory"]), (&"sweep done".into(), &false.into(), &9.into()));
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"][0], json!({ "Name": "Memory", "Unit": "Bytes" }));
    assert_eq!(line.get("shard"), None);
}

#[test]
fn only_an_environments_first_invocation_is_a_cold_start() {
    let log = InvocationLog::default();
    let starts: Vec<_> = (0..3).map(|_| line(&log, &[])["ColdStarts"].clone()).collect();
    assert_eq!(starts, [1, 0, 0]);
}

#[test]
fn wait_is_measured_from_the_oldest_records_arrival_to_the_response() {
    assert_eq!(output().longest_wait_ms(), Some(3_250));
    assert_eq!(
        HandlerOutput { timing: Timing { began_ms: 500, ..output().timing }, ..output() }.longest_wait_ms(),
        Some(0),
        "clocks that differ"
    );
    assert_eq!(HandlerOutput { range: None, ..output() }.longest_wait_ms(), None);
}

#[test]
fn line_of_an_empty_batch_has_no_position() {
    let line = InvocationLog::default().line("f", "r", &HandlerOutput { range: None, ..output() }, &[]);
    assert!(!line.contains("shard") && !line.contains("sequence_number"), "{line}");
}
