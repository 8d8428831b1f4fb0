//! Embedded services shared by many trials, each with its own users and shards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_kinesis::types::ShardIteratorType;
use aws_types::SdkConfig;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use tokio::sync::Mutex;

pub struct World {
    pub embedded: LocalAws,
    pub sessionizer: BTreeMap<String, String>,
    pub sink: BTreeMap<String, String>,
    /// Where reading session-stream continues.
    iterator: Mutex<String>,
    trials: AtomicU64,
}

/// A record of session-stream: sequence number, partition key, bytes.
pub type Published = (String, String, Vec<u8>);

impl World {
    pub async fn start() -> Self {
        // No limits on writes: a thousand trials share one shard.
        let kinesis = local_aws::KinesisServerOptions { enforce_limits: false };
        let embedded = LocalAws::start(LocalAwsOptions { kinesis, ..LocalAwsOptions::default() }).await.unwrap();
        let template = Template::of_this_project().unwrap();
        embedded.create_resources(&template, Some(1)).await.unwrap();
        let iterator = embedded
            .kinesis()
            .get_shard_iterator()
            .stream_name("session-stream")
            .shard_id("shardId-000000000000")
            .shard_iterator_type(ShardIteratorType::TrimHorizon);
        let iterator = iterator.send().await.unwrap().shard_iterator.unwrap();
        let environment = |function| template.function(function).unwrap().environment.clone();
        Self {
            sessionizer: environment("SessionizerFunction"),
            sink: environment("SinkFunction"),
            iterator: Mutex::new(iterator),
            trials: AtomicU64::new(0),
            embedded,
        }
    }

    /// A name that no other trial of this world uses.
    pub fn next_name(&self) -> String {
        format!("t{}", self.trials.fetch_add(1, Ordering::Relaxed))
    }

    /// The configuration of the functions' clients.
    pub fn sdk(&self) -> &SdkConfig {
        self.embedded.client_config()
    }

    /// The records published to session-stream since the last call. Only one trial at a time can use a world.
    pub async fn published_since(&self) -> Vec<Published> {
        let mut iterator = self.iterator.lock().await;
        let mut all = Vec::new();
        loop {
            let page = self.embedded.kinesis().get_records().shard_iterator(iterator.as_str()).send().await.unwrap();
            *iterator = page.next_shard_iterator.unwrap();
            if page.records.is_empty() {
                return all;
            }
            let records = page.records.into_iter();
            all.extend(
                records.map(|it| (it.sequence_number, it.partition_key.unwrap_or_default(), it.data.into_inner())),
            );
        }
    }
}
