//! Puts records into click-stream and preserves the order of each user's records.
//!
//! Kinesis does not guarantee order within a PutRecords request, because it may reject an entry and accept a later one.
//! So records are put no faster than their shard accepts them, and each request waits for the response to the previous
//! one.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use kinesis_function::backoff::Backoff;
use kinesis_function::call_error::CallError;
use kinesis_function::limits::{MAX_BYTES_PER_PUT, MAX_RECORDS_PER_PUT};
use md5::{Digest, Md5};
use shared::click::{DecodedClick, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::record_parts::for_each_part;
use tokio::time::Instant;

use crate::error::LocalError;
use crate::line_numbers::LineNumbers;
use crate::pace::{Amount, Pace};

const OPERATION: &str = "PutRecords";

/// Gathers records and puts them into a stream. It must be the stream's only writer.
#[derive(Debug)]
pub struct Producer {
    client: Client,
    stream: String,
    shards: Vec<OpenShard>,
    waiting: Vec<Waiting>,
    bytes: usize,
    put: u64,
    lines: LineNumbers,
}

/// A gathered record.
#[derive(Debug)]
struct Waiting {
    entry: PutRecordsRequestEntry,
    /// The input line to remember for its position.
    line: Option<u64>,
}

/// A shard that accepts records.
#[derive(Debug)]
struct OpenShard {
    /// The MD5 hashes of its partition keys.
    hashes: RangeInclusive<u128>,
    pace: Pace,
    /// The gathered records for this shard.
    waiting: Amount,
}

impl Producer {
    /// A producer for the stream called `stream`.
    ///
    /// # Errors
    /// If its shards cannot be listed.
    pub async fn new(client: Client, stream: impl Into<String>) -> Result<Self, LocalError> {
        let (stream, lines) = (stream.into(), LineNumbers::default());
        let mut producer = Self { client, stream, shards: Vec::new(), waiting: Vec::new(), bytes: 0, put: 0, lines };
        producer.learn_shards().await?;
        Ok(producer)
    }

    /// Lists the stream's shards. Call it after a reshard, while no records are gathered.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn learn_shards(&mut self) -> Result<(), LocalError> {
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

    /// Number of records put into the stream.
    #[must_use]
    pub fn records_put(&self) -> u64 {
        self.put
    }

    /// The lines that [`Self::take_line`] remembered, for records in the stream.
    #[must_use]
    pub fn lines(&self) -> &LineNumbers {
        &self.lines
    }

    /// Gathers a record. First puts the gathered records if this one does not fit into the same request.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn take(&mut self, partition_key: String, data: Vec<u8>) -> Result<(), LocalError> {
        self.gather(partition_key, data, None).await
    }

    /// Gathers line `number` of the input and remembers its number if it may be rejected.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn take_line(&mut self, number: u64, route: Route, data: Vec<u8>) -> Result<(), LocalError> {
        let Route { partition_key, may_be_rejected, .. } = route;
        self.gather(partition_key, data, may_be_rejected.then_some(number)).await
    }

    async fn gather(&mut self, partition_key: String, data: Vec<u8>, line: Option<u64>) -> Result<(), LocalError> {
        let bytes = data.len() + partition_key.len();
        let own = Amount { records: 1, bytes };
        let place = self.place_of(&partition_key)?;
        let is_full = self.waiting.len() == MAX_RECORDS_PER_PUT || self.bytes + bytes > MAX_BYTES_PER_PUT;
        if is_full || !self.shards[place].waiting.plus(own).fits() {
            self.flush().await?;
        }
        let entry = PutRecordsRequestEntry::builder().partition_key(partition_key).data(Blob::new(data)).build();
        let entry = entry.map_err(|error| CallError::unbuildable(OPERATION, error))?;
        self.waiting.push(Waiting { entry, line });
        let shard = &mut self.shards[place];
        shard.waiting = shard.waiting.plus(own);
        self.bytes += bytes;
        Ok(())
    }

    /// Puts the gathered records as soon as their shards accept them.
    ///
    /// # Errors
    /// If the stream rejects a record permanently, or accepts one after rejecting an earlier one of the same partition
    /// key.
    pub async fn flush(&mut self) -> Result<(), LocalError> {
        let now = Instant::now();
        let free_at = self.shards.iter().map(|shard| shard.pace.free_at(shard.waiting, now)).max();
        tokio::time::sleep_until(free_at.unwrap_or(now)).await;
        let mut backoff = Backoff::new();
        while !self.waiting.is_empty() {
            let entries = self.waiting.iter().map(|waiting| waiting.entry.clone()).collect();
            let request = self.client.put_records().stream_name(&self.stream).set_records(Some(entries));
            let answer = request.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
            if answer.records.len() != self.waiting.len() {
                let what = format!("{} results for {} records", answer.records.len(), self.waiting.len());
                return Err(CallError::incomplete_answer(OPERATION, what).into());
            }
            let (mut refused, mut refused_keys) = (Vec::new(), HashSet::new());
            for (waiting, result) in self.waiting.drain(..).zip(answer.records) {
                let key = waiting.entry.partition_key.clone();
                if let Some(code) = result.error_code {
                    let error = CallError::of_part(OPERATION, &code, &result.error_message.unwrap_or_default());
                    if !error.is_transient() {
                        return Err(error.into());
                    }
                    refused_keys.insert(key);
                    refused.push(waiting);
                } else if refused_keys.contains(&key) {
                    return Err(LocalError::OutOfOrder { partition_key: key.unwrap_or_default() });
                } else {
                    self.put += 1;
                    if let (Some(line), Some(shard), Some(number)) =
                        (waiting.line, &result.shard_id, &result.sequence_number)
                    {
                        self.lines.note(shard, number, line);
                    }
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

    /// The index in `shards` of the one that accepts records with this partition key.
    fn place_of(&self, partition_key: &str) -> Result<usize, LocalError> {
        let hash = u128::from_be_bytes(Md5::digest(partition_key.as_bytes()).into());
        let place = self.shards.iter().position(|shard| shard.hashes.contains(&hash));
        place.ok_or_else(|| LocalError::NoShard { partition_key: partition_key.to_owned() })
    }
}

/// The partition key of an input line, what it holds, and whether any of it may be rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The user of its first click, as the contract requires. Unreadable records have no user; their line numbers spread
    /// them over the shards.
    pub partition_key: String,
    /// How many parts it holds, each of which is applied, late, filtered or rejected.
    pub parts: u64,
    /// Whether the sessionizer may reject it or a part of it.
    pub may_be_rejected: bool,
}

impl Route {
    /// The route of line `number`, whose content is `data` in this `format` and which will arrive no earlier than
    /// `now_ms` (Unix milliseconds).
    ///
    /// The sessionizer decodes it with the same code, so this result is valid there too. Only the limit on times in the
    /// future depends on the arrival, and a time within `max_clock_skew_ms` of now is still within it on arrival.
    #[must_use]
    pub fn of(number: u64, data: &[u8], format: &ClickFormat, now_ms: u64, max_clock_skew_ms: u64) -> Self {
        let (mut user_id, mut parts, mut may_be_rejected) = (None, 0, false);
        let at_any_time = LatestBelievable::after_arrival(now_ms, u64::MAX);
        for_each_part(data, format, at_any_time, |_, content| {
            parts += 1;
            match content {
                Ok(Decoded::Click(DecodedClick { click, .. })) => {
                    may_be_rejected |= click.time.ms() > now_ms.saturating_add(max_clock_skew_ms);
                    user_id.get_or_insert(click.user_id);
                }
                Ok(Decoded::Filtered) => {}
                Err(_) => may_be_rejected = true,
            }
        });
        let partition_key = user_id.map_or_else(|| format!("line {number}"), |user| user.partition_key().to_owned());
        Self { partition_key, parts, may_be_rejected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_may_be_rejected_are_remembered() {
        let format = ClickFormat::default();
        let route = |data: &str| Route::of(7, data.as_bytes(), &format, 1_721_390_000_000, 60_000);
        let of = |partition_key: &str, parts, may_be_rejected| Route {
            partition_key: partition_key.to_owned(),
            parts,
            may_be_rejected,
        };
        assert_eq!(route(r#"{"user_id":"a","event_timestamp":1721390060000}"#), of("a", 1, false));
        assert_eq!(route(r#"{"user_id":"a","event_timestamp":1721390060001}"#), of("a", 1, true));
        assert_eq!(route(r#"{"user_id":"a"}"#), of("line 7", 1, true));
        assert_eq!(route("no click"), of("line 7", 1, true));
        let click = |user: &str| format!(r#"{{"user_id":"{user}","event_timestamp":1721390000000}}"#);
        assert_eq!(route(&format!("[{},{}]", click("a"), click("b"))), of("a", 2, false));
        assert_eq!(route(&format!("{{}}{}", click("b"))), of("b", 2, true));
    }
}
