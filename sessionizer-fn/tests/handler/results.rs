//! What invocations have left: boundaries, states and items.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::failures::Failures;
use kinesis_function::statements::Item;
use local_aws::CapturedLogs;
use serde_json::Value;
use sessionizer_fn::bucket::id::bucket_of;
use sessionizer_fn::bucket::memory::BucketMemory;
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::log_store::LogStore;
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::rest_store::RestStore;
use sessionizer_fn::store::rest_table::RestTable;
use sessionizer_fn::work::reading::Reader;
use shared::boundary::Boundary;
use shared::columns::declaration::SessionColumns;
use shared::session::Status;
use shared::user_id::UserId;

use crate::world::{BEGIN_MS, World};

impl World {
    /// All boundaries in session-stream.
    pub async fn published(&self) -> Vec<Boundary> {
        let kinesis = self.embedded.kinesis();
        let iterator = kinesis
            .get_shard_iterator()
            .stream_name("session-stream")
            .shard_id("shardId-000000000000")
            .shard_iterator_type(aws_sdk_kinesis::types::ShardIteratorType::TrimHorizon);
        let mut iterator = iterator.send().await.unwrap().shard_iterator;
        let mut boundaries = Vec::new();
        loop {
            let page = kinesis.get_records().set_shard_iterator(iterator).send().await.unwrap();
            boundaries.extend(page.records.iter().map(|record| Boundary::decode(record.data.as_ref()).unwrap()));
            if page.records.is_empty() && page.millis_behind_latest.unwrap_or(0) == 0 {
                return boundaries;
            }
            iterator = page.next_shard_iterator;
        }
    }

    /// The published boundaries as session id and status, sorted.
    pub async fn told(&self) -> Vec<(String, &'static str)> {
        let boundaries = self.published().await;
        let mut told: Vec<_> = boundaries.into_iter().map(|b| (b.session_id(), b.status.unwrap().word())).collect();
        told.sort();
        told
    }

    /// What the sessions table will hold, without tombstones: of each session, the boundary with the highest version.
    pub async fn table(&self) -> BTreeMap<(String, u64), Boundary> {
        let mut table: BTreeMap<(String, u64), Boundary> = BTreeMap::new();
        for boundary in self.published().await {
            let key = (boundary.user_id.as_str().to_owned(), boundary.ordinal);
            let before = table.get(&key);
            if let Some(before) = before.filter(|before| before.version == boundary.version) {
                assert_eq!(before, &boundary, "one version of a session has two contents");
            }
            if before.is_none_or(|before| before.version < boundary.version) {
                table.insert(key, boundary);
            }
        }
        table.retain(|_, boundary| boundary.status != Some(Status::Retracted));
        table
    }

    /// The user's sessions as the sessions table will hold them, such as `1: 100000 open` or
    /// `0: 100000 to 105000, 2 clicks`.
    pub async fn sessions(&self, user: &str) -> Vec<String> {
        let table = self.table().await;
        let of_user = table.iter().filter(|((of, _), _)| of == user);
        of_user.map(|((_, ordinal), boundary)| session_text(*ordinal, boundary)).collect()
    }

    /// The memory of a newcomer to this bucket.
    pub async fn bucket(&self, bucket: u32) -> BucketMemory {
        let options = self.options(&self.config(&[]));
        let store = LogTable::new(self.embedded.dynamodb(), "state-log", options.slots, SessionColumns::default());
        let settings = store.settings().await.unwrap().expect("settings");
        let failures = Failures::default();
        Reader { store: &store, settings, failures: &failures }.load(bucket).await.unwrap()
    }

    /// The number of the newest commit of this bucket.
    pub async fn head(&self, bucket: u32) -> Option<u64> {
        self.bucket(bucket).await.log().head()
    }

    pub fn bucket_of(&self, user: &str) -> u32 {
        bucket_of(&UserId::new(user).unwrap(), self.config(&[]).state_buckets)
    }

    /// The first `count` user ids made of `name` and a number that belong to `bucket`.
    pub fn users_in(&self, bucket: u32, name: &str, count: usize) -> Vec<String> {
        (0..).map(|n| format!("{name}{n}")).filter(|user| self.bucket_of(user) == bucket).take(count).collect()
    }

