//! The state-log table: DynamoDB as a [`LogStore`], one item per slot.
//!
//! Reads are consistent BatchGetItems. A commit is one conditional PutItem. Owns the item's layout, not that of its
//! entries: see [`crate::state_log_codec`].

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use kinesis_function::backoff::Backoff;
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::limits::MAX_KEYS_PER_READ;
use kinesis_function::statements::Item;
use shared::boundary::Version;
use shared::columns::declaration::SessionColumns;

use crate::bucket::bounds::MAX_COMMIT_BYTES;
use crate::ring_log::ring::Expected;
use crate::state_log_codec::{columns_of_entries, decode_entries, encode_entries};
use crate::store::attributes::{bytes, number, number_value};
use crate::store::log_store::{LogCommit, LogStore, StoreError, WriteResult};
use crate::store::settings::Settings;

const TABLE: &str = "state-log";
const PUT: &str = "PutItem";
const GET: &str = "BatchGetItem";

/// The partition key: the bucket, a slash and the slot.
const KEY: &str = "slot";
/// The key of the settings, which no slot has.
const SETTINGS_KEY: &str = "settings";

const COMMIT: &str = "commit";
const TAIL: &str = "tail";
const VERSION: &str = "version";
const MADE: &str = "made";
const ENTRIES: &str = "entries";

const FORMAT: &str = "format";
const BUCKETS: &str = "buckets";
const SLOTS: &str = "slots";
const FIRST_COMMIT: &str = "first_commit";

/// Concurrent requests of one read. Each returns up to 16 MB, so more would cost memory rather than save time.
const CONCURRENT_REQUESTS: usize = 4;

/// Most attempts of one request that bring nothing new, while something of it is read already.
const MAX_ATTEMPTS_WITHOUT_PROGRESS: usize = 8;

/// The table of state logs.
#[derive(Clone, Debug)]
pub struct LogTable {
    client: Client,
    name: String,
    slots: u64,
    columns: SessionColumns,
    /// The last commit that may have other columns; `None` if any may.
    others_until: Option<u64>,
}

