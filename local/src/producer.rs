//! Puts records into click-stream so that each user's arrive in the order in which they were given.
//!
//! PutRecords keeps no order within a request, least of all when some entries are throttled and put again. So a
//! request never holds two records with the same partition key, and the next one waits until all of it is in.

use std::collections::HashSet;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use shared::call_error::CallError;
use shared::click::{Click, LatestBelievable};
use shared::invocation::Backoff;
use shared::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};

const OPERATION: &str = "PutRecords";

/// Gathers records and puts them into a stream.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    stream: String,
    waiting: Vec<PutRecordsRequestEntry>,
    keys: HashSet<String>,
    bytes: usize,
    put: u64,
}

impl Producer {
    /// A producer for the stream called `stream`.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        let (waiting, keys) = (Vec::new(), HashSet::new());
        Self { client, stream: stream.into(), waiting, keys, bytes: 0, put: 0 }
    }

    /// How many records are in the stream.
    #[must_use]
    pub fn records_put(&self) -> u64 {
        self.put
    }

    /// Takes a record; puts what was gathered before when the record must not or cannot go with it.
    ///
    /// # Errors
    /// When the stream refuses a record for good.
    pub async fn take(&mut self, partition_key: String, data: Vec<u8>) -> Result<(), CallError> {
        let bytes = data.len() + partition_key.len();
        let full = self.waiting.len() == MAX_RECORDS_PER_PUT || self.bytes + bytes > MAX_BYTES_PER_PUT;
        if full || self.keys.contains(&partition_key) {
            self.flush().await?;
        }
        let entry = PutRecordsRequestEntry::builder().partition_key(&partition_key).data(Blob::new(data)).build();
        self.waiting.push(entry.map_err(|error| CallError::unbuildable(OPERATION, error))?);
        self.keys.insert(partition_key);
        self.bytes += bytes;
        Ok(())
    }

    /// Puts what was gathered, throttled entries again until all are in.
    ///
    /// # Errors
    /// When the stream refuses a record for good.
    pub async fn flush(&mut self) -> Result<(), CallError> {
        let mut backoff = Backoff::new();
        while !self.waiting.is_empty() {
            let request = self.client.put_records().stream_name(&self.stream);
            let answer = request.set_records(Some(self.waiting.clone())).send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let mut refused = Vec::new();
            for (entry, result) in self.waiting.drain(..).zip(answer.records) {
                match result.error_code {
                    None => self.put += 1,
                    Some(code) => {
                        let error = CallError::of_part(OPERATION, &code, &result.error_message.unwrap_or_default());
                        if !error.is_passing() {
                            return Err(error);
                        }
                        refused.push(entry);
                    }
                }
            }
            if !refused.is_empty() {
                backoff.pause().await;
            }
            self.waiting = refused;
        }
        self.keys.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// The partition key for a record of the file: its user, as the contract has it. What is no click has none and is
/// spread over the shards by its line.
#[must_use]
pub fn partition_key(data: &[u8], line_number: u64) -> String {
    let any_time = LatestBelievable::after_arrival(u64::MAX, 0);
    Click::decode(data, any_time).map_or_else(|_| format!("line {line_number}"), |click| click.user_id.to_string())
}
