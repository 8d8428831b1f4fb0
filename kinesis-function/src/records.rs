//! The records of one Lambda event, in the order of their shard.
//!
//! The envelope is validated here; what the records hold is decoded one by one elsewhere, so that one unreadable record
//! never fails the batch.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::event::{Entry, Event, Origin};
use crate::event_error::EventError;
use shared::sequence_number::{self, SequenceNumber};
use shared::shown;

/// A stream's shard: where a record's sequence number means something. Its text is the stream's name and the shard's id
/// with a slash between them, which neither contains: that is checked where events are read.
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
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The shard it came over.
    pub shard: &'r Shard,
    /// The digits of its position in the shard.
    sequence_number: &'r str,
    /// What its producer chose to keep in order.
    pub partition_key: &'r str,
    /// When Kinesis took it, approximately, in Unix milliseconds.
    pub arrival_ms: u64,
    /// Its bytes.
    pub data: &'r [u8],
}

impl Record<'_> {
    /// Its position in the shard.
    #[must_use]
    pub fn sequence_number(&self) -> SequenceNumber {
        SequenceNumber::of_digits(self.sequence_number)
    }

    /// Where it lies: stream, shard and sequence number with slashes between them. No other record has the same.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}/{}", self.shard, self.sequence_number)
    }
}

/// The records of an event in the order of their shard, each once.
#[derive(Clone, Debug)]
pub struct Records {
    event: Event,
    /// One for each of the event's origins.
    shards: Vec<Shard>,
}

/// Where in its stream a batch lies, and since when it has been waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRange {
    /// The shard; that of the first record, where an event put together by hand holds several.
    pub shard: Shard,
    /// The first record's position.
    pub first: SequenceNumber,
    /// The last record's position.
    pub last: SequenceNumber,
    /// When the record that has waited longest arrived, in Unix milliseconds.
    pub oldest_arrival_ms: u64,
}

impl BatchRange {
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

impl Records {
    /// The records of `event`.
    ///
    /// Lambda sends them in order. An event put together by hand may not, and the cursors rely on it.
    ///
    /// # Errors
    /// When a record lacks what every record of a Kinesis event has.
    pub fn of(mut event: Event) -> Result<Self, EventError> {
        for entry in &event.entries {
            SequenceNumber::check(event.sequence_number(entry))
                .map_err(|source| EventError::SequenceNumber { index: entry.index, source })?;
        }
        let index_of =
            |origin| event.entries.iter().find(|entry| entry.origin == origin).map_or(0, |entry| entry.index);
        let shards = event.origins.iter().enumerate().map(|(origin, it)| shard(it, || index_of(origin)));
        let shards = shards.collect::<Result<Vec<_>, _>>()?;
        let mut entries = std::mem::take(&mut event.entries);
        let compare = |a: &Entry, b: &Entry| {
            let by_shard = if a.origin == b.origin { Ordering::Equal } else { shards[a.origin].cmp(&shards[b.origin]) };
            by_shard.then_with(|| sequence_number::compare(event.sequence_number(a), event.sequence_number(b)))
        };
        if !entries.is_sorted_by(|a, b| compare(a, b) == Ordering::Less) {
            entries.sort_by(compare);
            entries.dedup_by(|a, b| compare(a, b) == Ordering::Equal);
        }
        event.entries = entries;
        Ok(Self { event, shards })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.event.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.event.entries.is_empty()
    }

    /// The record at `index` of the batch, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.event.entries.get(index).map(|entry| self.record(entry))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.event.entries.iter().map(|entry| self.record(entry))
    }

    /// Where they lie; `None` if there are none.
    #[must_use]
    pub fn range(&self) -> Option<BatchRange> {
        let (first, last) = (self.event.entries.first()?, self.event.entries.last()?);
        let oldest_arrival_ms = self.event.entries.iter().map(|entry| entry.arrival_ms).min()?;
        let (first, last) = (self.record(first), self.record(last));
        Some(BatchRange {
            shard: first.shard.clone(),
            first: first.sequence_number(),
            last: last.sequence_number(),
            oldest_arrival_ms,
        })
    }

    /// The digits of the sequence number at `index` of the batch, from 0.
    pub(crate) fn sequence_number_at(&self, index: usize) -> Option<&str> {
        self.event.entries.get(index).map(|entry| self.event.sequence_number(entry))
    }

    fn record(&self, entry: &Entry) -> Record<'_> {
        Record {
            shard: &self.shards[entry.origin],
            sequence_number: self.event.sequence_number(entry),
            partition_key: self.event.partition_key(entry),
            arrival_ms: entry.arrival_ms,
            data: self.event.data(entry),
        }
    }
}

/// The shard that `origin` names; `index` gives the place of its first record, for an error.
///
/// Names are checked because they become part of every cursor's key: one with a slash could be taken for another shard.
fn shard(origin: &Origin, index: impl Fn() -> usize) -> Result<Shard, EventError> {
    let wrong = |field, value: &str, expected| {
        Err(EventError::Origin { index: index(), field, value: shown::string(value), expected })
    };
    let shard_id = origin.shard_id.as_deref().unwrap_or_default();
    if !is_name(shard_id) {
        return wrong("eventID", &origin.event_id, "a shard id, a colon and a sequence number");
    }
    let stream = origin.stream_arn.split_once(":stream/").map_or("", |(_, stream)| stream);
    // With enhanced fan-out the ARN is that of the consumer: its stream is meant.
    let stream = stream.split_once("/consumer/").map_or(stream, |(stream, _)| stream);
    if !is_name(stream) {
        return wrong("eventSourceARN", &origin.stream_arn, "the ARN of a stream or of one of its consumers");
    }
    Ok(Shard::new(stream, shard_id))
}

/// Whether `text` can name a stream or a shard. Source: Kinesis API reference, StreamName and ShardId.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
