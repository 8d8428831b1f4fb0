//! A stream in the embedded Kinesis, functions that record their batches, and waits that panic when they time out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, StreamStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use local_aws::event_source_mapping::{EventSourceMapping, Function, MappingConfig};
use local_aws::{KinesisServerOptions, LocalAws, LocalAwsOptions};
use serde_json::{Value, json};
use tokio::time::Instant;

pub(crate) const STREAM: &str = "click-stream";

pub(crate) const SUCCESS: &str = r#"{"batchItemFailures":[]}"#;

/// After this time without the expected event, a test has failed.
const HANGS: Duration = Duration::from_secs(60);

/// Awaits something that must happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANGS, what).await.expect("the awaited event did not happen")
}

/// Polls until a condition holds.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// A Kinesis with one stream.
pub(crate) struct Bench {
    pub(crate) embedded: LocalAws,
    pub(crate) kinesis: Client,
}

impl Bench {
    pub(crate) async fn start(shards: i32) -> Self {
        let kinesis = KinesisServerOptions { enforce_limits: false };
        let embedded = LocalAws::start(LocalAwsOptions { kinesis, ..LocalAwsOptions::default() }).await.unwrap();
        let kinesis = embedded.kinesis();
        kinesis.create_stream().stream_name(STREAM).shard_count(shards).send().await.unwrap();
        let bench = Self { embedded, kinesis };
        bench.until_active().await;
        bench
    }

    pub(crate) async fn until_active(&self) {
        soon(async {
            loop {
                let summary = self.kinesis.describe_stream_summary().stream_name(STREAM).send().await.unwrap();
                if summary.stream_description_summary.unwrap().stream_status == StreamStatus::Active {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    /// Puts records, given as (partition key, data).
    pub(crate) async fn put(&self, records: impl IntoIterator<Item = (String, String)>) {
        let entry = |(key, data): (String, String)| {
            PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(data)).build().unwrap()
        };
        let entries: Vec<_> = records.into_iter().map(entry).collect();
        for entries in entries.chunks(500) {
            let call = self.kinesis.put_records().stream_name(STREAM).set_records(Some(entries.to_vec()));
            assert_eq!(call.send().await.unwrap().failed_record_count, Some(0));
        }
    }

    /// Puts one record per text, all with one key.
    pub(crate) async fn put_texts(&self, texts: &[&str]) {
        self.put(texts.iter().map(|text| ("user1".to_owned(), (*text).to_owned()))).await;
    }

    pub(crate) fn map(&self, config: MappingConfig, function: impl Function) -> EventSourceMapping {
        EventSourceMapping::start(self.kinesis.clone(), config, function).unwrap()
    }
}

/// Settings that make tests fast.
pub(crate) fn config() -> MappingConfig {
    MappingConfig {
        function_timeout: Duration::from_secs(600),
        poll_interval: Duration::from_millis(2),
        retry_backoff_initial: Duration::from_millis(1),
        retry_backoff_max: Duration::from_millis(4),
        ..MappingConfig::new(STREAM)
    }
}

/// A record as a function receives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) shard: String,
    pub(crate) key: String,
    pub(crate) number: String,
    pub(crate) text: String,
}

pub(crate) fn read_event(event: &str) -> Vec<Delivered> {
    let event: Value = serde_json::from_str(event).unwrap();
    event["Records"].as_array().unwrap().iter().map(read_record).collect()
}

fn read_record(record: &Value) -> Delivered {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let kinesis = &record["kinesis"];
    let (shard, number) = record["eventID"].as_str().unwrap().split_once(':').unwrap();
    assert_eq!(kinesis["sequenceNumber"], number);
    Delivered {
        shard: shard.to_owned(),
        key: text(&kinesis["partitionKey"]),
        number: number.to_owned(),
        text: String::from_utf8(STANDARD.decode(text(&kinesis["data"])).unwrap()).unwrap(),
    }
}

/// The delivered batches, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Vec<Delivered>>>>);

impl Log {
    /// Records a batch and returns the number of earlier ones.
    pub(crate) fn note(&self, batch: Vec<Delivered>) -> usize {
        let mut batches = self.0.lock().unwrap();
        batches.push(batch);
        batches.len() - 1
    }

    pub(crate) fn batches(&self) -> Vec<Vec<Delivered>> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn records(&self) -> Vec<Delivered> {
        self.batches().concat()
    }

    /// The texts of each batch.
    pub(crate) fn texts(&self) -> Vec<Vec<String>> {
        let texts = |batch: Vec<Delivered>| batch.into_iter().map(|record| record.text).collect();
        self.batches().into_iter().map(texts).collect()
    }
}

/// A function that records each batch and responds depending on its number (from 0) and content.
pub(crate) fn answering<Answer>(log: &Log, answer: Answer) -> impl Function + use<Answer>
where
    Answer: Fn(usize, &[Delivered]) -> Result<String, String> + Send + Sync + 'static,
{
    let log = log.clone();
    move |event: String, _deadline: Instant| {
        let batch = read_event(&event);
        let answer = answer(log.note(batch.clone()), &batch);
        async { answer }
    }
}

/// A function that records each batch and succeeds.
pub(crate) fn succeeding(log: &Log) -> impl Function + use<> {
    answering(log, |_, _| Ok(SUCCESS.to_owned()))
}

/// The response that reports the records at these positions of a batch as failed.
pub(crate) fn reporting(batch: &[Delivered], places: &[usize]) -> Result<String, String> {
    let failures: Vec<_> = places.iter().map(|place| json!({ "itemIdentifier": batch[*place].number })).collect();
    Ok(json!({ "batchItemFailures": failures }).to_string())
}
