//! Reads users' states: those in the buckets' logs, and those at rest.
//!
//! Most users under way have both an entry in their bucket's log and an older item of session-state, so the logs are
//! read first, and an entry replaces the item. Writers move users from the log to session-state by writing the item
//! first, so no user is missed on the way.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use kinesis_function::call_error::CallError;
use kinesis_function::failures::Failures;
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::log_store::{LogStore, StoreError};
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::rest_table;
use sessionizer_fn::store::settings::{FORMAT, Settings};
use sessionizer_fn::work::error::BucketError;
use sessionizer_fn::work::reading::Reader;
use shared::user_id::UserId;
use tokio::time::timeout;

use crate::error::OpsError;
use crate::stored::{ReadLimit, Stored, not_ours, scan};

/// Longest time to read one bucket's log, retries included. A log has at most 512 items of 380 KB, which a throttled
/// table returns within a minute.
const MAX_TIME_PER_LOG: Duration = Duration::from_secs(60);

/// Settings outside these bounds were not written by a sessionizer. Source: design, section 7; the slots are bounded so
/// that a damaged item cannot cause endless reads.
const MAX_BUCKETS: u64 = 256;
const SLOTS: RangeInclusive<u64> = 2..=65_536;

/// The names of the tables with users' states.
#[derive(Clone, Copy, Debug)]
pub struct StateTables<'a> {
    /// The table of state logs.
    pub log: &'a str,
    /// The table of users at rest.
    pub rest: &'a str,
}

/// A user's state and where it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredUser {
    /// The state.
    pub entry: UserEntry,
    /// Whether it is in the log of the user's bucket, or else at rest.
    pub is_in_log: bool,
}

/// What the pipeline expects of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In the log, with a last session that may go on.
    UnderWay,
    /// In the log, whose last session is closed.
    Closed,
    /// In session-state only.
    AtRest,
}

impl StoredUser {
    /// What the pipeline expects of the user.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.is_in_log, self.entry.window.told_closed) {
            (true, false) => Phase::UnderWay,
            (true, true) => Phase::Closed,
            (false, _) => Phase::AtRest,
        }
    }
}

impl Phase {
    /// The phase in a word or two.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::UnderWay => "under way",
            Self::Closed => "closed",
            Self::AtRest => "at rest",
        }
    }
}

/// The state of each user, those in logs first.
///
/// A limit bounds the users, and which logs are read: whole logs, one after the other, until there are enough users.
///
/// # Errors
/// If a table cannot be read or contains something that the functions did not write.
pub async fn users(
    client: &Client,
    tables: StateTables<'_>,
    limit: ReadLimit,
) -> Result<Stored<BTreeMap<UserId, StoredUser>>, OpsError> {
    let mut users = BTreeMap::new();
    if let Some(settings) = settings(client, tables.log).await? {
        let failures = Failures::default();
        let store = LogTable::new(client.clone(), tables.log, settings.slots);
        let reader = Reader { store: &store, settings, failures: &failures };
        for bucket in 0..u32::try_from(settings.buckets).unwrap_or(u32::MAX) {
            let late = || CallError::of_part("BatchGetItem", "TimedOut", "the log was not read in time");
            let read = timeout(MAX_TIME_PER_LOG, reader.load(bucket)).await;
            let memory = read.map_err(|_| OpsError::of_table(tables.log)(late()))?;
            let memory = memory.map_err(|error| of_bucket(tables.log, error))?;
            for (user_id, entry) in memory.users() {
                if is_reached(limit, users.len()) {
                    return Ok(Stored { items: users, has_more: true });
                }
                users.insert(user_id.clone(), StoredUser { entry: entry.clone(), is_in_log: true });
            }
        }
    }
    add_users_at_rest(client, tables.rest, limit, users).await
}

fn is_reached(limit: ReadLimit, users: usize) -> bool {
    matches!(limit, ReadLimit::Items(most) if users >= most as usize)
}

async fn add_users_at_rest(
    client: &Client,
    table: &str,
    limit: ReadLimit,
    mut users: BTreeMap<UserId, StoredUser>,
) -> Result<Stored<BTreeMap<UserId, StoredUser>>, OpsError> {
    // Some of the items may be of users in the log.
    let in_log = u32::try_from(users.len()).unwrap_or(u32::MAX);
    let items = match limit {
        ReadLimit::WholeTable => ReadLimit::WholeTable,
        ReadLimit::Items(most) => ReadLimit::Items(most.saturating_add(in_log)),
    };
    let read = scan(client, table, items).await?;
    for item in &read.items {
        let name = item.get("user_id").and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        let user_id =
            UserId::new(name).map_err(|error| not_ours(table, &["user_id"], item, &format!("user_id is {error:?}")))?;
        if users.contains_key(&user_id) {
            continue;
        }
        if is_reached(limit, users.len()) {
            return Ok(Stored { items: users, has_more: true });
        }
        let entry =
            rest_table::decode(item).map_err(|error| not_ours(table, &["user_id"], item, &reason_of(&error)))?;
        users.insert(user_id, StoredUser { entry, is_in_log: false });
    }
    Ok(Stored { items: users, has_more: read.has_more })
}

/// The settings item, if there is one.
async fn settings(client: &Client, table: &str) -> Result<Option<Settings>, OpsError> {
    let store = LogTable::new(client.clone(), table, *SLOTS.start());
    let stored = store.settings().await.map_err(|error| of_bucket(table, error.into()))?;
    let is_known =
        |it: &Settings| it.format == FORMAT && (1..=MAX_BUCKETS).contains(&it.buckets) && SLOTS.contains(&it.slots);
    match stored.filter(|settings| !is_known(settings)) {
        None => Ok(stored),
        Some(settings) => {
            let fault = format!("the settings item says {settings}, which this version of sessionctl cannot read");
            Err(OpsError::Item { table: table.to_owned(), fault })
        }
    }
}

fn of_bucket(table: &str, error: BucketError) -> OpsError {
    match error {
        BucketError::Call(source) => OpsError::of_table(table)(source),
        other => OpsError::Item { table: table.to_owned(), fault: other.to_string() },
    }
}

/// Without the table and the key, which the message has anyway.
fn reason_of(error: &StoreError) -> String {
    match error {
        StoreError::Unreadable { reason, .. } => reason.clone(),
        StoreError::Call(error) => error.to_string(),
    }
}
