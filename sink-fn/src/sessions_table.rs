//! The sessions table: writes a boundary when the table has no newer one of its session.
//!
//! One pass over what it is given, each boundary in the way that most probably fits: `INSERT` for one that opens a
//! session, `UPDATE … WHERE version < ?` for any other. What the result means for the next try is returned, not done.

use std::fmt::Write as _;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::MAX_STATEMENTS_PER_REQUEST;
use kinesis_function::statements::{self, Statement, StatementResult};
use shared::boundary::Boundary;
use shared::session_rule::Status;

use crate::session_item::{self, KEY, SessionItemError, VERSION};

/// How many requests are under way at once, within one invocation.
const CONCURRENT_REQUESTS: usize = 8;

/// How to write a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// As a new item.
    Insert,
    /// Over an older one, which may be missing.
    Update,
    /// Over an older one, after an `INSERT` found an item that DynamoDB did not return.
    UpdateExisting,
    /// Not at all: it only asks whether the item has this version or a newer one, after an update of it was refused.
    Confirm,
    /// As a new item, after the one that stood in its way had no version to compare.
    InsertAgain,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Stored {
    /// It is written.
    Written,
    /// The table holds this version or a newer one.
    Superseded,
    /// The item was there when it should not be, or the other way round: try this instead.
    Instead(Attempt),
    /// The item under the session's key is not one that this sink writes: it stays as it is.
    Foreign(SessionItemError),
    /// It failed, or it is unknown whether it was written.
    Failed(CallError),
}

/// Writes sessions.
#[derive(Clone, Debug)]
pub struct SessionsTable {
    client: Client,
    name: String,
    retention_days: u64,
}

impl Attempt {
    /// What most probably fits `boundary`: what opens is new, what closes or is retracted is not.
    #[must_use]
    pub fn first_for(boundary: &Boundary) -> Self {
        match boundary.status {
            None | Some(Status::Open) => Self::Insert,
            Some(Status::Closed { .. } | Status::Retracted) => Self::Update,
        }
    }
}

impl SessionsTable {
    /// The table called `name`, whose sessions expire `retention_days` days after their last change; never when
    /// that is 0.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>, retention_days: u64) -> Self {
        Self { client, name: name.into(), retention_days }
    }

    /// Updates no session, so that the connection and all that a first call makes are there for the next one. It is of the
    /// only kind of call that this function may make of the table: an update whose condition never holds.
    pub async fn warm_up(&self) {
        let text = format!("UPDATE \"{}\" SET \"{VERSION}\" = ? WHERE \"{KEY}\" = ? AND \"{VERSION}\" < ?", self.name);
        let zero = AttributeValue::N("0".to_owned());
        let parameters = vec![zero.clone(), AttributeValue::S("warm-up".to_owned()), zero];
        let _ = statements::execute(&self.client, vec![Statement { text, parameters }]).await; // its condition fails
    }

    /// Tries once to write each boundary, each of another session, at `now_ms`. The results are in their order.
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
        let mut text = format!("INSERT INTO \"{}\" VALUE {{'{KEY}': ?", self.name);
        let mut parameters = vec![AttributeValue::S(boundary.session_id.clone())];
        for (name, value) in session_item::encode(boundary, now_ms, self.retention_days) {
            if let Some(value) = value {
                let _ = write!(text, ", '{name}': ?"); // writing to a String cannot fail
                parameters.push(value);
            }
        }
        text.push('}');
        Statement { text, parameters }
    }

    /// Succeeds if the item has this version or a newer one, and changes nothing: it removes an attribute that no session
    /// has.
    fn confirm(&self, boundary: &Boundary) -> Statement {
        let text = format!("UPDATE \"{}\" REMOVE \"confirmed\" WHERE \"{KEY}\" = ? AND \"{VERSION}\" >= ?", self.name);
        let key = AttributeValue::S(boundary.session_id.clone());
        Statement { text, parameters: vec![key, AttributeValue::N(boundary.version.number().to_string())] }
    }

    /// Replaces the item: an attribute that the boundary does not have is removed.
    fn update(&self, boundary: &Boundary, now_ms: u64) -> Statement {
        let (mut sets, mut removes) = (String::new(), String::new());
        let mut parameters = Vec::new();
        for (name, value) in session_item::encode(boundary, now_ms, self.retention_days) {
            match value {
                Some(value) => {
                    let _ = write!(sets, " SET \"{name}\" = ?"); // writing to a String cannot fail
                    parameters.push(value);
                }
                None => {
                    let _ = write!(removes, " REMOVE \"{name}\""); // nor here
                }
            }
        }
        parameters.push(AttributeValue::S(boundary.session_id.clone()));
        parameters.push(AttributeValue::N(boundary.version.number().to_string()));
        let text = format!("UPDATE \"{}\"{sets}{removes} WHERE \"{KEY}\" = ? AND \"{VERSION}\" < ?", self.name);
        Statement { text, parameters }
    }
}

fn stored(boundary: &Boundary, attempt: Attempt, result: StatementResult) -> Stored {
    match result {
        StatementResult::Written if attempt == Attempt::Confirm => Stored::Superseded,
        StatementResult::Written => Stored::Written,
        // No item: it is missing, or DynamoDB does not return it. An INSERT fails only over an item. If an UPDATE fails
        // after that, the item has a version that is not lower (which is then confirmed), or it has been deleted
        // since, or it is foreign and has none.
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
