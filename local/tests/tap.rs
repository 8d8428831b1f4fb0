//! The tap of session-stream: however slow its reader, the pipeline continues and memory stays bounded.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use local::pipeline::{Options, Pipeline};
use local::producer::Producer;
use local::tap::{BATCH_RECORDS, BATCHES_AHEAD};
use shared::boundary::Boundary;

const USERS: u64 = 400;
const CLICKS_PER_USER: u64 = 3;

async fn pipeline() -> Pipeline {
    Pipeline::start(Options { shards: Some(1), ..Options::default() }).await.unwrap()
}

/// Puts clicks a minute apart, round by round, and waits until their sessions are stored.
async fn put_clicks(pipeline: &Pipeline) -> u64 {
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await.unwrap();
    for round in 0..CLICKS_PER_USER {
        for user in 0..USERS {
            let ms = 1_721_390_000_000 + round * 60_000;
            let click = format!(r#"{{"user_id":"user{user}","event_timestamp":{ms}}}"#);
            producer.take(format!("user{user}"), click.into_bytes()).await.unwrap();
        }
        producer.flush().await.unwrap();
    }
    pipeline.drain(producer.records_put()).await.unwrap();
    pipeline.sessionizer_total.now().published
}

#[tokio::test(flavor = "multi_thread")]
async fn late_reader_gets_everything_in_order_per_user() {
    let pipeline = pipeline().await;
    let (tap, mut batches) = pipeline.tap_boundaries().unwrap();
    let published = put_clicks(&pipeline).await; // the sink stores all of it although the tap is not read
    let bound = (BATCHES_AHEAD * BATCH_RECORDS) as u64;
    assert!(published > 2 * bound, "{published} boundaries are enough to show a bound of {bound}");
    // The tap passes on as much as fits and no more, however long it waits.
    while batches.len() < BATCHES_AHEAD {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(tap.progress().counts().records_done <= bound, "{:?}", tap.progress().counts());

    let read = async {
        let mut by_user: BTreeMap<String, Vec<(String, &'static str)>> = BTreeMap::new();
        while let Some(batch) = batches.recv().await {
            assert!(batch.len() <= BATCH_RECORDS);
            for data in batch {
                let boundary = Boundary::decode(&data).unwrap();
                let what = (boundary.session_id(), boundary.status.unwrap().word());
                by_user.entry(boundary.user_id.to_string()).or_default().push(what);
            }
        }
        by_user
    };
    let (finished, by_user) = tokio::join!(tap.finish(published), read);
    finished.unwrap();
    assert_eq!(by_user.values().map(|boundaries| boundaries.len() as u64).sum::<u64>(), published);
    assert_eq!(by_user.len() as u64, USERS);
    for (user, boundaries) in by_user {
        let ids = boundaries.iter().map(|(id, _)| id.clone());
        assert!(ids.is_sorted(), "{user}: {boundaries:?}");
        assert_eq!(boundaries.last(), Some(&(format!("{user}_{}", CLICKS_PER_USER - 1), "open")));
    }
    pipeline.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tap_ends_although_its_reader_was_dropped() {
    let pipeline = pipeline().await;
    let (tap, batches) = pipeline.tap_boundaries().unwrap();
    drop(batches);
    let published = put_clicks(&pipeline).await;
    tap.finish(published).await.unwrap();
    pipeline.stop().await.unwrap();
}
