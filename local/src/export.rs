//! What streams and tables hold, read whole into memory, and written as NDJSON.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::types::ShardIteratorType;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_function::call_error::CallError;
use kinesis_function::statements::Item;
use serde::Serialize;
use sessionizer_fn::state::UserState;
use sessionizer_fn::state_item;
use shared::boundary::Boundary;
use shared::session_rule::Status;
use shared::user_id::UserId;

use crate::error::LocalError;
use crate::line_numbers::LineNumbers;
use crate::output::OutputWriter;

/// All sessions in the table called `table` but the retracted ones, sorted by session id as bytes.
///
/// # Errors
/// When the table cannot be read or holds something else.
pub async fn sessions(client: &Client, table: &str) -> Result<Vec<Boundary>, LocalError> {
    let items = scan(client, table).await?;
    let decode =
        |item: &Item| sink_fn::session_item::decode(item).map_err(|error| not_ours(table, item, &error.to_string()));
    let mut sessions = items.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    sessions.retain(|session| session.status != Some(Status::Retracted));
    sessions.sort_unstable_by(|a, b| a.session_id.cmp(&b.session_id));
    Ok(sessions)
}

/// Writes one session a line: the contract's keys in their order, without the version.
///
/// # Errors
/// When the output cannot be written.
pub fn write_sessions(sessions: &[Boundary], output: &OutputWriter) -> Result<(), LocalError> {
    sessions.iter().try_for_each(|session| output.write_line(&serde_json::to_vec(&session.to_row(None))?))
}

/// The state of each user in the table called `table`.
///
/// # Errors
/// When the table cannot be read or holds something else.
pub async fn states(client: &Client, table: &str) -> Result<BTreeMap<UserId, UserState>, LocalError> {
    let mut states = BTreeMap::new();
    for item in scan(client, table).await? {
        let name = item.get("user_id").and_then(|value| value.as_s().ok()).cloned().unwrap_or_default();
        let user_id = UserId::new(name).map_err(|error| not_ours(table, &item, &format!("user_id is {error:?}")))?;
        let state = state_item::decode(&item).map_err(|error| not_ours(table, &item, &error.to_string()))?;
        states.insert(user_id, state);
    }
    Ok(states)
}

/// Every boundary in the stream called `stream`, shard by shard.
///
/// # Errors
/// When a call fails or a record is no boundary.
pub async fn boundaries(client: &aws_sdk_kinesis::Client, stream: &str) -> Result<Vec<Boundary>, LocalError> {
    let shards = client.list_shards().stream_name(stream).send().await;
    let shards = shards.map_err(|error| CallError::of("ListShards", &error))?.shards.unwrap_or_default();
    let mut boundaries = Vec::new();
    for shard in shards {
        let iterator = client.get_shard_iterator().stream_name(stream).shard_id(shard.shard_id);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await;
        let mut next = iterator.map_err(|error| CallError::of("GetShardIterator", &error))?.shard_iterator;
        while let Some(iterator) = next {
            let page = client.get_records().shard_iterator(iterator).send().await;
            let page = page.map_err(|error| CallError::of("GetRecords", &error))?;
            // The embedded stream gives an empty page only where there is nothing more.
            next = page.next_shard_iterator.filter(|_| !page.records.is_empty());
            for record in page.records {
                let boundary = Boundary::decode(record.data.as_ref());
                boundaries.push(boundary.map_err(|rejection| LocalError::NotABoundary(rejection.message))?);
            }
        }
    }
    Ok(boundaries)
}

/// A rejected record as a line of NDJSON.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedRow {
    /// The line of the input that it came from, from 1; `None` (`null`) if this run did not put it, which is so of what the
    /// sink rejects.
    pub line: Option<u64>,
    /// Stream and shard.
    pub source: String,
    /// Its position in the shard.
    pub sequence_number: String,
    /// Its partition key.
    pub partition_key: String,
    /// The reason's code.
    pub reason: String,
    /// What is wrong, for a person.
    pub message: String,
    /// When it arrived, in Unix milliseconds.
    pub arrival_time: u64,
    /// Its whole length in bytes.
    pub data_length: u64,
    /// The bytes that were kept, in base64.
    pub data: String,
}

/// All records in the table called `table` that arrived at `since_ms` or later, sorted by their position.
///
/// # Errors
/// When the table cannot be read or holds something else.
pub async fn rejected(client: &Client, table: &str, since_ms: u64) -> Result<Vec<RejectedRow>, LocalError> {
    let items = scan(client, table).await?;
    let decode = |item: &Item| rejected_row(item).ok_or_else(|| not_ours(table, item, NOT_REJECTED));
    let mut rows = items.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    rows.retain(|row| row.arrival_time >= since_ms);
    let position = |row: &RejectedRow| (row.source.clone(), row.sequence_number.len(), row.sequence_number.clone());
    rows.sort_by_cached_key(position);
    Ok(rows)
}

/// Gives each of `rows` that was put into `stream` its line, and sorts them by it. Those without one come last, as they
/// were.
pub fn number_lines(rows: &mut [RejectedRow], stream: &str, lines: &LineNumbers) {
    for row in &mut *rows {
        let shard = row.source.strip_prefix(stream).and_then(|rest| rest.strip_prefix('/'));
        row.line = shard.and_then(|shard| lines.line_of(shard, &row.sequence_number));
    }
    rows.sort_by_key(|row| row.line.unwrap_or(u64::MAX));
}

/// The bytes of each record in the table of rejected ones.
///
/// # Errors
/// When the table cannot be read or holds something else.
pub async fn rejected_data(client: &Client, table: &str) -> Result<Vec<Vec<u8>>, LocalError> {
    let data = |item: &Item| Some(item.get("data")?.as_b().ok()?.as_ref().to_vec());
    let found = scan(client, table).await?;
    found.iter().map(|item| data(item).ok_or_else(|| not_ours(table, item, NOT_REJECTED))).collect()
}

/// Writes one rejected record a line.
///
/// # Errors
/// When the output cannot be written.
pub fn write_rejected(rows: &[RejectedRow], output: &OutputWriter) -> Result<(), LocalError> {
    rows.iter().try_for_each(|row| output.write_line(&serde_json::to_vec(row)?))
}

const NOT_REJECTED: &str = "it is no rejected record";

/// The error of an item that the functions did not write, with its key.
fn not_ours(table: &str, item: &Item, fault: &str) -> LocalError {
    let keys = ["session_id", "user_id", kinesis_function::rejected_table::KEY];
    let key = keys.iter().filter_map(|name| Some(format!("{name} {:?}", item.get(*name)?.as_s().ok()?)));
    let key: Vec<_> = key.collect();
    LocalError::Item { table: table.to_owned(), fault: format!("the item with {}: {fault}", key.join(", ")) }
}

fn rejected_row(item: &Item) -> Option<RejectedRow> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    Some(RejectedRow {
        line: None,
        source: text("source")?,
        sequence_number: text("sequence_number")?,
        partition_key: text("partition_key")?,
        reason: text("reason")?,
        message: text("message")?,
        arrival_time: number("arrival_time")?,
        data_length: number("data_length")?,
        data: STANDARD.encode(item.get("data")?.as_b().ok()?),
    })
}

async fn scan(client: &Client, table: &str) -> Result<Vec<Item>, CallError> {
    let mut items = Vec::new();
    let mut from: Option<HashMap<String, AttributeValue>> = None;
    loop {
        let request = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(from);
        let page = request.send().await.map_err(|error| CallError::of("Scan", &error))?;
        items.extend(page.items.unwrap_or_default());
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(items);
        }
    }
}
