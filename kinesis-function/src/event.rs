//! The event that Lambda sends for a batch of a Kinesis stream, parsed in one pass.
//!
//! Keeps only the needed fields, all in one buffer. Allocating an object per record, as `aws_lambda_events` does, takes
//! more CPU than all other processing of a click. `records` validates the event; the data of the records is not decoded
//! here. The event of a sweep, which a schedule sends, is recognized in the same pass.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::event_error::EventError;

/// The records of one invocation.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// Sequence numbers, partition keys and data, one record after the other.
    buffer: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    /// Where the records come from: a single entry if they share a shard, as Lambda's events do.
    pub(crate) origins: Vec<Origin>,
}

/// One record: its ranges in the buffer, and its non-text fields.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its index in the event, from 0.
    pub(crate) index: usize,
    /// The index of its origin in [`Event::origins`].
    pub(crate) origin: usize,
    /// When Kinesis received it, approximately, in Unix milliseconds.
    pub(crate) arrival_ms: u64,
    sequence_number: Range<usize>,
    partition_key: Range<usize>,
    data: Range<usize>,
}

/// The source that a record names. Fields that are missing are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) stream_arn: String,
    /// The part of the event id before the colon; `None` if it has no colon.
    pub(crate) shard_id: Option<String>,
    /// The event id of the first record with this origin.
    pub(crate) event_id: String,
}

/// What a function is invoked with.
#[derive(Clone, Debug)]
pub enum FunctionEvent {
    /// A batch of a Kinesis stream.
    Batch(Event),
    /// `{"sweep":{}}`: scheduled work. Members of the inner object are ignored.
    Sweep,
}

impl FunctionEvent {
    /// Parses the event of an invocation.
    ///
    /// # Errors
    /// [`EventError::Unknown`] if it is not JSON, or neither a Kinesis event nor a sweep.
    pub fn from_json(json: &[u8]) -> Result<Self, EventError> {
        serde_json::from_slice(json).map_err(|error| EventError::unknown(json, &error))
    }
}

impl Event {
    pub(crate) fn sequence_number(&self, entry: &Entry) -> &str {
        self.text(&entry.sequence_number)
    }

    pub(crate) fn partition_key(&self, entry: &Entry) -> &str {
        self.text(&entry.partition_key)
    }

    pub(crate) fn data(&self, entry: &Entry) -> &[u8] {
        self.buffer.get(entry.data.clone()).unwrap_or_default()
    }

    fn text(&self, range: &Range<usize>) -> &str {
        // The range was written from a `str`, so it is valid UTF-8.
        self.buffer.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn push(&mut self, record: &RecordJson<'_>) -> Result<(), base64::DecodeError> {
        let index = self.entries.len();
        let origin = self.origin(record);
        let sequence_number = self.keep(&record.kinesis.sequence_number);
        let partition_key = self.keep(&record.kinesis.partition_key);
        let start = self.buffer.len();
        STANDARD.decode_vec(record.kinesis.data.0.as_bytes(), &mut self.buffer)?;
        let data = start..self.buffer.len();
        let arrival_ms = milliseconds(record.kinesis.approximate_arrival_timestamp);
        self.entries.push(Entry { index, origin, arrival_ms, sequence_number, partition_key, data });
        Ok(())
    }

    fn keep(&mut self, text: &Text<'_>) -> Range<usize> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(text.0.as_bytes());
        start..self.buffer.len()
    }

    fn origin(&mut self, record: &RecordJson<'_>) -> usize {
        let text = |text: &'_ Option<Text<'_>>| text.as_ref().map_or(String::new(), |text| text.0.to_string());
        let (event_id, arn) = (record.event_id.as_ref(), record.event_source_arn.as_ref());
        let shard_id = event_id.and_then(|id| Some(id.0.split_once(':')?.0));
        let is_last = self.origins.last().is_some_and(|last| {
            last.shard_id.as_deref() == shard_id && last.stream_arn == arn.map_or("", |arn| &arn.0)
        });
        if !is_last {
            let shard_id = shard_id.map(str::to_owned);
            let (stream_arn, event_id) = (text(&record.event_source_arn), text(&record.event_id));
            self.origins.push(Origin { stream_arn, shard_id, event_id });
        }
        self.origins.len() - 1
    }
}

/// Lambda sends seconds with a fraction. A negative number or NaN becomes 1970.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast keeps within the integer's range
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1_000.0).round() as u64
}

/// Why an object is no event. The error shows these texts, because they quote nothing of the event.
pub(crate) const NEITHER: &str = "missing field `Records` or `sweep`";
pub(crate) const BOTH: &str = "both `Records` and `sweep`";

/// A string, borrowed unless it contains escapes.
#[derive(Deserialize, Default)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Not an empty struct, which serde would read from an array, too.
type SweepJson = BTreeMap<String, IgnoredAny>;

#[derive(Deserialize)]
struct RecordJson<'a> {
    #[serde(borrow)]
    kinesis: KinesisJson<'a>,
    #[serde(borrow, default, rename = "eventID")]
    event_id: Option<Text<'a>>,
    #[serde(borrow, default, rename = "eventSourceARN")]
    event_source_arn: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KinesisJson<'a> {
    #[serde(borrow, default)]
    sequence_number: Text<'a>,
    #[serde(borrow, default)]
    partition_key: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    approximate_arrival_timestamp: f64,
}

impl<'de> Deserialize<'de> for FunctionEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

/// For callers that only have batches.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match FunctionEvent::deserialize(deserializer)? {
            FunctionEvent::Batch(event) => Ok(event),
            FunctionEvent::Sweep => Err(D::Error::missing_field("Records")),
        }
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = FunctionEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event with Records or sweep")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<FunctionEvent, A::Error> {
        let (mut batch, mut sweep) = (None, None);
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "Records" => batch = Some(map.next_value_seed(RecordsSeed)?),
                "sweep" => sweep = Some(map.next_value::<SweepJson>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match (batch, sweep) {
            (Some(event), None) => Ok(FunctionEvent::Batch(event)),
            (None, Some(_)) => Ok(FunctionEvent::Sweep),
            (Some(_), Some(_)) => Err(A::Error::custom(BOTH)),
            (None, None) => Err(A::Error::custom(NEITHER)),
        }
    }
}

struct RecordsSeed;

impl<'de> DeserializeSeed<'de> for RecordsSeed {
    type Value = Event;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Event, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RecordsSeed {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<Event, A::Error> {
        let mut event = Event::default();
        while let Some(record) = records.next_element()? {
            event.push(&record).map_err(|error| A::Error::custom(format!("data is not base64: {error}")))?;
        }
        Ok(event)
    }
}
