//! The form of an event, and where batches end.

use std::time::Duration;

use local_aws::event_source_mapping::limits::MAX_EVENT_BYTES;
use local_aws::event_source_mapping::{MappingConfig, MappingProgress};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::bench::{Bench, Log, SUCCESS, config, read_event, soon, succeeding};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_the_form_of_lambdas_events() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["a click"]).await;
    let (sender, mut events) = mpsc::unbounded_channel();
    let _mapping = bench.map(config(), move |event: String, _deadline: Instant| {
        sender.send(event).unwrap();
        async { Ok(SUCCESS.to_owned()) }
    });
    let event: Value = serde_json::from_str(&soon(events.recv()).await.unwrap()).unwrap();

    let kinesis = &event["Records"][0]["kinesis"];
    let (number, arrival) = (&kinesis["sequenceNumber"], &kinesis["approximateArrivalTimestamp"]);
    assert!(arrival.as_f64().unwrap() > 1_700_000_000.0, "seconds, not milliseconds: {arrival}");
    assert!(arrival.as_f64().unwrap() < 10_000_000_000.0, "seconds, not milliseconds: {arrival}");
    let expected = json!({"Records": [{
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "user1",
            "sequenceNumber": number,
            "data": "YSBjbGljaw==",
            "approximateArrivalTimestamp": arrival,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{}", number.as_str().unwrap()),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/local",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/click-stream",
    }]});
    assert_eq!(event, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_window_gathers_records_until_the_batch_is_full() {
    let bench = Bench::start(1).await;
    let log = Log::default();
    let maximum_batching_window = Duration::from_secs(300);
    let config = MappingConfig { batch_size: 4, maximum_batching_window, ..config() };
    let mapping = bench.map(config, succeeding(&log));
    bench.put_texts(&["0", "1", "2"]).await;
    let read = soon(mapping.progress().wait_until(|counts| counts.records_read == 3)).await.unwrap();
    assert_eq!(read.invocations, 0);
    bench.put_texts(&["3"]).await;
    soon(mapping.progress().wait_until_done(4)).await.unwrap();
    assert_eq!(log.texts(), [["0", "1", "2", "3"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_of_a_window_the_available_records_are_delivered() {
    let bench = Bench::start(1).await;
    let log = Log::default();
    let maximum_batching_window = Duration::from_millis(50);
    let mapping = bench.map(MappingConfig { maximum_batching_window, ..config() }, succeeding(&log));
    bench.put_texts(&["0", "1", "2"]).await;
    let counts = soon(mapping.progress().wait_until_done(3)).await.unwrap();
    assert_eq!((log.texts().concat(), counts.invocations), (vec!["0".into(), "1".into(), "2".into()], 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_stay_within_the_payload_of_a_synchronous_invocation() {
    let bench = Bench::start(1).await;
    // In base64 four of these are 5.3 MB, five are 6.7 MB.
    let megabyte = "x".repeat(1_000_000);
    for half in [0..4, 4..9] {
        bench.put(half.map(|_| ("user1".to_owned(), megabyte.clone()))).await;
    }
    let (sender, mut sizes) = mpsc::unbounded_channel();
    let mapping = bench.map(config(), move |event: String, _deadline: Instant| {
        sender.send((event.len(), read_event(&event).len())).unwrap();
        async { Ok(SUCCESS.to_owned()) }
    });
    soon(mapping.progress().wait_until_done(9)).await.unwrap();
    mapping.stop().await.unwrap();

    let mut batches = Vec::new();
    while let Some((bytes, records)) = sizes.recv().await {
        assert!(bytes <= MAX_EVENT_BYTES, "{bytes} bytes");
        batches.push(records);
    }
    assert_eq!(batches, [4, 4, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_is_not_read_further_ahead_than_two_batches() {
    let bench = Bench::start(1).await;
    bench.put((0..400).map(|number| ("user1".to_owned(), number.to_string()))).await;
    let (views, view) = watch::channel(None::<MappingProgress>);
    let (sender, mut ahead) = mpsc::unbounded_channel();
    let function = move |_event: String, _deadline: Instant| {
        let (mut view, sender) = (view.clone(), sender.clone());
        async move {
            let progress = view.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            // Long enough for a read that must not happen.
            tokio::time::sleep(Duration::from_millis(2)).await;
            let counts = progress.counts();
            sender.send(counts.records_read - counts.records_done).unwrap();
            Ok(SUCCESS.to_owned())
        }
    };
    let mapping = bench.map(MappingConfig { batch_size: 10, ..config() }, function);
    views.send_replace(Some(mapping.progress()));
    soon(mapping.progress().wait_until_done(400)).await.unwrap();
    mapping.stop().await.unwrap();

    let mut most = 0;
    while let Some(records) = ahead.recv().await {
        most = most.max(records);
    }
    assert_eq!(most, 20);
}
