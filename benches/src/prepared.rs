//! The tables as a long run leaves them, and the batches that come next.
//!
//! The run is simulated up to its steady state, in a process of its own so that its memory does not count. All slots of
//! the ring are stored. Of the items of users, who may be millions, only those are that the batches can read or replace:
//! of users in the log, and of those who click.

use std::collections::BTreeSet;
use std::process::Stdio;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures_util::stream::{self, TryStreamExt};
use kinesis_function::config::Settings as _;
use kinesis_function::limits::MAX_PUTS_PER_REQUEST;
use serde::{Deserialize, Serialize};
use sessionizer_fn::bucket::bounds::SLOTS;
use sessionizer_fn::config::Config;
use sessionizer_fn::ring_log::ring::{Expected, Ring};
use sessionizer_fn::state_log_entry::LogKey;
use sessionizer_fn::store::log_store::{LogStore, WriteResult};
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::rest_store::{RestResult, RestStore};
use sessionizer_fn::store::rest_table::RestTable;
use sessionizer_fn::store::settings::Settings;
use shared::user_id::UserId;
use tokio::process::Command;

use crate::counting_tables::CountingTables;
use crate::error::BenchError;
use crate::event::user_id;
use crate::simulation::{Load, Simulation};
use crate::stored::known_before;
use crate::typical_columns::Columns;
use crate::workload::{SimulatedClick, Workload};

/// The bucket in which all users are, see [`user_id`].
const BUCKET: u32 = 0;

/// Concurrent writes of users at rest.
const CONCURRENT_WRITES: usize = 8;

/// What to prepare.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Preparation {
    /// How users click, and the batching window.
    pub workload: Workload,
    /// Clicks per second of the shard and its bucket.
    pub clicks_per_second: f64,
    /// Batches to return.
    pub batches: u32,
    /// Users at rest to store besides those who click.
    pub at_rest: usize,
    /// What clicks have for columns. The variables declare them, too.
    pub columns: Columns,
}

/// What was stored, and what comes next.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prepared {
    /// Users under way in the stored log.
    pub hot_users: u64,
    /// Bytes of its live entries.
    pub log_bytes: u64,
    /// Commits from tail to head.
    pub log_slots: u64,
    /// The next batches, each with the place of its first record in the shard.
    pub batches: Vec<(u64, Vec<SimulatedClick>)>,
}

