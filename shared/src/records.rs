//! The records of one Lambda event, and the answer that tells Lambda where to go on.
//!
//! The envelope is read here; what the records hold is decoded one by one elsewhere, so that one unreadable record
//! never fails the batch.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lambda_events::event::kinesis::{KinesisEvent, KinesisEventRecord};
use aws_lambda_events::streams::KinesisEventResponse;

use crate::sequence_number::{InvalidSequenceNumber, SequenceNumber};

/// A stream's shard: where a record's sequence number means something. Its text is the stream's name and the shard's id
/// with a slash between them, which neither can contain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(Arc<str>);

impl Shard {
    /// The shard called `id` of the stream called `stream`.
    #[must_use]
    pub fn new(stream: &str, id: &str) -> Self {
        Self(format!("{stream}/{id}").into())
    }

    /// The shard's text, for example `click-stream/shardId-000000000006`.
    #[must_use]
    pub fn text(&self) -> &Arc<str> {
        &self.0
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One record of a batch, not decoded yet.
#[derive(Clone, Debug)]
pub struct Record {
    /// The shard it came over.
    pub shard: Shard,
    /// Its position in the shard.
    pub sequence_number: SequenceNumber,
    /// What its producer chose to keep in order.
    pub partition_key: String,
    /// When Kinesis took it, approximately, in Unix milliseconds.
    pub arrival_ms: u64,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Where in its stream a batch lies, and since when it has been waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The shard; that of the first record, where an event put together by hand holds several.
    pub shard: Shard,
    /// The first record's position.
    pub first: SequenceNumber,
    /// The last record's position.
    pub last: SequenceNumber,
    /// When the record that has waited longest arrived, in Unix milliseconds.
    pub oldest_arrival_ms: u64,
}

impl Extent {
    /// That of `records`, which are in the order of their shard; `None` when there are none.
    #[must_use]
    pub fn of(records: &[Record]) -> Option<Self> {
        let (first, last) = (records.first()?, records.last()?);
        let oldest_arrival_ms = records.iter().map(|record| record.arrival_ms).min()?;
        Some(Self {
            shard: first.shard.clone(),
            first: first.sequence_number.clone(),
            last: last.sequence_number.clone(),
            oldest_arrival_ms,
        })
    }

    /// The span that log lines of this batch stand in.
    #[must_use]
    pub fn span(&self) -> tracing::Span {
        tracing::info_span!(
            "batch",
            shard = %self.shard,
            first_sequence_number = %self.first,
            last_sequence_number = %self.last
        )
    }
}

/// An event that is not what Lambda sends for a Kinesis stream. The whole batch comes again.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// A record without a usable `sequenceNumber` cannot be told apart from its redelivery.
    #[error("record {index} of the event: {source}")]
    SequenceNumber {
        /// The record's place in the event, from 0.
        index: usize,
        /// What is wrong with it.
        source: InvalidSequenceNumber,
    },
    /// A record that does not say where it comes from.
    #[error("record {index} of the event: {field} is {value:?}, expected {expected}")]
    Origin {
        /// The record's place in the event, from 0.
        index: usize,
        /// The field's name.
        field: &'static str,
        /// Its value; empty when it is missing.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
}

/// The records of `event` in the order of their shard, each once.
///
/// Lambda sends them so. An event put together by hand may not, and the cursors rely on it.
///
/// # Errors
/// When a record lacks what every record of a Kinesis event has.
pub fn records_of(event: KinesisEvent) -> Result<Vec<Record>, EventError> {
    let mut shard: Option<Shard> = None;
    let mut records = event
        .records
        .into_iter()
        .enumerate()
        .map(|(index, record)| record_of(index, record, &mut shard))
        .collect::<Result<Vec<_>, _>>()?;
    if !records.is_sorted_by(|a, b| a.shard == b.shard && a.sequence_number < b.sequence_number) {
        records.sort_by(|a, b| a.shard.cmp(&b.shard).then_with(|| a.sequence_number.cmp(&b.sequence_number)));
        records.dedup_by(|a, b| a.shard == b.shard && a.sequence_number == b.sequence_number);
    }
    Ok(records)
}

/// `last_shard` is reused where it is the same, as it is throughout the events that Lambda sends.
fn record_of(index: usize, record: KinesisEventRecord, last_shard: &mut Option<Shard>) -> Result<Record, EventError> {
    let event_id = record.event_id.unwrap_or_default();
    let arn = record.event_source_arn.unwrap_or_default();
    let Some((shard_id, _)) = event_id.split_once(':') else {
        let expected = "a shard id, a colon and a sequence number";
        return Err(EventError::Origin { index, field: "eventID", value: event_id, expected });
    };
    let Some((_, stream)) = arn.split_once(":stream/") else {
        let expected = "the ARN of a stream";
        return Err(EventError::Origin { index, field: "eventSourceARN", value: arn, expected });
    };
    let shard = match last_shard {
        Some(last) if last.0.split_once('/') == Some((stream, shard_id)) => last.clone(),
        _ => last_shard.insert(Shard::new(stream, shard_id)).clone(),
    };
    let kinesis = record.kinesis;
    Ok(Record {
        shard,
        sequence_number: SequenceNumber::parse(kinesis.sequence_number)
            .map_err(|source| EventError::SequenceNumber { index, source })?,
        partition_key: kinesis.partition_key,
        arrival_ms: u64::try_from(kinesis.approximate_arrival_timestamp.timestamp_millis()).unwrap_or(0),
        data: kinesis.data.0,
    })
}

/// Which records of a batch are done: applied and published, stored, or kept as rejected.
///
/// Shared by the futures of one invocation, so that what is done stays known when the deadline drops them.
#[derive(Debug)]
pub struct Progress {
    done: Vec<AtomicBool>,
}

impl Progress {
    /// Nothing done yet of `records` records.
    #[must_use]
    pub fn of(records: usize) -> Self {
        Self { done: (0..records).map(|_| AtomicBool::new(false)).collect() }
    }

    /// Notes that the record at `index` of the batch is done.
    pub fn set_done(&self, index: usize) {
        if let Some(done) = self.done.get(index) {
            done.store(true, Ordering::Relaxed);
        }
    }

    /// How many records are not done.
    #[must_use]
    pub fn count_undone(&self) -> usize {
        self.undone().count()
    }

    /// The answer for Lambda: nothing when all of the batch's records are done, otherwise the lowest sequence number
    /// that is not. `sequence_numbers` are those of the batch, in its order.
    #[must_use]
    pub fn answer(&self, sequence_numbers: &[SequenceNumber]) -> KinesisEventResponse {
        let mut response = KinesisEventResponse::default();
        if let Some(lowest) = self.undone().filter_map(|index| sequence_numbers.get(index)).min() {
            response.add_failure(lowest.as_str());
        }
        response
    }

    fn undone(&self) -> impl Iterator<Item = usize> {
        self.done.iter().enumerate().filter(|(_, done)| !done.load(Ordering::Relaxed)).map(|(index, _)| index)
    }
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
