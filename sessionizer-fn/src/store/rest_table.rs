//! The session-state table: DynamoDB as a [`RestStore`], one item per user at rest.
//!
//! Reads are consistent BatchGetItems. Writes are statements conditional on the item's commit number; whether an item
//! exists is found out by trying, because DynamoDB need not return the item of a failed condition.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::{MAX_KEYS_PER_READ, MAX_STATEMENTS_PER_REQUEST};
use kinesis_function::statements::{self, Item, Statement, StatementResult};
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::state_log_codec::{columns_of_user, decode_user, encode_user};
use crate::state_log_entry::UserEntry;
use crate::store::attributes::{bytes, number, number_value};
use crate::store::log_store::StoreError;
use crate::store::rest_store::{RestResult, RestStore, RestingUser};

const TABLE: &str = "session-state";
const GET: &str = "BatchGetItem";
const WRITE: &str = "BatchExecuteStatement";

const KEY: &str = "user_id";
/// The end of the last session, in Unix milliseconds; for people.
const LAST_SEEN: &str = "last_seen";
/// The ordinal of the last session; for people.
const ORDINAL: &str = "ordinal";
const COMMIT: &str = "commit";
/// What [`crate::state_log_codec`] makes of the user.
const REST: &str = "rest";

/// Concurrent requests of one read or write. A call takes a few milliseconds, so a handful keeps one vCPU busy.
const CONCURRENT_REQUESTS: usize = 8;

/// Most attempts for one user: the likely statement, the other one, and the first one again.
const MAX_ATTEMPTS: usize = 3;

/// The table of users at rest.
#[derive(Clone, Debug)]
pub struct RestTable {
    client: Client,
    name: String,
    insert: String,
    update: String,
    columns: SessionColumns,
}

#[derive(Clone, Copy)]
enum Attempt {
    Insert,
    Update,
}

