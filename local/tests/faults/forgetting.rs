//! `sessionctl forget`, what it leaves, and users who are forgotten while invocations are under way.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use fastrand::Rng;
use kinesis_function::statements::Item;
use local_aws::faults::Hold;
use ops::config::TableNames;
use ops::error::OpsError;
use ops::forget::{Forget, Removed};
use ops::stored::ReadLimit;
use ops::users::{self, Phase, StateTables};
use shared::click_format::ClickFormat;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::environments::Plan;
use crate::setup::{Setup, operator};
use crate::world::World;

/// One in this many commands dies, and one in as many is held for a while.
const COMMANDS_PER_DEATH: u8 = 4;

/// They are at one of this many first calls: more than half of them, most of which put tombstones.
const LAST_CALL_TO_DIE_AT: usize = 30;

/// Longer than the statements that write items of users at rest take here.
const SETTLING: Duration = Duration::from_millis(300);

/// More attempts than faults.
const MOST_ATTEMPTS: usize = 50;

/// The attributes of an empty tombstone.
const OF_TOMBSTONES: [&str; 8] =
    ["expires_at", "ordinal", "session_id", "session_time", "session_timestamp", "status", "user_id", "version"];

/// Runs the command once.
pub async fn forget(dynamodb: Client, user_id: UserId, now_ms: u64, settling: Duration) -> Result<Removed, OpsError> {
    let [sessions, state_log, states, rejected] =
        ["sessions", "state-log", "session-state", "rejected-records"].map(str::to_owned);
    let tables = TableNames { sessions, state_log, states, rejected };
    let forget = Forget {
        dynamodb: &dynamodb,
        tables: &tables,
        user_id: &user_id,
        format: &ClickFormat::default(),
        by_partition_key: false,
        stream_hours: 24,
        settling,
    };
    let found = forget.find(|_| ()).await?;
    forget.carry_out(&found, || now_ms, |_, _| ()).await
}

/// Whose an item is, if that can be read.
fn user_of(item: &Item) -> Option<UserId> {
    match (item.get("user_id"), item.get("data")) {
        (Some(AttributeValue::S(name)), _) => UserId::new(name.as_str()).ok(),
        (None, Some(AttributeValue::B(data))) => ClickFormat::default().user_id_in(data.as_ref()),
        _ => None,
    }
}

impl World {
    /// The items of all tables but the log that are not of the user, by table and key.
    pub async fn items_of_others(&self, user_id: &UserId) -> BTreeMap<String, Item> {
        let mut others = BTreeMap::new();
        for table in ["session-state", "sessions", "rejected-records"] {
            let items = self.items(table).await.into_iter().filter(|item| user_of(item).as_ref() != Some(user_id));
            others.extend(items.map(|item| (self.name_of(table, &item), item)));
        }
        others
    }

    /// What is stored of a user who was forgotten and has not clicked since, and must not be.
    pub async fn left_of(&self, user_id: &UserId) -> Vec<String> {
        let mut left = Vec::new();
        for table in ["session-state", "sessions", "rejected-records"] {
            let items = self.items(table).await.into_iter();
            let items = items.filter(|item| user_of(item).as_ref() == Some(user_id) && !is_empty_tombstone(item));
            left.extend(items.map(|item| format!("{table}: {item:?}")));
        }
        let tables = StateTables { log: "state-log", rest: "session-state" };
        let (dynamodb, columns) = (self.embedded.dynamodb(), SessionColumns::default());
        let states = users::users(&dynamodb, tables, &columns, ReadLimit::WholeTable).await.unwrap().items;
        let state = states.get(user_id).filter(|stored| stored.phase() != Phase::Forgotten);
        left.extend(state.map(|stored| format!("{stored:?}")));
        left
    }
}

fn is_empty_tombstone(item: &Item) -> bool {
    item.keys().all(|name| OF_TOMBSTONES.contains(&name.as_str()))
        && item.get("status") == Some(&AttributeValue::S("retracted".to_owned()))
        && item.get("session_timestamp") == Some(&AttributeValue::N("0".to_owned()))
}

