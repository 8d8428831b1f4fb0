//! Reads users' states: those in the buckets' logs, and those at rest.
//!
//! Most users under way have both an entry in their bucket's log and an older item of session-state, so the logs are
//! read first, and an entry replaces the item. Writers move users from the log to session-state by writing the item
//! first, so no user is missed on the way.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use serde_json::{Value, json};
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::log_store::StoreError;
use sessionizer_fn::store::rest_table;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::error::OpsError;
use crate::state_logs::StateLogs;
use crate::stored::{ReadLimit, Stored, not_ours, scan};

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
    /// In the log, which keeps that the user was forgotten for about an hour.
    Forgotten,
}

impl StoredUser {
    /// What the pipeline expects of the user.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match (self.is_in_log, self.entry.window.told_closed) {
            _ if self.entry.is_forgotten() => Phase::Forgotten,
            (true, false) => Phase::UnderWay,
            (true, true) => Phase::Closed,
            (false, _) => Phase::AtRest,
        }
    }
}

impl StoredUser {
    /// As a JSON object.
    #[must_use]
    pub fn json(&self, user_id: &UserId) -> Value {
        let window = &self.entry.window;
        let last = window.last();
        json!({
            "user_id": user_id.as_str(),
            "phase": self.phase().word(),
            "session_id": window.last_ordinal().map(|ordinal| format!("{user_id}_{ordinal}")),
            "session_timestamp": last.map(|session| session.start.ms()),
            "last_click": last.map(|session| session.end.ms()),
            "event_count": last.map(|session| session.event_count),
        })
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
            Self::Forgotten => "forgotten",
        }
    }
}

/// The state of each user, those in logs first.
///
/// Sessions are read with these `columns`. A limit bounds the users, and which logs are read: whole logs, one after the
/// other, until there are enough users.
///
/// # Errors
/// If a table cannot be read or contains something that the functions did not write.
pub async fn users(
    client: &Client,
    tables: StateTables<'_>,
    columns: &SessionColumns,
    limit: ReadLimit,
) -> Result<Stored<BTreeMap<UserId, StoredUser>>, OpsError> {
    let mut users = BTreeMap::new();
    if let Some(logs) = StateLogs::open(client, tables.log).await? {
        let logs = logs.with_columns(columns.clone());
        for bucket in logs.buckets() {
            let memory = logs.load(bucket).await?;
            for (user_id, entry) in memory.users() {
                if is_reached(limit, users.len()) {
                    return Ok(Stored { items: users, has_more: true });
                }
                users.insert(user_id.clone(), StoredUser { entry: entry.clone(), is_in_log: true });
            }
        }
    }
    add_users_at_rest(client, tables.rest, columns, limit, users).await
}

fn is_reached(limit: ReadLimit, users: usize) -> bool {
    matches!(limit, ReadLimit::Items(most) if users >= most as usize)
}

async fn add_users_at_rest(
    client: &Client,
    table: &str,
    columns: &SessionColumns,
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
        let entry = rest_table::decode(item, columns)
            .map_err(|error| not_ours(table, &["user_id"], item, &reason_of(&error)))?;
        users.insert(user_id, StoredUser { entry, is_in_log: false });
    }
    Ok(Stored { items: users, has_more: read.has_more })
}

/// Without the table and the key, which the message has anyway.
pub(crate) fn reason_of(error: &StoreError) -> String {
    match error {
        StoreError::Unreadable { reason, .. } => reason.clone(),
        StoreError::Call(_) | StoreError::OtherColumns { .. } => error.to_string(),
    }
}
