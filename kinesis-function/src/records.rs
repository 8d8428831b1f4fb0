//! The records of one Lambda event, in shard order.
//!
//! Validates the envelope. The data of each record is decoded separately, elsewhere, so that one unreadable record
//! never fails the batch.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::event::{Entry, Event, Origin};
use crate::event_error::EventError;
use shared::sequence_number::{self, SequenceNumber};
use shared::shown;

/// A shard of a stream, within which sequence numbers are comparable. Its text is the stream name, a slash and the
/// shard id. Neither contains a slash: [`Records::of`] checks that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(Arc<str>);

impl Shard {
    /// The shard `id` of stream `stream`.
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
    /// Its shard.
    pub shard: &'r Shard,
    /// The digits of its sequence number.
    sequence_number: &'r str,
    /// The partition key its producer chose: Kinesis keeps records with the same key in order.
    pub partition_key: &'r str,
    /// When Kinesis received it, approximately, in Unix milliseconds.
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

    /// Its unique position: stream, shard and sequence number, separated by slashes.
    #[must_use]
    pub fn position(&self) -> String {
        format!("{}/{}", self.shard, self.sequence_number)
    }
}

/// The records of an event in shard order, without duplicates.
#[derive(Clone, Debug)]
pub struct Records {
    event: Event,
    /// The shard of each of the event's origins.
    shards: Vec<Shard>,
}

/// The position of a batch in its stream, and the arrival of its oldest record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRange {
    /// The shard; that of the first record if a hand-made event contains several.
    pub shard: Shard,
    /// The first record's position.
    pub first: SequenceNumber,
    /// The last record's position.
    pub last: SequenceNumber,
    /// The earliest arrival of a record, in Unix milliseconds.
    pub oldest_arrival_ms: u64,
}

impl BatchRange {
    /// The tracing span for log lines of this batch.
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
    /// Validates, sorts and deduplicates the records of `event`.
    ///
    /// Lambda sends them in order, but a hand-made event may not, and cursors rely on the order.
    ///
    /// # Errors
    /// If a record has no valid sequence number, stream or shard.
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

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.event.entries.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.event.entries.is_empty()
    }

    /// The record at `index` of the batch, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Record<'_>> {
        self.event.entries.get(index).map(|entry| self.record(entry))
    }

    /// All records.
    pub fn iter(&self) -> impl Iterator<Item = Record<'_>> {
        self.event.entries.iter().map(|entry| self.record(entry))
    }

    /// The position of the batch; `None` if it is empty.
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

/// The shard that `origin` names; `index` returns the index of its first record, for errors.
///
/// Names become part of cursor keys. They are checked because a slash could make one shard look like another.
fn shard(origin: &Origin, index: impl Fn() -> usize) -> Result<Shard, EventError> {
    let wrong = |field, value: &str, expected| {
        Err(EventError::Origin { index: index(), field, value: shown::string(value), expected })
    };
    let shard_id = origin.shard_id.as_deref().unwrap_or_default();
    if !is_name(shard_id) {
        return wrong("eventID", &origin.event_id, "a shard id, a colon and a sequence number");
    }
    let stream = origin.stream_arn.split_once(":stream/").map_or("", |(_, stream)| stream);
    // With enhanced fan-out, the ARN names the consumer, which contains the stream.
    let stream = stream.split_once("/consumer/").map_or(stream, |(stream, _)| stream);
    if !is_name(stream) {
        return wrong("eventSourceARN", &origin.stream_arn, "the ARN of a stream or of one of its consumers");
    }
    Ok(Shard::new(stream, shard_id))
}

/// Whether `text` is a valid stream name or shard id. Source: Kinesis API reference, StreamName and ShardId.
fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
