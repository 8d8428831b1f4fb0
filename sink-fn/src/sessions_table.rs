//! The sessions table: writes a boundary unless the table contains the same or a newer version of its session.
//!
//! Each call makes a single pass, in which each boundary is tried as an `INSERT` or as an `UPDATE … WHERE version < ?`.
//! The result says what to try next; the caller decides when.

use std::fmt::Write as _;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::MAX_STATEMENTS_PER_REQUEST;
use kinesis_function::statements::{self, Statement, StatementResult};
use shared::boundary::Boundary;
use shared::columns::declaration::{NEVER_IN_AN_ITEM, SessionColumns};

use crate::session_item::{self, ORDINAL, Retention, SessionItemError, USER_ID, VERSION};

/// Concurrent requests within one invocation. A call takes a few milliseconds, so a handful keeps one vCPU busy.
const CONCURRENT_REQUESTS: usize = 8;

/// How to write a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// As a new item.
    Insert,
    /// Over an older version, which may not exist.
    Update,
    /// Over an older version, after an `INSERT` failed on an item that DynamoDB did not return.
    UpdateExisting,
    /// Writes nothing: checks that the item has the same or a newer version, after an update failed on its condition.
    Confirm,
    /// As a new item, after an existing item had no version to compare.
    InsertAgain,
}

/// The outcome of an attempt.
#[derive(Clone, Debug)]
pub enum Stored {
    /// It was written.
    Written,
    /// The table contains this version or a newer one.
    Superseded,
    /// Whether the item exists differs from what the attempt assumed: try this instead.
    Instead(Attempt),
    /// The item with the session's key was not written by the sink. It is left unchanged.
    Foreign(SessionItemError),
    /// It failed, or its outcome is unknown.
    Failed(CallError),
}

/// Writes sessions.
#[derive(Clone, Debug)]
pub struct SessionsTable {
    client: Client,
    name: String,
    retention: Retention,
    columns: SessionColumns,
}

impl SessionsTable {
    /// The table called `name`, whose items expire after `retention` and have these `columns`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>, retention: Retention, columns: SessionColumns) -> Self {
        Self { client, name: name.into(), retention, columns }
    }

    /// Makes a call that changes nothing, so that the next one finds an open connection and an initialized client. The
    /// function has permission only to write to the table, so this is an update whose condition never holds.
    pub async fn warm_up(&self) {
        let text = format!("UPDATE \"{}\" SET \"{VERSION}\" = ? WHERE {} < ?", self.name, version_of_key());
        let zero = AttributeValue::N("0".to_owned());
        let parameters = vec![zero.clone(), AttributeValue::S("warm-up".to_owned()), zero.clone(), zero];
        let _ = statements::execute(&self.client, vec![Statement { text, parameters }]).await; // always fails on its condition
    }

    /// Tries once to write each of `boundaries`, at most one per session, at `now_ms`. Returns their results in order.
    pub async fn write(&self, boundaries: &[(&Boundary, Attempt)], now_ms: u64) -> Vec<Stored> {
        let calls =
            boundaries.chunks(MAX_STATEMENTS_PER_REQUEST).map(|chunk| self.write_chunk(chunk, now_ms)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn write_chunk(&self, boundaries: &[(&Boundary, Attempt)], now_ms: u64) -> Vec<Stored> {
        let statement = |(boundary, attempt): &(&Boundary, Attempt)| match attempt {
            Attempt::Insert | Attempt::InsertAgain => self.insert(boundary, now_ms),
            Attempt::Update | Attempt::UpdateExisting => self.update(boundary, now_ms),
            Attempt::Confirm => self.confirm(boundary),
        };
        let statements: Vec<_> = boundaries.iter().map(statement).collect();
        let results = statements::execute(&self.client, statements).await;
        boundaries.iter().zip(results).map(|((boundary, attempt), result)| stored(boundary, *attempt, result)).collect()
    }

    fn insert(&self, boundary: &Boundary, now_ms: u64) -> Statement {
        let mut text = format!("INSERT INTO \"{}\" VALUE {{'{USER_ID}': ?, '{ORDINAL}': ?", self.name);
        let mut parameters = session_item::key(boundary).to_vec();
        for (name, value) in session_item::encode(boundary, now_ms, self.retention, &self.columns) {
            if let Some(value) = value {
                let _ = write!(text, ", '{name}': ?"); // writing to a String cannot fail
                parameters.push(value);
            }
        }
        text.push('}');
        Statement { text, parameters }
    }

    /// A statement that succeeds if the item has this version or a newer one. It changes nothing, because it removes an
    /// attribute that no session has, whatever its columns.
    fn confirm(&self, boundary: &Boundary) -> Statement {
        let text = format!("UPDATE \"{}\" REMOVE \"{NEVER_IN_AN_ITEM}\" WHERE {} >= ?", self.name, version_of_key());
        Statement { text, parameters: key_and_version(boundary).into() }
    }

    /// A statement that replaces the item: it removes attributes that the boundary lacks.
    fn update(&self, boundary: &Boundary, now_ms: u64) -> Statement {
        let (mut sets, mut removes) = (String::new(), String::new());
        let mut parameters = Vec::new();
        for (name, value) in session_item::encode(boundary, now_ms, self.retention, &self.columns) {
            match value {
                Some(value) => {
                    let _ = write!(sets, " SET \"{name}\" = ?"); // writing to a String cannot fail
                    parameters.push(value);
                }
                None => {
                    let _ = write!(removes, " REMOVE \"{name}\""); // writing to a String cannot fail
                }
            }
        }
        parameters.extend(key_and_version(boundary));
        let text = format!("UPDATE \"{}\"{sets}{removes} WHERE {} < ?", self.name, version_of_key());
        Statement { text, parameters }
    }
}

/// The start of a condition on the version of the item with a key.
fn version_of_key() -> String {
    format!("\"{USER_ID}\" = ? AND \"{ORDINAL}\" = ? AND \"{VERSION}\"")
}

/// The parameters of a condition that begins with [`version_of_key`].
fn key_and_version(boundary: &Boundary) -> [AttributeValue; 3] {
    let [user_id, ordinal] = session_item::key(boundary);
    [user_id, ordinal, AttributeValue::N(boundary.version.number().to_string())]
}

fn stored(boundary: &Boundary, attempt: Attempt, result: StatementResult) -> Stored {
    match result {
        StatementResult::Written if attempt == Attempt::Confirm => Stored::Superseded,
        StatementResult::Written => Stored::Written,
        // Without an item in the answer, it does not exist or DynamoDB did not return it. An INSERT fails only if the
        // item exists. If the UPDATE after it also fails, the item has the same or a newer version (which Confirm
        // checks), was deleted meanwhile, or is foreign and has no version.
        StatementResult::ConditionFailed(None) => match attempt {
            Attempt::Insert => Stored::Instead(Attempt::UpdateExisting),
            Attempt::Update => Stored::Instead(Attempt::Insert),
            Attempt::UpdateExisting => Stored::Instead(Attempt::Confirm),
            Attempt::Confirm => Stored::Instead(Attempt::InsertAgain),
            Attempt::InsertAgain => Stored::Foreign(SessionItemError::no_version()),
        },
        StatementResult::ConditionFailed(Some(item)) => match session_item::version(&item) {
            Ok(version) if version >= boundary.version => Stored::Superseded,
            Ok(_) => Stored::Instead(Attempt::Update),
            Err(error) => Stored::Foreign(error),
        },
        StatementResult::Failed(error) => Stored::Failed(error),
    }
}
