//! Reads sessions and rejected records, up to a limit, as the project's own types. See [`crate::users`] for users.
//!
//! A Scan returns items in no useful order, so a limited read returns an arbitrary subset of a table. The items read
//! are then sorted.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::rejected_table::KEY;
use kinesis_function::statements::Item;
use serde_json::{Value, json};
use shared::boundary::Boundary;
use shared::session::Status;
use sink_fn::session_item::{self, ORDINAL, USER_ID};

use crate::error::OpsError;

/// How much of a table to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadLimit {
    /// Everything: memory and cost grow with the table.
    WholeTable,
    /// At most this many items.
    Items(u32),
}

/// The items read from a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The decoded items.
    pub items: T,
    /// Whether the table contains items that were not read.
    pub has_more: bool,
}

/// A rejected record, as stored in its item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRejection {
    /// Stream and shard.
    pub source: String,
    /// Its position in the shard.
    pub sequence_number: String,
    /// Its place within the record, from 0, if the record holds several parts.
    pub place: Option<u32>,
    /// How many parts of the record these are; more than one if they are kept together, one to a line.
    pub parts: u64,
    /// Its partition key.
    pub partition_key: String,
    /// The reason's code.
    pub reason: String,
    /// The fault, in words.
    pub message: String,
    /// When it arrived, in Unix milliseconds.
    pub arrival_time: u64,
    /// Its whole length in bytes.
    pub data_length: u64,
    /// The stored bytes.
    pub data: Vec<u8>,
}

/// The sessions in the table called `table`, without tombstones, sorted by session id as bytes.
///
/// # Errors
/// If the table cannot be read or contains other items.
pub async fn sessions(client: &Client, table: &str, limit: ReadLimit) -> Result<Stored<Vec<Boundary>>, OpsError> {
    let read = scan(client, table, limit).await?;
    let mut sessions = read.items.iter().map(|item| session(table, item)).collect::<Result<Vec<_>, _>>()?;
    sessions.retain(|session| session.status != Some(Status::Retracted));
    sessions.sort_by_cached_key(Boundary::session_id);
    Ok(Stored { items: sessions, has_more: read.has_more })
}

/// The session in an `item` of the table called `table`; a tombstone is a retracted one.
pub(crate) fn session(table: &str, item: &Item) -> Result<Boundary, OpsError> {
    session_item::decode(item).map_err(|error| not_ours(table, &[USER_ID, ORDINAL], item, &error.to_string()))
}

/// The rejected records in the table called `table`, sorted by their position.
///
/// # Errors
/// If the table cannot be read or contains other items.
pub async fn rejected(
    client: &Client,
    table: &str,
    limit: ReadLimit,
) -> Result<Stored<Vec<StoredRejection>>, OpsError> {
    let read = scan(client, table, limit).await?;
    let decode =
        |item: &Item| rejection(item).ok_or_else(|| not_ours(table, &[KEY], item, "it is not a rejected record"));
    let mut records = read.items.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
    records.sort_unstable_by(|a, b| a.position().cmp(&b.position()));
    Ok(Stored { items: records, has_more: read.has_more })
}

impl StoredRejection {
    /// As a JSON object, without the bytes.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "source": self.source,
            "sequence_number": self.sequence_number,
            "place": self.place,
            "partition_key": self.partition_key,
            "reason": self.reason,
            "message": self.message,
            "arrival_time": self.arrival_time,
            "data_length": self.data_length,
        })
    }

    /// The record's place in its shard, and its own. A sequence number has no leading zeros, so the longer one is larger.
    fn position(&self) -> (&str, usize, &str, Option<u32>) {
        (&self.source, self.sequence_number.len(), &self.sequence_number, self.place)
    }
}

/// The error for an item that the functions did not write, with the attributes of its `key`.
pub(crate) fn not_ours(table: &str, key: &[&str], item: &Item, fault: &str) -> OpsError {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => Some(format!("{text:?}")),
        AttributeValue::N(number) => Some(number.clone()),
        _ => None,
    };
    let key: Vec<_> = key.iter().filter_map(|name| Some(format!("{name} {}", value(item.get(*name)?)?))).collect();
    OpsError::Item { table: table.to_owned(), fault: format!("the item with {}: {fault}", key.join(", ")) }
}

fn rejection(item: &Item) -> Option<StoredRejection> {
    let text = |name: &str| item.get(name)?.as_s().ok().cloned();
    let number = |name: &str| item.get(name)?.as_n().ok()?.parse().ok();
    let (source, sequence_number) = (text("source")?, text("sequence_number")?);
    let place = match text(KEY)?.strip_prefix(&format!("{source}/{sequence_number}"))? {
        "" => None,
        place => Some(place.strip_prefix('/')?.parse().ok()?),
    };
    Some(StoredRejection {
        source,
        sequence_number,
        place,
        parts: if item.contains_key("parts") { number("parts")? } else { 1 },
        partition_key: text("partition_key")?,
        reason: text("reason")?,
        message: text("message")?,
        arrival_time: number("arrival_time")?,
        data_length: number("data_length")?,
        data: item.get("data")?.as_b().ok()?.as_ref().to_vec(),
    })
}

/// The items of a table, in no useful order.
pub(crate) async fn scan(client: &Client, table: &str, limit: ReadLimit) -> Result<Stored<Vec<Item>>, OpsError> {
    let mut items: Vec<Item> = Vec::new();
    let mut from: Option<HashMap<String, AttributeValue>> = None;
    loop {
        // Reads one item more than requested to find out whether there are more.
        let missing = match limit {
            ReadLimit::WholeTable => None,
            ReadLimit::Items(most) => Some(most as usize + 1 - items.len()),
        };
        let request = client.scan().table_name(table).consistent_read(true).set_exclusive_start_key(from);
        let request = request.set_limit(missing.map(|missing| i32::try_from(missing).unwrap_or(i32::MAX)));
        let page = request.send().await.map_err(|error| OpsError::of_table(table)(CallError::of("Scan", &error)))?;
        items.extend(page.items.unwrap_or_default());
        if let ReadLimit::Items(most) = limit
            && items.len() > most as usize
        {
            items.truncate(most as usize);
            return Ok(Stored { items, has_more: true });
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(Stored { items, has_more: false });
        }
    }
}
