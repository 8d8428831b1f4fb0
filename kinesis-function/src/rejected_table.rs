//! The rejected-records table: unusable records, kept with their reason.
//!
//! An item's partition key is the record's position. A redelivery therefore overwrites the same item, and a flood of
//! records spreads over the table's partitions. Reading and redriving them happens elsewhere.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use futures_util::future::join_all;

use crate::backoff::Backoff;
use crate::call_error::CallError;
use crate::config::Variables;
use crate::done_records::DoneRecords;
use crate::limits::{
    MAX_BYTES_PER_BATCH_WRITE, MAX_ITEM_BYTES, MAX_PUTS_PER_REQUEST, MAX_REJECTED_DATA_BYTES,
    MAX_REJECTED_MESSAGE_BYTES, SECONDS_PER_DAY,
};
use crate::rejected_records::{CONCURRENT_REQUESTS, RejectedRecord, RejectedRecords};

const OPERATION: &str = "BatchWriteItem";

/// The table's key attribute: `stream/shard/sequence number`, and `/place` for a part of a record that holds several.
pub const KEY: &str = "position";

// A full request of the largest items fits even in base64: 25 × 400 KiB × 4/3 = 13.3 MiB. So requests are limited only
// by the number of items.
const _: () = assert!(MAX_PUTS_PER_REQUEST * MAX_ITEM_BYTES / 3 * 4 < MAX_BYTES_PER_BATCH_WRITE);

/// The table's settings, common to all functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedTableConfig {
    /// `REJECTED_TABLE`: name of the table of rejected records.
    pub name: String,
    /// `REJECTED_RETENTION_DAYS`: how long a rejected record is kept, 1 to 3,650 days; default 30.
    pub retention_days: u64,
}

impl RejectedTableConfig {
    /// Reads each setting from `variables`, which collects faults.
    pub fn read(variables: &mut Variables) -> Self {
        Self {
            name: variables.required("REJECTED_TABLE"),
            retention_days: variables.integer("REJECTED_RETENTION_DAYS", 30, 1..=3_650),
        }
    }
}

/// Writes rejected records.
#[derive(Clone, Debug)]
pub struct RejectedTable {
    client: Client,
    config: RejectedTableConfig,
}

impl RejectedTable {
    /// The table that `config` names, accessed through `client`.
    #[must_use]
    pub fn new(client: Client, config: RejectedTableConfig) -> Self {
        Self { client, config }
    }

    /// Writes the records of `rejected` at `now_ms`, and marks each one written in `done`. Makes one request at a
    /// time until [`RejectedRecords::good_records_are_done`], then several. Logs nothing; see
    /// [`crate::rejected_records::log`].
    ///
    /// Retries refused items, after those not tried yet, until all are written or this future is dropped at the
    /// deadline. An error that is not transient (a missing permission or table) ends the writing, because every other
    /// request would fail the same way. Records not written stay undone, so the batch is redelivered.
    pub(crate) async fn write(&self, rejected: &RejectedRecords<'_>, now_ms: u64, done: &DoneRecords) {
        let queue = Queue::of(rejected.records().len());
        let writers = (0..CONCURRENT_REQUESTS).map(|_| self.write_from(&queue, rejected, now_ms, done));
        join_all(writers).await;
    }

    /// Makes one request after another. Requests are built one at a time: building all of them up front would copy the
    /// batch and block the single thread.
    async fn write_from(&self, queue: &Queue, batch: &RejectedRecords<'_>, now_ms: u64, done: &DoneRecords) {
        let mut backoff = Backoff::new();
        loop {
            // Released before each pause, so that a refused request does not block others.
            let Some(room) = batch.room_for_a_request().await else { return };
            let places = queue.take();
            let chunk: Vec<_> = places.iter().filter_map(|place| batch.records().get(*place)).collect();
            if chunk.is_empty() {
                return;
            }
            let result = self.put(&chunk, now_ms).await;
            drop(room);
            let (refused, error) = match result {
                Ok(refused) => (refused, None),
                Err(error) if error.is_transient() => (vec![true; chunk.len()], Some(error)),
                Err(error) => {
                    batch.note_failure(error);
                    queue.clear();
                    return;
                }
            };
            let mut again = Vec::new();
            for ((place, rejected), is_refused) in places.iter().zip(&chunk).zip(refused) {
                if is_refused {
                    again.push(*place);
                } else {
                    batch.note_written(*place);
                    done.set_done(rejected.index);
                }
            }
            if again.len() < places.len() {
                backoff.reset();
            }
            if !again.is_empty() {
                batch.note_retry(again.len(), error);
                queue.put_back(again);
                backoff.pause().await;
            }
        }
    }

