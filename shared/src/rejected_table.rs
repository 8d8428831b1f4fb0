//! The rejected-records table: what neither function could read, kept with its reason.
//!
//! An item's key is the record's position, so a redelivery writes the same item again and never a second one. Reading
//! and redriving them is not done here.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};

use crate::call_error::CallError;
use crate::invocation::{Backoff, Invocation};
use crate::limits::{MAX_PUTS_PER_REQUEST, MAX_REJECTED_DATA_BYTES, SECONDS_PER_DAY};
use crate::records::{Progress, Record};
use crate::rejection::Rejection;

const OPERATION: &str = "BatchWriteItem";

/// A record that could not be read.
#[derive(Clone, Debug)]
pub struct RejectedRecord<'r> {
    /// Its place in the batch, from 0.
    pub index: usize,
    /// The record, bytes included.
    pub record: Record<'r>,
    /// Why it could not be read.
    pub rejection: Rejection,
}

/// Writes rejected records.
#[derive(Clone, Debug)]
pub struct RejectedTable {
    client: Client,
    name: String,
    retention_days: u64,
}

impl RejectedTable {
    /// The table called `name`, whose items expire `retention_days` days after they were written.
    #[must_use]
    pub fn new(client: Client, name: impl Into<String>, retention_days: u64) -> Self {
        Self { client, name: name.into(), retention_days }
    }

    /// Writes `rejected` and notes each record that is written as done in `progress`.
    ///
    /// Throttled items are tried again until `invocation` is dropped at its deadline; a record whose write cannot
    /// succeed stays undone, so the batch comes again.
    pub async fn write(&self, rejected: &[RejectedRecord<'_>], invocation: Invocation, progress: &Progress) {
        for chunk in rejected.chunks(MAX_PUTS_PER_REQUEST) {
            match self.write_chunk(chunk, invocation).await {
                Ok(()) => {
                    for rejected in chunk {
                        progress.set_done(rejected.index);
                        tracing::warn!(
                            shard = %rejected.record.shard,
                            sequence_number = %rejected.record.sequence_number(),
                            reason = %rejected.rejection.reason,
                            "record rejected"
                        );
                    }
                }
                Err(error) => tracing::error!(%error, table = self.name, "rejected records could not be kept"),
            }
        }
    }

    async fn write_chunk(&self, chunk: &[RejectedRecord<'_>], invocation: Invocation) -> Result<(), CallError> {
        let mut requests =
            chunk.iter().map(|rejected| self.request(rejected, invocation)).collect::<Result<Vec<_>, _>>()?;
        let mut backoff = Backoff::new();
        loop {
            let sent = requests.len();
            match self.client.batch_write_item().request_items(&self.name, requests.clone()).send().await {
                Ok(answer) => {
                    requests =
                        answer.unprocessed_items.and_then(|mut items| items.remove(&self.name)).unwrap_or_default();
                }
                Err(error) => {
                    let error = CallError::of(OPERATION, &error);
                    if !error.is_transient() {
                        return Err(error);
                    }
                    tracing::warn!(%error, "trying again");
                }
            }
            if requests.is_empty() {
                return Ok(());
            }
            if requests.len() < sent {
                backoff.reset();
            }
            backoff.pause().await;
        }
    }

    fn request(&self, rejected: &RejectedRecord<'_>, invocation: Invocation) -> Result<WriteRequest, CallError> {
        let RejectedRecord { record, rejection, .. } = rejected;
        let kept = &record.data[..record.data.len().min(MAX_REJECTED_DATA_BYTES)];
        let expires_at = invocation.now_ms / 1_000 + self.retention_days * SECONDS_PER_DAY;
        let put = PutRequest::builder()
            .item("source", AttributeValue::S(record.shard.to_string()))
            .item("sequence_number", AttributeValue::S(record.sequence_number().to_string()))
            .item("reason", AttributeValue::S(rejection.reason.to_string()))
            .item("message", AttributeValue::S(rejection.message.clone()))
            .item("data", AttributeValue::B(Blob::new(kept)))
            .item("data_length", AttributeValue::N(record.data.len().to_string()))
            .item("partition_key", AttributeValue::S(record.partition_key.to_owned()))
            .item("arrival_time", AttributeValue::N(record.arrival_ms.to_string()))
            .item("expires_at", AttributeValue::N(expires_at.to_string()))
            .build()
            .map_err(|error| CallError::unbuildable(OPERATION, error))?;
        Ok(WriteRequest::builder().put_request(put).build())
    }
}
