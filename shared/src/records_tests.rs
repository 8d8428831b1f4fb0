//! Events as Lambda sends them, and the answers it understands.

#![allow(clippy::expect_used, clippy::panic)]

use super::*;

fn event(records: &[(&str, &str)]) -> KinesisEvent {
    let records: Vec<_> = records
        .iter()
        .map(|(shard, number)| {
            serde_json::json!({
                "kinesis": {
                    "kinesisSchemaVersion": "1.0", "partitionKey": "k", "sequenceNumber": number,
                    "data": "aGk=", "approximateArrivalTimestamp": 1_545_084_650.987,
                },
                "eventSource": "aws:kinesis", "eventVersion": "1.0", "eventID": format!("{shard}:{number}"),
                "eventName": "aws:kinesis:record", "awsRegion": "us-east-1",
                "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/click-stream",
            })
        })
        .collect();
    serde_json::from_value(serde_json::json!({ "Records": records })).expect("a Kinesis event")
}

fn numbers(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.sequence_number.as_str()).collect()
}

#[test]
fn record_knows_its_place_arrival_and_bytes() {
    let records = records_of(event(&[("shardId-000000000006", "4959")])).expect("records");
    assert_eq!(records[0].shard.to_string(), "click-stream/shardId-000000000006");
    assert_eq!(records[0].arrival_ms, 1_545_084_650_987);
    assert_eq!((records[0].data.as_slice(), records[0].partition_key.as_str()), (b"hi".as_slice(), "k"));
}

#[test]
fn records_come_in_the_order_of_their_shard_and_each_once() {
    let records = records_of(event(&[("s", "10"), ("s", "9"), ("s", "100"), ("s", "10")])).expect("records");
    assert_eq!(numbers(&records), ["9", "10", "100"]);
    let records = records_of(event(&[("s", "9"), ("s", "10")])).expect("records");
    assert_eq!(numbers(&records), ["9", "10"]);
}

#[test]
fn record_without_position_fails_the_event() {
    let error = records_of(event(&[("s", "1"), ("s", "")])).expect_err("no sequence number");
    assert!(error.to_string().contains("record 1"), "{error}");
    let mut no_id = event(&[("s", "1")]);
    no_id.records[0].event_id = None;
    assert!(records_of(no_id).expect_err("no shard").to_string().contains("eventID"));
    let mut no_arn = event(&[("s", "1")]);
    no_arn.records[0].event_source_arn = Some("arn:aws:sqs:us-east-1:123456789012:queue".to_owned());
    assert!(records_of(no_arn).expect_err("no stream").to_string().contains("arn:aws:sqs"));
}

#[test]
fn answer_is_the_lowest_sequence_number_that_is_not_done() {
    let numbers = ["9", "10", "11"].map(|number| SequenceNumber::parse(number).expect("a number"));
    let answer = |done: &[usize]| {
        let progress = Progress::of(numbers.len());
        done.iter().for_each(|index| progress.set_done(*index));
        serde_json::to_string(&progress.answer(&numbers)).expect("encodes")
    };
    assert_eq!(answer(&[0, 1, 2]), r#"{"batchItemFailures":[]}"#);
    assert_eq!(answer(&[1, 2]), r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#);
    assert_eq!(answer(&[0]), r#"{"batchItemFailures":[{"itemIdentifier":"10"}]}"#);
    assert_eq!(answer(&[]), r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#);
}