impl Preparation {
    /// Prepares the tables in a new process of this program.
    ///
    /// # Errors
    /// If it fails.
    pub async fn run(&self) -> Result<Prepared, BenchError> {
        let own = std::env::current_exe().map_err(BenchError::process("finding this program's file"))?;
        let mut command = Command::new(own);
        command.arg("prepare").arg(serde_json::to_string(self)?).stderr(Stdio::inherit()).kill_on_drop(true);
        let output = command.output().await.map_err(BenchError::process("preparing the tables"))?;
        serde_json::from_slice(&output.stdout)
            .map_err(|_| BenchError::Answer(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// The main function of that process.
    ///
    /// # Errors
    /// If a batch is not done, or a call to the services fails.
    pub async fn prepare(&self, dynamodb: &aws_sdk_dynamodb::Client) -> Result<Prepared, BenchError> {
        let config = Config::from_variables(std::env::vars()).map_err(BenchError::failed)?;
        let tables = CountingTables::of_known_users(self.columns)?;
        let load = Load { columns: self.columns, ..Load::new(self.workload, self.clicks_per_second) };
        let warm_up_ms = load.warm_up_ms();
        let mut simulation = Simulation::new(load, &tables, &tables, &tables)?;
        let gauges = simulation.run(warm_up_ms).await?.report.gauges;
        let batches: Vec<_> = (0..self.batches).map(|_| simulation.next_batch()).collect();
        store_log(dynamodb, &config, &tables).await?;
        store_users(dynamodb, &config, &tables, &batches).await?;
        store_others(dynamodb, &config, self.at_rest, self.columns).await?;
        Ok(Prepared {
            hot_users: gauges.hot_users,
            log_bytes: gauges.log_bytes,
            log_slots: gauges.log_slots,
            batches: batches.into_iter().map(|(clicks, place)| (place, clicks)).collect(),
        })
    }
}

/// Stores the settings and every slot of the ring.
async fn store_log(
    dynamodb: &aws_sdk_dynamodb::Client,
    config: &Config,
    tables: &CountingTables,
) -> Result<(), BenchError> {
    let simulated = tables.settings().ok_or_else(|| BenchError::failed("no batch was simulated"))?;
    let log = LogTable::new(dynamodb.clone(), &config.state_log_table, SLOTS, config.click_format.columns().clone());
    log.make_settings(Settings { buckets: config.state_buckets.into(), ..simulated })
        .await
        .map_err(BenchError::failed)?;
    let ring = Ring::new(simulated.slots, simulated.first_commit);
    for commit in tables.commits(BUCKET) {
        match log.write(BUCKET, ring.slot_of(commit.number), Expected::Nothing, &commit).await {
            WriteResult::Written => {}
            other => return Err(BenchError::failed(format!("a commit was not stored: {other:?}"))),
        }
    }
    Ok(())
}

/// Stores the items of the users in the log and of those of `batches`.
async fn store_users(
    dynamodb: &aws_sdk_dynamodb::Client,
    config: &Config,
    tables: &CountingTables,
    batches: &[(Vec<SimulatedClick>, u64)],
) -> Result<(), BenchError> {
    let commits = tables.commits(BUCKET);
    let tail = commits.last().map_or(0, |commit| commit.tail);
    let live = commits.iter().filter(|commit| commit.number >= tail).flat_map(|commit| &commit.entries);
    let mut ids: BTreeSet<UserId> = live.filter_map(|(key, _)| user_of(key)).cloned().collect();
    for click in batches.iter().flat_map(|(clicks, _)| clicks) {
        ids.insert(UserId::new(user_id(click.user)).map_err(|_| BenchError::failed("an invalid user id"))?);
    }
    let mut users = Vec::with_capacity(ids.len());
    for id in ids {
        let mut user = tables.at_rest(&id).ok_or_else(|| BenchError::failed("a user without an item"))?;
        user.entry.has_item = false; // as long as it is not stored
        users.push(user);
    }
    let results = rest_table(dynamodb, config).write(&users).await;
    match results.into_iter().find(|result| !matches!(result, RestResult::Written)) {
        None => Ok(()),
        Some(other) => Err(BenchError::failed(format!("a user was not stored: {other:?}"))),
    }
}

fn rest_table(dynamodb: &aws_sdk_dynamodb::Client, config: &Config) -> RestTable {
    RestTable::new(dynamodb.clone(), &config.state_table, config.click_format.columns().clone())
}

fn user_of(key: &LogKey) -> Option<&UserId> {
    match key {
        LogKey::User(user_id) => Some(user_id),
        LogKey::Origin(_) => None,
    }
}

/// Stores `count` users who never click: copies of one item, because it takes too long to make millions.
async fn store_others(
    dynamodb: &aws_sdk_dynamodb::Client,
    config: &Config,
    count: usize,
    columns: Columns,
) -> Result<(), BenchError> {
    if count == 0 {
        return Ok(());
    }
    let (table, key) = (config.state_table.as_str(), "user_id");
    let first = UserId::new("other").map_err(|_| BenchError::failed("an invalid user id"))?;
    let mut user = known_before(&first, columns).ok_or_else(|| BenchError::failed("a user without an item"))?;
    user.entry.has_item = false;
    rest_table(dynamodb, config).write(&[user]).await;
    let id = AttributeValue::S(first.as_str().to_owned());
    let read = dynamodb.get_item().table_name(table).key(key, id).send().await.map_err(BenchError::failed)?;
    let item = &read.item.ok_or_else(|| BenchError::failed("a user was not stored"))?;
    let put = |number: usize| {
        let mut item = item.clone();
        item.insert(key.to_owned(), AttributeValue::S(format!("other{number:08}")));
        let put = PutRequest::builder().set_item(Some(item)).build().map_err(BenchError::failed)?;
        Ok::<_, BenchError>(WriteRequest::builder().put_request(put).build())
    };
    stream::iter((1..count).step_by(MAX_PUTS_PER_REQUEST).map(Ok))
        .try_for_each_concurrent(CONCURRENT_WRITES, |first| async move {
            let numbers = first..(first + MAX_PUTS_PER_REQUEST).min(count);
            let puts = numbers.map(put).collect::<Result<Vec<_>, _>>()?;
            let answer = dynamodb.batch_write_item().request_items(table, puts).send().await;
            let left = answer.map_err(BenchError::failed)?.unprocessed_items.unwrap_or_default();
            if left.is_empty() { Ok(()) } else { Err(BenchError::failed("users were not stored")) }
        })
        .await
}