/// A command under way.
struct Command {
    user_id: UserId,
    /// Whether it has succeeded.
    ended: JoinHandle<bool>,
    /// Releases it if it is held.
    let_go: oneshot::Sender<()>,
}

/// Commands that meet faults, die, and are held while invocations go on.
pub struct Forgetting<'w> {
    world: &'w World,
    rng: Rng,
    under_way: Vec<Command>,
    /// Whom a command has begun to forget.
    pub begun: BTreeSet<UserId>,
    /// Whom a command has not forgotten completely.
    owed: BTreeSet<UserId>,
}

impl<'w> Forgetting<'w> {
    pub fn new(world: &'w World, rng: Rng) -> Self {
        Self { world, rng, under_way: Vec::new(), begun: BTreeSet::new(), owed: BTreeSet::new() }
    }

    /// Begins to forget a user.
    pub fn begin(&mut self, setup: Setup, user_id: UserId, now_ms: u64) {
        self.begun.insert(user_id.clone());
        let (hold, is_there, let_go) = Hold::new();
        let fate = self.rng.u8(..COMMANDS_PER_DEATH);
        let mut plan = Plan::new(self.rng.u64(..));
        if fate < 2 {
            plan.hold(self.rng.usize(..LAST_CALL_TO_DIE_AT), self.rng.bool(), hold);
        }
        let dynamodb = operator(self.world, setup, move |call| plan.fault_for(call));
        let command = forget(dynamodb, user_id.clone(), now_ms, SETTLING);
        let (goes_on, is_released) = oneshot::channel::<()>();
        let ended = tokio::spawn(async move {
            let mut command = pin!(command);
            tokio::select! {
                biased;
                Ok(()) = is_there => {}
                removed = &mut command => return removed.is_ok(),
            }
            if fate == 0 {
                return false; // it has died
            }
            let _ = is_released.await; // an error also releases it
            drop(let_go);
            command.await.is_ok()
        });
        self.under_way.push(Command { user_id, ended, let_go: goes_on });
    }

    /// Lets one of them go on to its end, now and then.
    pub async fn release_some(&mut self) {
        if !self.under_way.is_empty() && self.rng.u8(..4) == 0 {
            let place = self.rng.usize(..self.under_way.len());
            let command = self.under_way.swap_remove(place);
            self.end(command).await;
        }
    }

    /// Lets all of them go on to their ends.
    pub async fn finish(&mut self) {
        for command in std::mem::take(&mut self.under_way) {
            self.end(command).await;
        }
    }

    async fn end(&mut self, Command { user_id, ended, let_go }: Command) {
        drop(let_go);
        if !ended.await.unwrap() {
            self.owed.insert(user_id);
        }
    }

    /// Forgets those again whom a command has not forgotten completely, and `more`, while nothing else is under way and
    /// the sink has stored all that was published.
    pub async fn forget_when_quiet(&mut self, setup: Setup, more: Option<UserId>, now_ms: u64) -> Result<(), String> {
        self.begun.extend(more.clone());
        self.owed.extend(more);
        for user_id in std::mem::take(&mut self.owed) {
            let others = self.world.items_of_others(&user_id).await;
            let mut plan = Plan::new(self.rng.u64(..));
            let dynamodb = operator(self.world, setup, move |call| plan.fault_for(call));
            for attempt in 1.. {
                match forget(dynamodb.clone(), user_id.clone(), now_ms, Duration::ZERO).await {
                    Ok(_) => break,
                    Err(error) if attempt == MOST_ATTEMPTS => {
                        return Err(format!("{user_id} is not forgotten: {error}"));
                    }
                    Err(_) => {}
                }
            }
            let left = self.world.left_of(&user_id).await;
            if !left.is_empty() {
                return Err(format!("left of {user_id}: {left:?}"));
            }
            if self.world.items_of_others(&user_id).await != others {
                return Err(format!("other items have changed when {user_id} was forgotten: they were {others:?}"));
            }
        }
        Ok(())
    }
}