    /// The user's entry in the log.
    pub async fn logged(&self, user: &str) -> Option<UserEntry> {
        self.bucket(self.bucket_of(user)).await.user(&UserId::new(user).unwrap()).cloned()
    }

    /// The user's state: the entry in the log if there is one, else the item of session-state.
    pub async fn state(&self, user: &str) -> UserEntry {
        if let Some(entry) = self.logged(user).await {
            return entry;
        }
        let table = RestTable::new(self.embedded.dynamodb(), "session-state", SessionColumns::default());
        table.read(&[UserId::new(user).unwrap()]).await.pop().unwrap().unwrap().expect("a state")
    }

    /// Start, end and count of the sessions of the user's state, with the ordinals.
    pub async fn window(&self, user: &str) -> Vec<(u64, u64, u64, u64)> {
        let window = self.state(user).await.window;
        let sessions = (window.first_ordinal..).zip(&window.sessions);
        sessions.map(|(n, it)| (n, it.start.ms() - BEGIN_MS, it.end.ms() - BEGIN_MS, it.event_count)).collect()
    }

    /// The user's item of session-state.
    pub async fn item(&self, user: &str) -> Option<Item> {
        self.get("session-state", "user_id", user).await
    }

    /// The item of state-log with this key.
    pub async fn log_item(&self, key: &str) -> Option<Item> {
        self.get("state-log", "slot", key).await
    }

    /// The key of the newest commit's item.
    pub async fn newest_slot(&self, bucket: u32) -> String {
        let slots = self.options(&self.config(&[])).slots;
        format!("{bucket}/{}", self.head(bucket).await.unwrap() % slots)
    }

    async fn get(&self, table: &str, key: &str, value: &str) -> Option<Item> {
        let value = AttributeValue::S(value.to_owned());
        self.embedded.dynamodb().get_item().table_name(table).key(key, value).send().await.unwrap().item
    }

    pub async fn put(&self, table: &str, item: Item) {
        self.embedded.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    /// All items of a table.
    pub async fn items(&self, table: &str) -> Vec<Item> {
        let scan = self.embedded.dynamodb().scan().table_name(table);
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }

    pub async fn rejected(&self) -> Vec<Item> {
        self.items("rejected-records").await
    }

    /// Deletes these items of state-log; all if `keys` is `None`.
    pub async fn delete_from_log(&self, keys: Option<&[&str]>) {
        for item in self.items("state-log").await {
            let key = item["slot"].clone();
            if keys.is_none_or(|keys| keys.contains(&key.as_s().unwrap().as_str())) {
                self.embedded.dynamodb().delete_item().table_name("state-log").key("slot", key).send().await.unwrap();
            }
        }
    }
}

/// A session of the sessions table, as [`World::sessions`] shows it.
pub fn session_text(ordinal: u64, boundary: &Boundary) -> String {
    let start = boundary.session_timestamp.ms() - BEGIN_MS;
    match boundary.status.unwrap() {
        Status::Open => format!("{ordinal}: {start} open"),
        Status::Closed { end, event_count } => {
            format!("{ordinal}: {start} to {}, {event_count} clicks", end.ms() - BEGIN_MS)
        }
        Status::Retracted => panic!("a retracted session is in no table"),
    }
}

/// The lines about failed calls and blocked records, with their levels: not those of the servers and the SDK, which run
/// in the same thread.
pub fn failures(logs: &CapturedLogs) -> Vec<(String, Value)> {
    logs.lines().into_iter().filter(|(_, fields)| !fields["what"].is_null()).collect()
}

/// Bytes of an item as DynamoDB counts them, approximately: names, texts, binaries, and a few for each number.
pub fn item_bytes(item: &Item) -> usize {
    let bytes = |value: &AttributeValue| match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::N(digits) => digits.len() / 2 + 1,
        other => panic!("no attribute of ours is {other:?}"),
    };
    item.iter().map(|(name, value)| name.len() + bytes(value)).sum()
}
