//! The session-state table: one item per user, read consistently and written under the condition of its version.
//!
//! The store's whole interface is [`StateTable::read`] and [`StateTable::commit`]. It owes its caller two things: a
//! read sees every commit that was answered before it, and of two commits that expect the same version one wins.
//! What it does not do: decide what to write, or try again.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::{MAX_KEYS_PER_READ, MAX_STATEMENTS_PER_REQUEST};
use kinesis_function::statements::{self, Item, Statement, StatementResult};
use shared::user_id::UserId;

use crate::state::UserState;
use crate::state_item::{self, ATTRIBUTES, KEY, StateItemError, VERSION};
use crate::step::Commit;

/// How many requests are under way at once, within one invocation. A call takes a few milliseconds, so a handful
/// keeps one vCPU busy.
const CONCURRENT_REQUESTS: usize = 8;

/// A user id that is read to warm up. Should it be a user's, that is no harm.
const NOBODY: &str = "warm-up";

/// What a user's item turned out to be.
#[derive(Clone, Debug)]
pub enum Known {
    /// There is none.
    Absent,
    /// There is one.
    Present(UserState),
    /// There is one that this code must not touch.
    Unreadable(StateItemError),
}

/// What became of a commit.
#[derive(Clone, Debug)]
pub enum Committed {
    /// It is stored.
    Yes,
    /// Another commit came first. What is stored now, where DynamoDB told it with the failed condition.
    LostRace(Option<Known>),
    /// It failed, or nobody knows whether it was stored.
    Failed(CallError),
}

/// Reads and commits users' states.
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

    /// Reads the state of nobody, so that the connection and all that a first call makes are there for the next one.
    pub async fn warm_up(&self) {
        if let Ok(nobody) = UserId::new(NOBODY) {
            let _ = self.read(&[&nobody]).await; // whatever came of it, a real read will tell
        }
    }

    /// The states of `users`, strongly consistent, in their order. A user whose state could not be read has the
    /// error in its place; the others are not affected.
    pub async fn read(&self, users: &[&UserId]) -> Vec<Result<Known, CallError>> {
        let calls = users.chunks(MAX_KEYS_PER_READ).map(|chunk| self.read_chunk(chunk)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn read_chunk(&self, users: &[&UserId]) -> Vec<Result<Known, CallError>> {
        const OPERATION: &str = "BatchGetItem";

        let request = match keys(users) {
            Ok(keys) => self.client.batch_get_item().request_items(&self.name, keys).send().await,
            Err(error) => return vec![Err(error); users.len()],
        };
        let answer = match request {
            Ok(answer) => answer,
            Err(error) => return vec![Err(CallError::of(OPERATION, &error)); users.len()],
        };
        let items = answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
        let mut items: HashMap<String, Item> =
            items.into_iter().filter_map(|item| Some((item.get(KEY)?.as_s().ok()?.clone(), item))).collect();
        let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
        let unread: Vec<_> =
            unread.iter().flat_map(|keys| &keys.keys).filter_map(|key| key.get(KEY)?.as_s().ok()).collect();
        let result = |user: &&UserId| match items.remove(user.as_str()) {
            Some(item) => Ok(Known::of(&item)),
            None if unread.iter().any(|key| key.as_str() == user.as_str()) => Err(CallError::incomplete_answer(
                OPERATION,
                "the key is among UnprocessedKeys, as it is under a throttle",
            )),
            None => Ok(Known::Absent),
        };
        users.iter().map(result).collect()
    }

    /// Commits, each of another user, in requests of 25. The outcomes are in the order of `commits`.
    pub async fn commit(&self, commits: &[(&UserId, &Commit)]) -> Vec<Committed> {
        let calls = commits.chunks(MAX_STATEMENTS_PER_REQUEST).map(|chunk| self.commit_chunk(chunk)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn commit_chunk(&self, commits: &[(&UserId, &Commit)]) -> Vec<Committed> {
        let statements = commits.iter().map(|(user_id, commit)| self.statement(user_id, commit)).collect();
        let outcomes = statements::execute(&self.client, statements).await;
        outcomes
            .into_iter()
            .map(|outcome| match outcome {
                StatementResult::Written => Committed::Yes,
                StatementResult::ConditionFailed(item) => Committed::LostRace(item.as_ref().map(Known::of)),
                StatementResult::Failed(error) => Committed::Failed(error),
            })
            .collect()
    }

    fn statement(&self, user_id: &UserId, commit: &Commit) -> Statement {
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

impl Known {
    fn of(item: &Item) -> Self {
        match state_item::decode(item) {
            Ok(state) => Self::Present(state),
            Err(error) => Self::Unreadable(error),
        }
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
