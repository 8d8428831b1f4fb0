//! Puts records into click-stream so that each user's arrive in the order in which they were given.
//!
//! Kinesis promises no order within a PutRecords request, for one reason: an entry may be refused while a later one is
//! taken. So nothing is put faster than its shard takes it, and the next request waits for the answer to this one.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use md5::{Digest, Md5};
use shared::call_error::CallError;
use shared::click::{Click, LatestBelievable};
use shared::invocation::Backoff;
use shared::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};
use tokio::time::Instant;

use crate::pace::{Amount, Pace};

const OPERATION: &str = "PutRecords";

/// Gathers records and puts them into a stream. It must be the only one that writes there.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    stream: String,
    shards: Vec<OpenShard>,
    waiting: Vec<PutRecordsRequestEntry>,
    bytes: usize,
    put: u64,
}

/// A shard that takes records.
#[derive(Debug)]
struct OpenShard {
    /// The MD5 hashes of the partition keys whose records go there.
    hashes: RangeInclusive<u128>,
    pace: Pace,
    /// What of the records gathered goes there.
    waiting: Amount,
}

impl Producer {
    /// A producer for the stream called `stream`.
    ///
    /// # Errors
    /// When its shards cannot be listed.
    pub async fn new(client: Client, stream: impl Into<String>) -> Result<Self, CallError> {
        let (waiting, shards) = (Vec::new(), Vec::new());
        let mut producer = Self { client, stream: stream.into(), shards, waiting, bytes: 0, put: 0 };
        producer.learn_shards().await?;
        Ok(producer)
    }

    /// Takes note of the stream's shards, to be told after they were split or merged and while nothing is gathered.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub async fn learn_shards(&mut self) -> Result<(), CallError> {
        let listed = self.client.list_shards().stream_name(&self.stream).send().await;
        let listed = listed.map_err(|error| CallError::of("ListShards", &error))?;
        let is_open = |shard: &&aws_sdk_kinesis::types::Shard| {
            shard.sequence_number_range.as_ref().is_some_and(|range| range.ending_sequence_number.is_none())
        };
        let open = listed.shards().iter().filter(is_open).filter_map(|shard| {
            let range = shard.hash_key_range.as_ref()?;
            let hashes = range.starting_hash_key.parse().ok()?..=range.ending_hash_key.parse().ok()?;
            Some(OpenShard { hashes, pace: Pace::default(), waiting: Amount::default() })
        });
        self.shards = open.collect();
        Ok(())
    }

    /// How many records are in the stream.
    #[must_use]
    pub fn records_put(&self) -> u64 {
        self.put
    }

    /// Takes a record; puts what was gathered before when the record cannot go with it.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn take(&mut self, partition_key: String, data: Vec<u8>) -> Result<(), CallError> {
        let bytes = data.len() + partition_key.len();
        let own = Amount { records: 1, bytes };
        let place = self.place_of(&partition_key)?;
        let is_full = self.waiting.len() == MAX_RECORDS_PER_PUT || self.bytes + bytes > MAX_BYTES_PER_PUT;
        if is_full || !self.shards[place].waiting.plus(own).fits() {
            self.flush().await?;
        }
        let entry = PutRecordsRequestEntry::builder().partition_key(partition_key).data(Blob::new(data)).build();
        self.waiting.push(entry.map_err(|error| CallError::unbuildable(OPERATION, error))?);
        let shard = &mut self.shards[place];
        shard.waiting = shard.waiting.plus(own);
        self.bytes += bytes;
        Ok(())
    }

    /// Puts what was gathered, as soon as its shards take it.
    ///
    /// # Errors
    /// When the stream refuses a record for good, or takes one before another of the same partition key.
    pub async fn flush(&mut self) -> Result<(), CallError> {
        let now = Instant::now();
        let free_at = self.shards.iter().map(|shard| shard.pace.free_at(shard.waiting, now)).max();
        tokio::time::sleep_until(free_at.unwrap_or(now)).await;
        let mut backoff = Backoff::new();
        while !self.waiting.is_empty() {
            let request = self.client.put_records().stream_name(&self.stream);
            let answer = request.set_records(Some(self.waiting.clone())).send().await;
            let answer = answer.map_err(|error| CallError::of(OPERATION, &error))?;
            let (mut refused, mut refused_keys) = (Vec::new(), HashSet::new());
            for (entry, result) in self.waiting.drain(..).zip(answer.records) {
                if let Some(code) = result.error_code {
                    let error = CallError::of_part(OPERATION, &code, &result.error_message.unwrap_or_default());
                    if !error.is_transient() {
                        return Err(error);
                    }
                    refused_keys.insert(entry.partition_key.clone());
                    refused.push(entry);
                } else if refused_keys.contains(&entry.partition_key) {
                    let key = entry.partition_key.unwrap_or_default();
                    let message = format!("a record of {key} was taken after one that was not");
                    return Err(CallError::of_part(OPERATION, "OutOfOrder", &message));
                } else {
                    self.put += 1;
                }
            }
            self.waiting = refused;
            if !self.waiting.is_empty() {
                backoff.pause().await;
            }
        }
        for shard in &mut self.shards {
            shard.pace.give(std::mem::take(&mut shard.waiting), Instant::now());
        }
        self.bytes = 0;
        Ok(())
    }

    /// The place in `shards` of the one that takes records with this partition key.
    fn place_of(&self, partition_key: &str) -> Result<usize, CallError> {
        let hash = u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into());
        let place = self.shards.iter().position(|shard| shard.hashes.contains(&hash));
        place.ok_or_else(|| {
            CallError::of_part(
                "ListShards",
                "NoShard",
                &format!("no open shard takes the partition key {partition_key}"),
            )
        })
    }
}

/// The partition key for a record of the file: its user, as the contract has it. What is no click has none and is
/// spread over the shards by its line.
#[must_use]
pub fn partition_key(data: &[u8], line_number: u64) -> String {
    let any_time = LatestBelievable::after_arrival(u64::MAX, 0);
    Click::decode(data, any_time)
        .map_or_else(|_| format!("line {line_number}"), |decoded| decoded.click.user_id.partition_key().to_owned())
}
