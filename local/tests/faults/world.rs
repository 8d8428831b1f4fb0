//! Embedded services, used by one trial after the other.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_types::SdkConfig;
use futures_util::future::join_all;
use kinesis_function::statements::Item;
use local::chaos::commits::Recorder;
use local::chaos::verdict::Found;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use ops::stored::{self, ReadLimit};
use ops::users::{self, StateTables};
use shared::boundary::Boundary;
use shared::columns::declaration::SessionColumns;
use tokio::sync::Mutex;

pub const TABLES: [&str; 4] = ["state-log", "session-state", "sessions", "rejected-records"];

pub struct World {
    pub embedded: LocalAws,
    pub sessionizer: BTreeMap<String, String>,
    pub sink: BTreeMap<String, String>,
    pub recorder: Recorder,
    /// The key attributes of each table.
    keys: BTreeMap<String, Vec<String>>,
    /// Where reading session-stream continues.
    iterator: Mutex<String>,
}

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
        let mut keys = BTreeMap::new();
        for table in TABLES {
            let described = embedded.dynamodb().describe_table().table_name(table).send().await.unwrap().table.unwrap();
            let names = described.key_schema().iter().map(|key| key.attribute_name().to_owned()).collect();
            keys.insert(table.to_owned(), names);
        }
        let environment = |function| template.function(function).unwrap().environment.clone();
        Self {
            sessionizer: environment("SessionizerFunction"),
            sink: environment("SinkFunction"),
            recorder: Recorder::default(),
            keys,
            iterator: Mutex::new(iterator),
            embedded,
        }
    }

    /// The configuration of the functions' clients.
    pub fn sdk(&self) -> &SdkConfig {
        self.embedded.client_config()
    }

    /// Makes it as it was at its start.
    pub async fn reset(&self) {
        self.recorder.quiet().await;
        self.recorder.take().unwrap();
        self.published_since().await;
        join_all(TABLES.map(|table| self.delete(table, |_| true))).await;
    }

    /// Deletes the tombstones, as DynamoDB does once they have expired.
    pub async fn expire_tombstones(&self) {
        self.delete("sessions", |item| item["status"] == AttributeValue::S("retracted".to_owned())).await;
    }

    /// Deletes the items of a table that match.
    pub async fn delete(&self, table: &str, matches: impl Fn(&Item) -> bool) {
        let items = self.items(table).await;
        let deletes = items.iter().filter(|item| matches(item)).map(|item| {
            let keys = self.keys[table].iter().map(|name| (name.clone(), item[name].clone())).collect();
            let delete = DeleteRequest::builder().set_key(Some(keys)).build().unwrap();
            WriteRequest::builder().delete_request(delete).build()
        });
        for deletes in deletes.collect::<Vec<_>>().chunks(25) {
            let call = self.embedded.dynamodb().batch_write_item().request_items(table, deletes.to_vec());
            assert!(call.send().await.unwrap().unprocessed_items.unwrap_or_default().is_empty());
        }
    }

    /// The table and the key of an item.
    pub fn name_of(&self, table: &str, item: &Item) -> String {
        let keys = self.keys[table].iter().map(|name| format!("{:?}", item[name]));
        format!("{table} {}", keys.collect::<Vec<_>>().join(" "))
    }

    /// All items of a table.
    pub async fn items(&self, table: &str) -> Vec<Item> {
        let scan = self.embedded.dynamodb().scan().table_name(table).consistent_read(true);
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }

    /// Puts items back as they were.
    pub async fn put(&self, table: &str, items: Vec<Item>) {
        for item in items {
            self.embedded.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
        }
    }

    /// The boundaries published to session-stream since the last call, as bytes.
    pub async fn published_since(&self) -> Vec<Vec<u8>> {
        let mut iterator = self.iterator.lock().await;
        let mut all = Vec::new();
        loop {
            let page = self.embedded.kinesis().get_records().shard_iterator(iterator.as_str()).send().await.unwrap();
            *iterator = page.next_shard_iterator.unwrap();
            if page.records.is_empty() {
                return all;
            }
            all.extend(page.records.into_iter().map(|it| it.data.into_inner()));
        }
    }

    /// The content of all tables, with these `columns`, together with `published`.
    pub async fn found(&self, published: Vec<Boundary>, columns: &SessionColumns) -> Found {
        let dynamodb = self.embedded.dynamodb();
        let tables = StateTables { log: "state-log", rest: "session-state" };
        let rejected = stored::rejected(&dynamodb, "rejected-records", ReadLimit::WholeTable).await.unwrap().items;
        Found {
            sessions: stored::sessions(&dynamodb, "sessions", ReadLimit::WholeTable).await.unwrap().items,
            states: users::users(&dynamodb, tables, columns, ReadLimit::WholeTable).await.unwrap().items,
            rejected: rejected.into_iter().map(|record| record.data).collect(),
            published,
        }
    }
}
