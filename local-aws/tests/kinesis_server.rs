//! The embedded Kinesis, called through the SDK: exact for readers that follow a stream, and as strict as AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::operation::put_records::PutRecordsOutput;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, ScalingType, ShardIteratorType, StreamStatus};
use futures_util::future::join_all;
use local_aws::{KinesisServer, KinesisServerOptions, LocalAws, LocalAwsOptions};
use tokio::net::TcpStream;

const STREAM: &str = "a-stream";

async fn embedded_with(shards: i32, options: KinesisServerOptions) -> LocalAws {
    let options = LocalAwsOptions { kinesis: options, ..LocalAwsOptions::default() };
    let embedded = LocalAws::start(options).await.unwrap();
    let kinesis = embedded.kinesis();
    kinesis.create_stream().stream_name(STREAM).shard_count(shards).send().await.unwrap();
    until_active(&kinesis).await;
    embedded
}

async fn until_active(kinesis: &Client) {
    loop {
        let summary = kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
        let status = summary.stream_description_summary.unwrap().stream_status;
        if status == StreamStatus::Active {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn put(kinesis: &Client, records: Vec<(String, Vec<u8>)>) -> PutRecordsOutput {
    let entry =
        |(key, data)| PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data)).build().unwrap();
    let entries = records.into_iter().map(entry).collect();
    kinesis.put_records().stream_name(STREAM).set_records(Some(entries)).send().await.unwrap()
}

async fn shard_ids(kinesis: &Client) -> Vec<String> {
    let shards = kinesis.list_shards().stream_name(STREAM).send().await.unwrap().shards.unwrap();
    shards.into_iter().map(|shard| shard.shard_id).collect()
}

async fn iterator_at_the_start(kinesis: &Client, shard_id: &str) -> String {
    let call = kinesis
        .get_shard_iterator()
        .stream_name(STREAM)
        .shard_id(shard_id)
        .shard_iterator_type(ShardIteratorType::TrimHorizon);
    call.send().await.unwrap().shard_iterator.unwrap()
}

/// Follows a shard until `writing` is over and no records are left: (sequence number, data) of each record.
async fn follow(kinesis: Client, shard_id: String, writing: Arc<AtomicBool>) -> Vec<(String, String)> {
    let mut seen = Vec::new();
    let mut iterator = Some(iterator_at_the_start(&kinesis, &shard_id).await);
    while let Some(position) = iterator {
        let more_may_come = writing.load(Ordering::SeqCst);
        let answer = kinesis.get_records().shard_iterator(position).send().await.unwrap();
        for record in &answer.records {
            let text = String::from_utf8(record.data.as_ref().to_vec()).unwrap();
            // They have the same length, so they compare as text as they do as numbers.
            assert_eq!(record.sequence_number.len(), 56, "{}", record.sequence_number);
            seen.push((record.sequence_number.clone(), text));
        }
        if answer.records.is_empty() && !more_may_come {
            break;
        }
        iterator = answer.next_shard_iterator;
    }
    seen
}

fn port_of(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

async fn closes_its_port(url: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(("127.0.0.1", port_of(url))).await.is_ok() {
        assert!(Instant::now() < deadline, "{url} still answers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_record_is_returned_as_it_was_put() {
    let embedded = embedded_with(1, KinesisServerOptions::default()).await;
    let kinesis = embedded.kinesis();
    let put = kinesis.put_record().stream_name(STREAM).partition_key("user1").data(Blob::new([0, 255, b'{']));
    let put = put.send().await.unwrap();

    let iterator = iterator_at_the_start(&kinesis, put.shard_id()).await;
    let got = kinesis.get_records().shard_iterator(iterator).send().await.unwrap();

    let [record] = got.records.as_slice() else { panic!("{:?}", got.records) };
    assert_eq!(record.partition_key.as_deref(), Some("user1"));
    assert_eq!(record.data.as_ref(), [0, 255, b'{']);
    assert_eq!(record.sequence_number, put.sequence_number);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_that_follow_a_stream_miss_no_record_of_many_writers() {
    const WRITERS: usize = 16;
    const CALLS: usize = 12;
    const RECORDS_A_CALL: usize = 25;
    let embedded = embedded_with(2, KinesisServerOptions { enforce_limits: false }).await;
    let kinesis = embedded.kinesis();
    let writing = Arc::new(AtomicBool::new(true));

    let mut readers = Vec::new();
    for shard_id in shard_ids(&kinesis).await {
        for _ in 0..2 {
            let follow = follow(kinesis.clone(), shard_id.clone(), writing.clone());
            readers.push((shard_id.clone(), tokio::spawn(follow)));
        }
    }
    let writers = (0..WRITERS).map(|writer| {
        let kinesis = kinesis.clone();
        tokio::spawn(async move {
            for call in 0..CALLS {
                let name = |record| format!("{writer}/{call}/{record}");
                let records = (0..RECORDS_A_CALL).map(|record| (name(record), name(record).into()));
                assert_eq!(put(&kinesis, records.collect()).await.failed_record_count, Some(0));
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    writing.store(false, Ordering::SeqCst);

    let mut seen: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for (shard_id, reader) in readers {
        seen.push((shard_id, reader.await.unwrap()));
    }
    for (shard_id, records) in &seen {
        assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0), "order within {shard_id}");
    }
    // Two readers of one shard see the same records, and both shards together contain every record once.
    let (first, second): (Vec<_>, Vec<_>) = seen.chunks(2).map(|pair| (&pair[0], &pair[1])).unzip();
    assert_eq!(first, second);
    let all: Vec<&String> = first.iter().flat_map(|(_, it)| it).map(|(_, name)| name).collect();
    assert_eq!(all.len(), WRITERS * CALLS * RECORDS_A_CALL);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

#[tokio::test]
async fn records_above_a_shards_record_limit_are_throttled_individually() {
    let embedded = embedded_with(1, KinesisServerOptions::default()).await;
    let kinesis = embedded.kinesis();
    // The third call within one second is over the limit. A slow machine may need more than a second for three, so a
    // few rounds are allowed.
    for _ in 0..30 {
        let records = (0..500).map(|number| (format!("user{number}"), b"{}".to_vec()));
        let answer = put(&kinesis, records.collect()).await;
        let codes: Vec<String> = answer.records.into_iter().filter_map(|record| record.error_code).collect();
        assert_eq!(answer.failed_record_count, i32::try_from(codes.len()).ok());
        if !codes.is_empty() {
            assert!(codes.iter().all(|code| code == "ProvisionedThroughputExceededException"), "{codes:?}");
            return;
        }
    }
    panic!("30 calls of 500 records each were accepted");
}

#[tokio::test]
async fn records_above_a_shards_byte_limit_are_throttled_individually() {
    let embedded = embedded_with(1, KinesisServerOptions::default()).await;
    // A call that crosses the start of a second has two seconds' capacity; that does not happen in every one of these.
    for _ in 0..5 {
        let records = (0..3).map(|number| (format!("user{number}"), vec![b'x'; 500 * 1024]));
        let answer = put(&embedded.kinesis(), records.collect()).await;
        let failed: Vec<bool> = answer.records.iter().map(|it| it.error_code.is_some()).collect();
        if failed == [false, false, true] {
            assert_eq!(answer.failed_record_count, Some(1));
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("none of 5 calls of 1.5 MB each was throttled from exactly its third record on");
}

#[tokio::test]
async fn without_limits_a_burst_is_accepted() {
    let embedded = embedded_with(1, KinesisServerOptions { enforce_limits: false }).await;
    for _ in 0..6 {
        let records = (0..500).map(|number| (format!("user{number}"), b"{}".to_vec()));
        let answer = put(&embedded.kinesis(), records.collect()).await;
        assert_eq!(answer.failed_record_count, Some(0));
    }
}

#[tokio::test]
async fn a_call_with_almost_five_megabytes_of_records_is_accepted() {
    let embedded = embedded_with(1, KinesisServerOptions { enforce_limits: false }).await;
    let records = (0..5).map(|number| (format!("user{number}"), vec![b'x'; 1_000_000]));
    let answer = put(&embedded.kinesis(), records.collect()).await;
    assert_eq!(answer.failed_record_count, Some(0));
}

#[tokio::test]
async fn a_resharded_stream_keeps_every_record_on_its_shard() {
    let embedded = embedded_with(2, KinesisServerOptions { enforce_limits: false }).await;
    let kinesis = embedded.kinesis();
    let records = |round: &str| (0..100).map(|it| (format!("user{it}"), format!("{round}{it}").into())).collect();
    put(&kinesis, records("before")).await;
    kinesis
        .update_shard_count()
        .stream_name(STREAM)
        .target_shard_count(4)
        .scaling_type(ScalingType::UniformScaling)
        .send()
        .await
        .unwrap();
    until_active(&kinesis).await;
    put(&kinesis, records("after")).await;

    let shards = shard_ids(&kinesis).await;
    assert_eq!(shards.len(), 6, "two parents, four children");
    let done = Arc::new(AtomicBool::new(false));
    let mut seen = Vec::new();
    for shard_id in &shards {
        seen.push(follow(kinesis.clone(), shard_id.clone(), done.clone()).await);
    }
    let in_shards = |range: std::ops::Range<usize>, round: &str| {
        let records = seen[range].iter().flatten();
        records.filter(|(_, name)| name.starts_with(round)).count()
    };
    assert_eq!((in_shards(0..2, "before"), in_shards(0..2, "after")), (100, 0));
    assert_eq!((in_shards(2..6, "before"), in_shards(2..6, "after")), (0, 100));
}

#[tokio::test]
async fn a_dropped_server_closes_its_port_and_leaves_no_task() {
    let server = KinesisServer::start().await.unwrap();
    let url = server.url();
    drop(server);
    closes_its_port(&url).await;
    let alive = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let deadline = Instant::now() + Duration::from_secs(5);
    while alive() > 0 {
        assert!(Instant::now() < deadline, "{} tasks are left", alive());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn both_servers_stop_with_the_value_that_owns_them_although_clients_remain() {
    let embedded = embedded_with(1, KinesisServerOptions::default()).await;
    let (kinesis, dynamodb) = (embedded.kinesis(), embedded.dynamodb());
    dynamodb.list_tables().send().await.unwrap();
    let urls = [embedded.kinesis_url(), embedded.dynamodb_url()];
    drop(embedded);
    for url in &urls {
        closes_its_port(url).await;
    }
    assert!(kinesis.list_streams().send().await.is_err());
}