impl RestTable {
    /// The table called `name`, as a deployment sees it whose sessions have these `columns`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>, columns: SessionColumns) -> Self {
        let name = name.into();
        Self {
            insert: format!(
                "INSERT INTO \"{name}\" VALUE \
                 {{'{LAST_SEEN}': ?, '{ORDINAL}': ?, '{COMMIT}': ?, '{REST}': ?, '{KEY}': ?}}"
            ),
            update: format!(
                "UPDATE \"{name}\" SET \"{LAST_SEEN}\" = ? SET \"{ORDINAL}\" = ? SET \"{COMMIT}\" = ? \
                 SET \"{REST}\" = ? WHERE \"{KEY}\" = ? AND \"{COMMIT}\" <= ?"
            ),
            client,
            name,
            columns,
        }
    }

    async fn read_chunk(&self, users: &[UserId]) -> Vec<Result<Option<UserEntry>, StoreError>> {
        match self.try_read(users).await {
            Ok(results) => results,
            Err(error) => users.iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    async fn try_read(&self, users: &[UserId]) -> Result<Vec<Result<Option<UserEntry>, StoreError>>, CallError> {
        let request = self.client.batch_get_item().request_items(&self.name, keys(users)?);
        let answer = request.send().await.map_err(|error| CallError::of(GET, &error))?;
        let items = answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
        let items: HashMap<&str, &Item> = items.iter().filter_map(|item| Some((key_of(item)?, item))).collect();
        let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
        let unread: HashSet<&str> = unread.iter().flat_map(KeysAndAttributes::keys).filter_map(key_of).collect();
        let result = |user: &UserId| match items.get(user.as_str()) {
            Some(item) => Ok(Some(decode(item, &self.columns)?)),
            None if unread.contains(user.as_str()) => {
                let what = "the key is in UnprocessedKeys, probably because of a throttle";
                Err(CallError::incomplete_answer(GET, what).into())
            }
            None => Ok(None),
        };
        Ok(users.iter().map(result).collect())
    }

    /// Writes users, as many as statements fit into a request.
    async fn write_chunk(&self, users: &[RestingUser]) -> Vec<RestResult> {
        let mut results: Vec<Option<RestResult>> = users.iter().map(|_| None).collect();
        let mut open = Vec::with_capacity(users.len());
        for (place, user) in users.iter().enumerate() {
            match values(user, &self.columns) {
                Ok(values) => {
                    let first = if user.entry.has_item { Attempt::Update } else { Attempt::Insert };
                    open.push((place, first, values));
                }
                Err(error) => results[place] = Some(RestResult::Failed(error)),
            }
        }
        for _ in 0..MAX_ATTEMPTS {
            if open.is_empty() {
                break;
            }
            let statements = open.iter().map(|(_, attempt, values)| self.statement(*attempt, values)).collect();
            let outcomes = statements::execute(&self.client, statements).await;
            let mut others = Vec::new();
            for ((place, attempt, values), outcome) in open.into_iter().zip(outcomes) {
                match next(attempt, users[place].commit, outcome) {
                    Next::Done(result) => results[place] = Some(result),
                    Next::Try(other) => others.push((place, other, values)),
                }
            }
            open = others;
        }
        // What is left exists, and is of no earlier or equal commit.
        results.into_iter().map(|result| result.unwrap_or(RestResult::LaterCommit)).collect()
    }

    fn statement(&self, attempt: Attempt, values: &Values) -> Statement {
        let parameters = [&values.attributes[..], std::slice::from_ref(&values.key)];
        match attempt {
            Attempt::Insert => Statement { text: self.insert.clone(), parameters: parameters.concat() },
            Attempt::Update => {
                let condition = std::slice::from_ref(&values.commit);
                let parameters = [parameters[0], parameters[1], condition].concat();
                Statement { text: self.update.clone(), parameters }
            }
        }
    }
}

impl RestStore for RestTable {
    async fn read(&self, users: &[UserId]) -> Vec<Result<Option<UserEntry>, StoreError>> {
        let calls = users.chunks(MAX_KEYS_PER_READ).map(|chunk| self.read_chunk(chunk)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn write(&self, users: &[RestingUser]) -> Vec<RestResult> {
        let calls = users.chunks(MAX_STATEMENTS_PER_REQUEST).map(|chunk| self.write_chunk(chunk)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }
}

/// What follows an attempt.
enum Next {
    Done(RestResult),
    Try(Attempt),
}

fn next(attempt: Attempt, commit: u64, outcome: StatementResult) -> Next {
    match outcome {
        StatementResult::Written => Next::Done(RestResult::Written),
        StatementResult::Failed(error) => Next::Done(RestResult::Failed(error)),
        StatementResult::ConditionFailed(Some(item)) => match number(&item, COMMIT) {
            Ok(stored) if stored > commit => Next::Done(RestResult::LaterCommit),
            Ok(_) => Next::Try(Attempt::Update),
            Err(reason) => Next::Done(RestResult::Unreadable(unreadable(reason))),
        },
        // It does not exist, or DynamoDB did not return it.
        StatementResult::ConditionFailed(None) => Next::Try(match attempt {
            Attempt::Insert => Attempt::Update,
            Attempt::Update => Attempt::Insert,
        }),
    }
}

/// The parameters of a user's statements.
struct Values {
    attributes: [AttributeValue; 4],
    key: AttributeValue,
    commit: AttributeValue,
}

fn values(user: &RestingUser, columns: &SessionColumns) -> Result<Values, CallError> {
    let RestingUser { user_id, entry, commit } = user;
    let rest = encode_user(entry, columns).map_err(|error| CallError::unbuildable(WRITE, error))?;
    let commit = number_value(*commit);
    Ok(Values {
        attributes: [
            number_value(last_seen_ms(entry)),
            number_value(last_ordinal(entry)),
            commit.clone(),
            AttributeValue::B(Blob::new(rest)),
        ],
        key: AttributeValue::S(user_id.as_str().to_owned()),
        commit,
    })
}

fn last_seen_ms(entry: &UserEntry) -> u64 {
    entry.window.last().map_or(0, |session| session.end.ms())
}

fn last_ordinal(entry: &UserEntry) -> u64 {
    entry.window.last_ordinal().unwrap_or(0)
}

/// The user in an item of the table, with the declared `columns`.
///
/// # Errors
/// If it is damaged, was edited, or has a format that this code does not know.
pub fn decode(item: &Item, columns: &SessionColumns) -> Result<UserEntry, StoreError> {
    let attribute = |name| number(item, name).map_err(unreadable);
    let (last_seen, ordinal, _) = (attribute(LAST_SEEN)?, attribute(ORDINAL)?, attribute(COMMIT)?);
    let rest = bytes(item, REST).map_err(unreadable)?;
    let entry = decode_user(rest, columns).map_err(|error| unreadable(format!("{REST}: {error}")))?;
    // Somebody has changed one of them, and there is no telling which is right.
    for (name, value, expected) in
        [(LAST_SEEN, last_seen, last_seen_ms(&entry)), (ORDINAL, ordinal, last_ordinal(&entry))]
    {
        if value != expected {
            return Err(unreadable(format!("{name} is {value}, but {expected} in {REST}")));
        }
    }
    Ok(UserEntry { has_item: true, ..entry })
}

/// The columns that were declared when the item was written, without their names.
///
/// # Errors
/// As [`decode`].
pub fn columns_in(item: &Item) -> Result<SessionColumns, StoreError> {
    let rest = bytes(item, REST).map_err(unreadable)?;
    columns_of_user(rest).map_err(|error| unreadable(format!("{REST}: {error}")))
}

/// The key is a user's id, which logs must not show.
fn unreadable(reason: String) -> StoreError {
    StoreError::Unreadable { table: TABLE, key: "(a user)".to_owned(), reason }
}

fn key_of(item: &Item) -> Option<&str> {
    Some(item.get(KEY)?.as_s().ok()?.as_str())
}

fn keys(users: &[UserId]) -> Result<KeysAndAttributes, CallError> {
    let key = |user: &UserId| HashMap::from([(KEY.to_owned(), AttributeValue::S(user.as_str().to_owned()))]);
    KeysAndAttributes::builder()
        .set_keys(Some(users.iter().map(key).collect()))
        .consistent_read(true)
        .build()
        .map_err(|error| CallError::unbuildable(GET, error))
}

#[cfg(test)]
#[path = "rest_table_tests.rs"]
mod tests;