impl LogTable {
    /// The table called `name`, whose logs have `slots` slots each, as a deployment sees it whose sessions have these
    /// `columns`.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>, slots: u64, columns: SessionColumns) -> Self {
        Self { client, name: name.into(), slots, columns, others_until: None }
    }

    /// The same table, seen with these columns.
    #[must_use]
    pub fn with_columns(&self, columns: SessionColumns) -> Self {
        Self { columns, ..self.clone() }
    }

    /// The same for a reader that does not declare columns but goes by those of commit `number`: a later one with others is
    /// [`StoreError::OtherColumns`], so that it cannot be overlooked.
    #[must_use]
    pub fn going_by(self, number: u64) -> Self {
        Self { others_until: Some(number), ..self }
    }

    /// The columns with which sessions are read and written.
    #[must_use]
    pub fn columns(&self) -> &SessionColumns {
        &self.columns
    }

    /// The columns that were declared when the commit in this slot was made, without their names; `None` if the slot was
    /// never used.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn columns_in(&self, bucket: u32, slot: u64) -> Result<Option<SessionColumns>, StoreError> {
        let columns = |key: &str, item: &Item| {
            let entries = bytes(item, ENTRIES).map_err(|reason| unreadable(key, reason))?;
            columns_of_entries(entries).map_err(|error| unreadable(key, format_args!("{ENTRIES}: {error}")))
        };
        let mut items = self.read_items(vec![key(bucket, slot)], Some(&[KEY, ENTRIES]), columns).await?;
        Ok(items.pop().flatten())
    }

    /// Makes `decoded` of the items with `keys`, in order.
    async fn read_items<T: Send>(
        &self,
        keys: Vec<String>,
        attributes: Option<&[&str]>,
        decoded: impl Fn(&str, &Item) -> Result<T, StoreError> + Sync,
    ) -> Result<Vec<Option<T>>, StoreError> {
        let decoded = &decoded;
        let call = |keys: &[String]| {
            let keys = keys.to_vec();
            async move {
                match self.read_chunk(&keys, attributes).await {
                    Ok(items) => {
                        let decode = |key: &String| items.get(key).map(|item| decoded(key, item)).transpose();
                        keys.iter().map(decode).collect()
                    }
                    Err(error) => vec![Err(error.into())],
                }
            }
        };
        let calls = keys.chunks(MAX_KEYS_PER_READ).map(call).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await.into_iter().collect()
    }

    /// The items with `keys`, distinct and at most [`MAX_KEYS_PER_READ`], by key.
    ///
    /// An answer holds 16 MB at most, so a few dozen full items; it is no throttle if it leaves others out. Therefore
    /// they are asked for again. So are those of an answer that holds none, and of a call that failed, a few times and
    /// after a pause: what was read is kept, since a long log is costly to read.
    async fn read_chunk(
        &self,
        keys: &[String],
        attributes: Option<&[&str]>,
    ) -> Result<HashMap<String, Item>, CallError> {
        let mut found = HashMap::new();
        let mut wanted: Vec<&String> = keys.iter().collect();
        let mut backoff = Backoff::new();
        let mut attempts_left = if keys.len() > 1 { MAX_ATTEMPTS_WITHOUT_PROGRESS } else { 1 };
        loop {
            let request = self.client.batch_get_item().request_items(&self.name, request(&wanted, attributes)?);
            let answer = match request.send().await.map_err(|error| CallError::of(GET, &error)) {
                Ok(answer) => answer,
                Err(error) => {
                    attempts_left -= 1;
                    if attempts_left == 0 || !error.is_transient() || found.is_empty() {
                        return Err(error);
                    }
                    backoff.pause().await;
                    continue;
                }
            };
            let unread = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
            let unread: HashSet<String> = unread.iter().flat_map(KeysAndAttributes::keys).filter_map(key_of).collect();
            for item in answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default() {
                if let Some(key) = key_of(&item) {
                    found.insert(key, item);
                }
            }
            let before = wanted.len();
            wanted.retain(|key| unread.contains(*key));
            if wanted.is_empty() {
                return Ok(found);
            }
            if wanted.len() < before {
                backoff.reset();
                continue;
            }
            attempts_left -= 1;
            if attempts_left == 0 || found.is_empty() {
                let what =
                    format!("{before} keys are in UnprocessedKeys and no others, probably because of a throttle");
                return Err(CallError::incomplete_answer(GET, what));
            }
            backoff.pause().await;
        }
    }

    /// A PutItem of an item with `key` and `attributes`.
    fn put(&self, key: &str, attributes: Vec<(&'static str, AttributeValue)>) -> PutItemFluentBuilder {
        attributes.into_iter().fold(
            self.client.put_item().table_name(&self.name).item(KEY, AttributeValue::S(key.to_owned())),
            |call, (name, value)| call.item(name, value),
        )
    }

    /// Puts an item under a condition; `false` if that does not hold.
    async fn put_if(call: PutItemFluentBuilder) -> Result<bool, CallError> {
        match call.send().await {
            Ok(_) => Ok(true),
            Err(error) if error.as_service_error().is_some_and(|it| it.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(CallError::of(PUT, &error)),
        }
    }

    fn commit_of(&self, key: &str, item: &Item) -> Result<LogCommit, StoreError> {
        let commit = number_of_commit(key, item, self.slots)?;
        let number = |name| number(item, name).map_err(|reason| unreadable(key, reason));
        let (tail, version, made_ms) = (number(TAIL)?, number(VERSION)?, number(MADE)?);
        if tail > commit {
            return Err(unreadable(key, format_args!("{TAIL} is {tail}, expected {COMMIT}, {commit}, at most")));
        }
        let entries = bytes(item, ENTRIES).map_err(|reason| unreadable(key, reason))?;
        if self.others_until.is_some_and(|until| commit > until) {
            let columns =
                columns_of_entries(entries).map_err(|error| unreadable(key, format_args!("{ENTRIES}: {error}")))?;
            if !columns.canonical_texts().eq(self.columns.canonical_texts()) {
                return Err(StoreError::OtherColumns { key: key.to_owned() });
            }
        }
        let entries = decode_entries(entries, made_ms, &self.columns)
            .map_err(|error| unreadable(key, format_args!("{ENTRIES}: {error}")))?;
        Ok(LogCommit { number: commit, tail, version: Version::new(version), made_ms, entries })
    }
}

/// Adds the condition that there is no such item.
fn if_absent(call: PutItemFluentBuilder) -> PutItemFluentBuilder {
    call.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", KEY)
}

impl LogStore for LogTable {
    async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        let mut items = self.read_items(vec![SETTINGS_KEY.to_owned()], None, settings_of).await?;
        Ok(items.pop().flatten())
    }

    async fn make_settings(&self, settings: Settings) -> Result<Settings, StoreError> {
        let Settings { format, buckets, slots, first_commit } = settings;
        let attributes = [(FORMAT, format), (BUCKETS, buckets), (SLOTS, slots), (FIRST_COMMIT, first_commit)];
        let attributes = attributes.map(|(name, value)| (name, number_value(value))).to_vec();
        if Self::put_if(if_absent(self.put(SETTINGS_KEY, attributes))).await? {
            return Ok(settings);
        }
        let gone = || CallError::incomplete_answer(GET, "the settings item exists for PutItem only");
        Ok(self.settings().await?.ok_or_else(gone)?)
    }

    async fn read(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<LogCommit>>, StoreError> {
        self.read_items(keys(bucket, slots), None, |key, item| self.commit_of(key, item)).await
    }

    async fn read_numbers(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<u64>>, StoreError> {
        let number = |key: &str, item: &Item| number_of_commit(key, item, self.slots);
        self.read_items(keys(bucket, slots), Some(&[KEY, COMMIT]), number).await
    }

    async fn write(&self, bucket: u32, slot: u64, expected: Expected, commit: &LogCommit) -> WriteResult {
        let entries = match encode_entries(&commit.entries, commit.made_ms, &self.columns) {
            Ok(entries) => entries,
            Err(error) => return WriteResult::Failed(CallError::unbuildable(PUT, error)),
        };
        if entries.len() > MAX_COMMIT_BYTES {
            return WriteResult::TooLarge;
        }
        let attributes = vec![
            (COMMIT, number_value(commit.number)),
            (TAIL, number_value(commit.tail)),
            (VERSION, number_value(commit.version.number())),
            (MADE, number_value(commit.made_ms)),
            (ENTRIES, AttributeValue::B(Blob::new(entries))),
        ];
        let put = self.put(&key(bucket, slot), attributes);
        let put = match expected {
            Expected::Nothing => if_absent(put),
            Expected::Commit(number) => put
                .condition_expression("#commit = :expected")
                .expression_attribute_names("#commit", COMMIT)
                .expression_attribute_values(":expected", number_value(number)),
        };
        match Self::put_if(put).await {
            Ok(true) => WriteResult::Written,
            Ok(false) => WriteResult::LostRace,
            Err(error) => WriteResult::Failed(error),
        }
    }
}

fn key(bucket: u32, slot: u64) -> String {
    format!("{bucket}/{slot}")
}

fn keys(bucket: u32, slots: &[u64]) -> Vec<String> {
    slots.iter().map(|slot| key(bucket, *slot)).collect()
}

fn key_of(item: &Item) -> Option<String> {
    item.get(KEY)?.as_s().ok().cloned()
}

fn request(keys: &[&String], attributes: Option<&[&str]>) -> Result<KeysAndAttributes, CallError> {
    let key = |key: &&String| HashMap::from([(KEY.to_owned(), AttributeValue::S((*key).clone()))]);
    let mut request = KeysAndAttributes::builder().set_keys(Some(keys.iter().map(key).collect())).consistent_read(true);
    if let Some(attributes) = attributes {
        // Placeholders, because `commit` is a reserved word.
        let placeholders: Vec<_> = attributes.iter().map(|name| format!("#{name}")).collect();
        request = request.projection_expression(placeholders.join(", "));
        for (placeholder, name) in placeholders.into_iter().zip(attributes) {
            request = request.expression_attribute_names(placeholder, *name);
        }
    }
    request.build().map_err(|error| CallError::unbuildable(GET, error))
}

fn settings_of(key: &str, item: &Item) -> Result<Settings, StoreError> {
    let number = |name| number(item, name).map_err(|reason| unreadable(key, reason));
    Ok(Settings {
        format: number(FORMAT)?,
        buckets: number(BUCKETS)?,
        slots: number(SLOTS)?,
        first_commit: number(FIRST_COMMIT)?,
    })
}

/// The number of a commit, which must belong into the slot that its key names.
fn number_of_commit(key: &str, item: &Item, slots: u64) -> Result<u64, StoreError> {
    let number = number(item, COMMIT).map_err(|reason| unreadable(key, reason))?;
    let slot = number.checked_rem(slots).map(|slot| slot.to_string());
    if key.split_once('/').map(|(_, slot)| slot) == slot.as_deref() {
        Ok(number)
    } else {
        Err(unreadable(key, format_args!("{COMMIT} is {number}, which does not belong into this one of {slots} slots")))
    }
}

fn unreadable(key: &str, reason: impl Display) -> StoreError {
    StoreError::Unreadable { table: TABLE, key: key.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
#[path = "log_table_tests.rs"]
mod tests;