    /// Tries once to put `chunk`; returns for each record whether DynamoDB left it unprocessed.
    async fn put(&self, chunk: &[&RejectedRecord<'_>], now_ms: u64) -> Result<Vec<bool>, CallError> {
        let requests = chunk.iter().map(|rejected| self.request(rejected, now_ms)).collect::<Result<_, _>>()?;
        let answer = self.client.batch_write_item().request_items(&self.config.name, requests).send().await;
        let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
        let unprocessed =
            answer.unprocessed_items.and_then(|mut tables| tables.remove(&self.config.name)).unwrap_or_default();
        let keys: Vec<_> = unprocessed.iter().filter_map(key).collect();
        let refused: Vec<_> = chunk.iter().map(|rejected| keys.contains(&rejected.position().as_str())).collect();
        if refused.iter().filter(|is_refused| **is_refused).count() == unprocessed.len() {
            Ok(refused)
        } else {
            Err(CallError::incomplete_answer(OPERATION, "it lists unprocessed items that were not in the request"))
        }
    }

    fn request(&self, rejected: &RejectedRecord<'_>, now_ms: u64) -> Result<WriteRequest, CallError> {
        let RejectedRecord { record, part, rejection, .. } = rejected;
        let kept = &part.data[..part.data.len().min(MAX_REJECTED_DATA_BYTES)];
        let message = &rejection.message[..rejection.message.floor_char_boundary(MAX_REJECTED_MESSAGE_BYTES)];
        let message = match part.parts {
            ..=1 => message.to_owned(),
            parts => format!("{message}; {} more parts of the record were rejected for this reason", parts - 1),
        };
        let expires_at = now_ms / 1_000 + self.config.retention_days * SECONDS_PER_DAY;
        let put = PutRequest::builder()
            .item(KEY, AttributeValue::S(rejected.position()))
            .item("source", AttributeValue::S(record.shard.to_string()))
            .item("sequence_number", AttributeValue::S(record.sequence_number().to_string()))
            .item("reason", AttributeValue::S(rejection.reason.to_string()))
            .item("message", AttributeValue::S(message))
            .item("data", AttributeValue::B(Blob::new(kept)))
            .item("data_length", AttributeValue::N(part.data.len().to_string()))
            .item("partition_key", AttributeValue::S(part.partition_key.to_owned()))
            .item("arrival_time", AttributeValue::N(record.arrival_ms.to_string()))
            .item("expires_at", AttributeValue::N(expires_at.to_string()));
        let put = if part.parts > 1 { put.item("parts", AttributeValue::N(part.parts.to_string())) } else { put };
        let put = put.build().map_err(|error| CallError::unbuildable(OPERATION, error))?;
        Ok(WriteRequest::builder().put_request(put).build())
    }
}

/// The key of the item that `request` puts.
fn key(request: &WriteRequest) -> Option<&str> {
    request.put_request()?.item().get(KEY)?.as_s().ok().map(String::as_str)
}

/// The indexes of the records still to be written, shared by the writers.
struct Queue(Mutex<VecDeque<usize>>);

impl Queue {
    fn of(records: usize) -> Self {
        Self(Mutex::new((0..records).collect()))
    }

    /// Takes the next indexes, as many as fit into a request.
    fn take(&self) -> Vec<usize> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = places.len().min(MAX_PUTS_PER_REQUEST);
        places.drain(..count).collect()
    }

    fn put_back(&self, refused: Vec<usize>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(refused);
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
