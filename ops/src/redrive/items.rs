//! Lists, reads and deletes the items of the rejected-records table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, KeysAndAttributes, WriteRequest};
use kinesis_function::call_error::CallError;
use kinesis_function::limits::MAX_PUTS_PER_REQUEST;
use kinesis_function::rejected_table::KEY;
use kinesis_function::statements::Item;

use super::attempts::Attempts;
use super::reasons::Reasons;
use crate::error::OpsError;

/// The table.
#[derive(Clone, Copy)]
pub(crate) struct Items<'a> {
    pub(crate) dynamodb: &'a aws_sdk_dynamodb::Client,
    pub(crate) table: &'a str,
}

/// The key of a listed item.
pub(super) struct Key {
    /// `stream/shard/sequence number`, or that and `/place`: the item's key.
    position: String,
    arrival_ms: u64,
}

/// The keys of the records to redrive, stream by stream in order of arrival.
pub(super) struct Listed {
    pub(super) keys: Vec<Key>,
    /// Items that are not rejected records.
    pub(super) foreign: u64,
}

/// A rejected record, as stored in its item.
pub(super) struct Kept {
    position: String,
    pub(super) stream: String,
    partition_key: String,
    pub(super) reason: String,
    pub(super) data: Vec<u8>,
    /// Whether `data` is the whole record; large records are truncated when they are stored.
    pub(super) is_whole: bool,
}

/// The items of one read, in the order of their keys.
pub(super) struct Read {
    pub(super) records: Vec<Kept>,
    /// Items that are not rejected records.
    pub(super) foreign: u64,
}

impl Items<'_> {
    /// Lists the items with one of `reasons`.
    pub(super) async fn list(&self, reasons: &Reasons) -> Result<Listed, OpsError> {
        let mut listed = Listed { keys: Vec::new(), foreign: 0 };
        self.for_each_page(&[KEY, "reason", "arrival_time"], |items| {
            for item in items {
                match Key::of(item) {
                    None => listed.foreign += 1,
                    Some((key, reason)) if reasons.include(reason) => listed.keys.push(key),
                    Some(_) => {}
                }
            }
        })
        .await?;
        listed.keys.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        Ok(listed)
    }

    /// Passes these `attributes` of all items to `take`, page by page.
    pub(crate) async fn for_each_page(
        &self,
        attributes: &[&str],
        mut take: impl FnMut(&[Item]),
    ) -> Result<(), OpsError> {
        // Placeholders, because a name may be a reserved word.
        let names: HashMap<String, String> =
            attributes.iter().map(|name| (format!("#{name}"), (*name).to_owned())).collect();
        let projection = names.keys().cloned().collect::<Vec<_>>().join(", ");
        let (mut from, mut attempts) = (None, Attempts::new());
        loop {
            let scan = self.dynamodb.scan().table_name(self.table).consistent_read(true);
            let scan = scan.projection_expression(&projection).set_expression_attribute_names(Some(names.clone()));
            let page = match scan.set_exclusive_start_key(from.clone()).send().await {
                Ok(page) => page,
                Err(error) => {
                    let error = CallError::of("Scan", &error);
                    if error.is_transient() && attempts.again().await {
                        continue;
                    }
                    return Err(OpsError::of_table(self.table)(error));
                }
            };
            attempts = Attempts::new();
            take(page.items());
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Reads the items with `keys`, which must fit one request. Leaves out items deleted since they were listed.
    pub(super) async fn read(&self, keys: &[Key]) -> Result<Read, OpsError> {
        const OPERATION: &str = "BatchGetItem";

        let mut items: HashMap<String, Item> = HashMap::with_capacity(keys.len());
        let mut waiting: Vec<Item> = keys.iter().map(|key| key_item(&key.position)).collect();
        let mut attempts = Attempts::new();
        loop {
            let request = KeysAndAttributes::builder().set_keys(Some(waiting.clone())).consistent_read(true).build();
            let request =
                request.map_err(|error| OpsError::of_table(self.table)(CallError::unbuildable(OPERATION, error)))?;
            let answer = self.dynamodb.batch_get_item().request_items(self.table, request).send().await;
            let error = match answer.map_err(|error| CallError::of(OPERATION, &error)) {
                Ok(answer) => {
                    let found = answer.responses.and_then(|mut tables| tables.remove(self.table)).unwrap_or_default();
                    let position = |item: &Item| item.get(KEY)?.as_s().ok().cloned();
                    items.extend(found.into_iter().filter_map(|item| Some((position(&item)?, item))));
                    let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(self.table));
                    let left = left.map(|left| left.keys).unwrap_or_default();
                    if left.len() < waiting.len() {
                        attempts = Attempts::new();
                    }
                    waiting = left;
                    CallError::incomplete_answer(OPERATION, format!("{} keys remain unprocessed", waiting.len()))
                }
                Err(error) => error,
            };
            if waiting.is_empty() {
                break;
            }
            if !(error.is_transient() && attempts.again().await) {
                return Err(OpsError::of_table(self.table)(error));
            }
        }
        let mut read = Read { records: Vec::with_capacity(items.len()), foreign: 0 };
        for key in keys {
            match items.remove(&key.position).map(|item| Kept::of(&key.position, &item)) {
                Some(Some(record)) => read.records.push(record),
                Some(None) => read.foreign += 1,
                None => {}
            }
        }
        Ok(read)
    }

    /// Deletes the items of `records`, which are back in their stream.
    pub(super) async fn delete(&self, records: &[&Kept]) -> Result<(), OpsError> {
        for (place, chunk) in records.chunks(MAX_PUTS_PER_REQUEST).enumerate() {
            let positions: Vec<&str> = chunk.iter().map(|record| record.position.as_str()).collect();
            self.delete_chunk(&positions).await.map_err(|source| OpsError::Undeleted {
                table: self.table.to_owned(),
                records: records.len() - place * MAX_PUTS_PER_REQUEST,
                source,
            })?;
        }
        Ok(())
    }

    /// Deletes the items with these keys, as many as fit into a request.
    pub(crate) async fn delete_chunk(&self, positions: &[&str]) -> Result<(), CallError> {
        const OPERATION: &str = "BatchWriteItem";

        let request = |position: &&str| {
            let request = DeleteRequest::builder().set_key(Some(key_item(position))).build();
            let request = request.map_err(|error| CallError::unbuildable(OPERATION, error))?;
            Ok::<_, CallError>(WriteRequest::builder().delete_request(request).build())
        };
        let mut waiting = positions.iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let mut attempts = Attempts::new();
        loop {
            let answer = self.dynamodb.batch_write_item().request_items(self.table, waiting.clone()).send().await;
            let error = match answer.map_err(|error| CallError::of(OPERATION, &error)) {
                Ok(answer) => {
                    let left = answer.unprocessed_items.and_then(|mut tables| tables.remove(self.table));
                    let left = left.unwrap_or_default();
                    if left.is_empty() {
                        return Ok(());
                    }
                    if left.len() < waiting.len() {
                        attempts = Attempts::new();
                    }
                    waiting = left;
                    CallError::incomplete_answer(OPERATION, format!("{} items remain unprocessed", waiting.len()))
                }
                Err(error) => error,
            };
            if !(error.is_transient() && attempts.again().await) {
                return Err(error);
            }
        }
    }
}

