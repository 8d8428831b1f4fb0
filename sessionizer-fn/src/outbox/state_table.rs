//! The session-state table: DynamoDB as a [`StateStore`], one item per user.
//!
//! Reads are consistent BatchGetItems. Commits are statements conditional on the item's version.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::{MAX_KEYS_PER_READ, MAX_STATEMENTS_PER_REQUEST};
use kinesis_function::statements::{self, Item, Statement, StatementResult};
use shared::user_id::UserId;

use crate::outbox::committed::{Committed, CommittedState};
use crate::outbox::state_store::{CommitResult, ProposedCommit, StateStore, StoredState};
use crate::state_item::{self, ATTRIBUTES, KEY, VERSION};

/// Concurrent requests of one round. A call takes a few milliseconds, so a handful keeps one vCPU busy; 16 gained
/// nothing measurable (docs/performance.md).
const CONCURRENT_REQUESTS: usize = 8;

/// The user id that the warm-up reads; harmless if it exists.
const NOBODY: &str = "warm-up";

/// The table of users' states.
#[derive(Clone, Debug)]
pub struct StateTable {
    client: Client,
    name: String,
    insert: String,
    update: String,
}

impl StateTable {
    /// The table called `name`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        let name = name.into();
        let values: String = ATTRIBUTES.iter().map(|attribute| format!(", '{attribute}': ?")).collect();
        let sets: String = ATTRIBUTES.iter().map(|attribute| format!(" SET \"{attribute}\" = ?")).collect();
        Self {
            insert: format!("INSERT INTO \"{name}\" VALUE {{'{KEY}': ?{values}}}"),
            update: format!("UPDATE \"{name}\"{sets} WHERE \"{KEY}\" = ? AND \"{VERSION}\" = ?"),
            client,
            name,
        }
    }

    /// Reads an arbitrary state, so that the first real call finds an open connection.
    pub async fn warm_up(&self) {
        if let Ok(nobody) = UserId::new(NOBODY) {
            let _ = self.read(&[&nobody]).await; // errors are ignored: the first real read reports them
        }
    }

    async fn read_chunk(&self, users: &[&UserId]) -> Vec<Result<StoredState, CallError>> {
        match self.try_read(users).await {
            Ok(states) => states,
            Err(error) => users.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn try_read(&self, users: &[&UserId]) -> Result<Vec<Result<StoredState, CallError>>, CallError> {
        const OPERATION: &str = "BatchGetItem";

        let request = self.client.batch_get_item().request_items(&self.name, keys(users)?);
        let answer = request.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
        let items = answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
        let mut items: HashMap<String, Item> =
            items.into_iter().filter_map(|item| Some((item.get(KEY)?.as_s().ok()?.clone(), item))).collect();
        let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
        let unread: Vec<_> =
            unread.iter().flat_map(|keys| &keys.keys).filter_map(|key| key.get(KEY)?.as_s().ok()).collect();
        let result = |user: &&UserId| match items.remove(user.as_str()) {
            Some(item) => Ok(stored(user, &item)),
            None if unread.iter().any(|key| key.as_str() == user.as_str()) => Err(CallError::incomplete_answer(
                OPERATION,
                "the key is in UnprocessedKeys, probably because of a throttle",
            )),
            None => Ok(StoredState::Absent),
        };
        Ok(users.iter().map(result).collect())
    }

    async fn commit_chunk(&self, commits: &[(UserId, Box<ProposedCommit>)]) -> Vec<StatementResult> {
        let statements = commits.iter().map(|(user_id, commit)| self.statement(user_id, commit)).collect();
        statements::execute(&self.client, statements).await
    }

    fn statement(&self, user_id: &UserId, commit: &ProposedCommit) -> Statement {
        let key = AttributeValue::S(user_id.as_str().to_owned());
        let values = state_item::encode(&commit.state);
        match commit.expected {
            None => Statement { text: self.insert.clone(), parameters: [key].into_iter().chain(values).collect() },
            Some(version) => {
                let condition = [key, AttributeValue::N(version.number().to_string())];
                Statement { text: self.update.clone(), parameters: values.into_iter().chain(condition).collect() }
            }
        }
    }
}

impl StateStore for StateTable {
    async fn read(&self, users: &[&UserId]) -> Vec<Result<StoredState, CallError>> {
        let calls = users.chunks(MAX_KEYS_PER_READ).map(|chunk| self.read_chunk(chunk)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn commit(&self, commits: Vec<(UserId, Box<ProposedCommit>)>) -> Vec<CommitResult> {
        let calls = commits.chunks(MAX_STATEMENTS_PER_REQUEST).map(|chunk| self.commit_chunk(chunk)).collect();
        let outcomes = run_concurrently(calls, CONCURRENT_REQUESTS).await;
        let result = |((user_id, commit), outcome): ((UserId, Box<ProposedCommit>), StatementResult)| match outcome {
            StatementResult::Written => CommitResult::Committed(Committed::of(user_id, *commit)),
            StatementResult::ConditionFailed(item) => CommitResult::LostRace(item.map(|item| stored(&user_id, &item))),
            StatementResult::Failed(error) => CommitResult::Failed(commit, error),
        };
        commits.into_iter().zip(outcomes).map(result).collect()
    }
}

fn stored(user_id: &UserId, item: &Item) -> StoredState {
    match state_item::decode(item) {
        Ok(state) => StoredState::Present(CommittedState::seen(user_id.clone(), state)),
        Err(error) => StoredState::Unreadable(error),
    }
}

fn keys(users: &[&UserId]) -> Result<KeysAndAttributes, CallError> {
    let key = |user: &&UserId| HashMap::from([(KEY.to_owned(), AttributeValue::S(user.as_str().to_owned()))]);
    KeysAndAttributes::builder()
        .set_keys(Some(users.iter().map(key).collect()))
        .consistent_read(true)
        .build()
        .map_err(|error| CallError::unbuildable("BatchGetItem", error))
}
