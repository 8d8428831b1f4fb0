//! Events as Lambda sends them, and the responses it expects.
use super::*;
use crate::done_records::DoneRecords;

/// The JSON of an event with records of these shards and sequence numbers.
fn json(records: &[(&str, &str)]) -> serde_json::Value {
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
    serde_json::json!({ "Records": records })
}

fn event(json: &serde_json::Value) -> Event {
    serde_json::from_str(&json.to_string()).expect("an event")
}

fn records_of(records: &[(&str, &str)]) -> Result<Records, EventError> {
    Records::of(event(&json(records)))
}

fn numbers(records: &Records) -> Vec<String> {
    records.iter().map(|record| record.sequence_number().to_string()).collect()
}

#[test]
fn record_has_its_shard_arrival_time_and_data() {
    let records = records_of(&[("shardId-000000000006", "4959")]).expect("records");
    let record = records.iter().next().expect("a record");
    assert_eq!(record.shard.to_string(), "click-stream/shardId-000000000006");
    assert_eq!(record.arrival_ms, 1_545_084_650_987);
    assert_eq!((record.data, record.partition_key), (b"hi".as_slice(), "k"));
}

#[test]
fn records_are_in_shard_order_without_duplicates() {
    let records = records_of(&[("s", "10"), ("s", "9"), ("s", "100"), ("s", "10")]).expect("records");
    assert_eq!(numbers(&records), ["9", "10", "100"]);
    let records = records_of(&[("s", "9"), ("s", "10")]).expect("records");
    assert_eq!(numbers(&records), ["9", "10"]);
}

#[test]
fn record_without_a_position_fails_the_event() {
    let error = records_of(&[("s", "1"), ("s", "")]).expect_err("no sequence number");
    assert!(error.to_string().contains("record 1"), "{error}");
    let fault = |field: &str, value: serde_json::Value| {
        let mut json = json(&[("s", "1"), ("s", "2")]);
        json["Records"][1][field] = value;
        Records::of(event(&json)).expect_err(field).to_string()
    };
    assert!(fault("eventID", serde_json::Value::Null).contains("record 1 of the event: eventID is \"\""));
    assert!(fault("eventID", "s-2".into()).contains("eventID is \"s-2\""));
    assert!(fault("eventSourceARN", "arn:aws:sqs:us-east-1:1:q".into()).contains("arn:aws:sqs:us-east-1:1:q"));
}

#[test]
fn name_that_could_be_mistaken_for_another_shard_fails_the_event() {
    let with = |stream: &str, shard: &str| {
        let mut json = json(&[(shard, "1")]);
        json["Records"][0]["eventSourceARN"] = format!("arn:aws:kinesis:us-east-1:1:stream/{stream}").into();
        Records::of(event(&json)).map(|records| records.iter().next().expect("a record").shard.to_string())
    };
    assert_eq!(with("clicks", "s").expect("a shard"), "clicks/s");
    assert_eq!(with("clicks/consumer/c:17", "s").expect("a consumer's stream"), "clicks/s");
    for (stream, shard, field) in
        [("a/b", "s", "eventSourceARN"), ("", "s", "eventSourceARN"), ("a", "b/s", "eventID"), ("a", "b#s", "eventID")]
    {
        let error = with(stream, shard).expect_err("not a name").to_string();
        assert!(error.contains(&format!("record 0 of the event: {field} is ")), "{error}");
    }
}

#[test]
fn records_of_several_shards_are_grouped_by_shard() {
    let records = records_of(&[("b", "1"), ("a", "2"), ("b", "0"), ("a", "1")]).expect("records");
    let places: Vec<_> =
        records.iter().map(|record| format!("{}:{}", record.shard, record.sequence_number())).collect();
    assert_eq!(places, ["click-stream/a:1", "click-stream/a:2", "click-stream/b:0", "click-stream/b:1"]);
}

#[test]
fn event_may_contain_escapes_and_unknown_fields_but_not_invalid_base64() {
    let text = json(&[("s", "1")]).to_string();
    let escaped = text.replace("aGk=", "aGk\\u003d").replace(r#""k""#, r#""\u006b\n""#);
    let more = escaped.replacen('{', r#"{"more": [{}, null], "#, 1);
    let records = Records::of(serde_json::from_str(&more).expect("an event")).expect("records");
    let record = records.iter().next().expect("a record");
    assert_eq!((record.data, record.partition_key), (b"hi".as_slice(), "k\n"));
    let broken = serde_json::from_str::<Event>(&text.replace("aGk=", "a")).expect_err("not base64");
    assert!(broken.to_string().contains("data is not base64"), "{broken}");
    let none = serde_json::from_str::<Event>("{}").expect_err("no records");
    assert!(none.to_string().contains("Records"), "{none}");
}

#[test]
fn response_is_the_lowest_sequence_number_that_is_not_done() {
    let records = records_of(&[("s", "9"), ("s", "10"), ("s", "11")]).expect("records");
    let answer = |done: &[usize]| {
        let progress = DoneRecords::none_of(records.len());
        done.iter().for_each(|index| progress.set_done(*index));
        serde_json::to_string(&progress.response(&records)).expect("encodes")
    };
    assert_eq!(answer(&[0, 1, 2]), r#"{"batchItemFailures":[]}"#);
    assert_eq!(answer(&[1, 2]), r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#);
    assert_eq!(answer(&[0]), r#"{"batchItemFailures":[{"itemIdentifier":"10"}]}"#);
    assert_eq!(answer(&[]), r#"{"batchItemFailures":[{"itemIdentifier":"9"}]}"#);
}