fn key_item(position: &str) -> Item {
    [(KEY.to_owned(), AttributeValue::S(position.to_owned()))].into()
}

/// A position, taken apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position<'p> {
    stream: &'p str,
    shard: &'p str,
    sequence_number: &'p str,
    /// The place within the record, if it holds several parts.
    place: Option<u32>,
}

impl<'p> Position<'p> {
    fn parse(text: &'p str) -> Option<Self> {
        let mut parts = text.split('/');
        let (stream, shard, sequence_number) = (parts.next()?, parts.next()?, parts.next()?);
        let place = parts.next().map(str::parse).transpose().ok()?;
        parts.next().is_none().then_some(Self { stream, shard, sequence_number, place })
    }
}

impl Key {
    /// The stream that the record came from.
    pub(super) fn stream(&self) -> &str {
        Position::parse(&self.position).unwrap_or_default().stream
    }

    /// The key and the reason of `item`.
    fn of(item: &Item) -> Option<(Self, &String)> {
        let position = item.get(KEY)?.as_s().ok()?;
        let arrival_ms = item.get("arrival_time")?.as_n().ok()?.parse().ok()?;
        Position::parse(position)?;
        Some((Self { position: position.clone(), arrival_ms }, item.get("reason")?.as_s().ok()?))
    }

    /// Stream, arrival, shard, sequence number and place. The number has no leading zeros, so the longer one is larger.
    fn order(&self) -> (&str, u64, &str, usize, &str, Option<u32>) {
        let Position { stream, shard, sequence_number, place } = Position::parse(&self.position).unwrap_or_default();
        (stream, self.arrival_ms, shard, sequence_number.len(), sequence_number, place)
    }
}

impl Kept {
    fn of(position: &str, item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        let data = item.get("data")?.as_b().ok()?.as_ref().to_vec();
        let length: usize = item.get("data_length")?.as_n().ok()?.parse().ok()?;
        Some(Self {
            position: position.to_owned(),
            stream: Position::parse(position)?.stream.to_owned(),
            partition_key: text("partition_key")?,
            reason: text("reason")?,
            is_whole: data.len() == length,
            data,
        })
    }

    /// A partition key that Kinesis accepts: the record's own, or its sequence number if its own is empty. Only records
    /// that did not come from Kinesis have an empty one, and those that were aggregated.
    pub(super) fn accepted_partition_key(&self) -> &str {
        match (self.partition_key.is_empty(), Position::parse(&self.position)) {
            (true, Some(position)) => position.sequence_number,
            _ => &self.partition_key,
        }
    }

    /// Its size as counted by PutRecords.
    pub(super) fn bytes(&self) -> usize {
        self.data.len() + self.accepted_partition_key().len()
    }
}
