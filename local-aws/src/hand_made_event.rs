//! Events built by a test, in exactly the form that the event source mapping writes.

use crate::event_source_mapping::MappingError;
use crate::event_source_mapping::event::{EventSource, event};
use crate::event_source_mapping::stream::StreamRecord;

/// A record of a hand-made event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandMadeRecord {
    /// Its position in the shard: 1 to 129 digits.
    pub sequence_number: String,
    /// Its partition key.
    pub partition_key: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its arrival time, in Unix milliseconds.
    pub arrival_ms: i64,
}

/// The JSON of a Kinesis event with `records` of one shard.
///
/// # Errors
/// If a sequence number is invalid.
pub fn hand_made_event(stream: &str, shard: &str, records: Vec<HandMadeRecord>) -> Result<String, MappingError> {
    let source = EventSource::new("us-east-1", stream, shard);
    let write = |record: HandMadeRecord| {
        let HandMadeRecord { sequence_number, partition_key, data, arrival_ms } = record;
        source.write(StreamRecord { sequence_number, partition_key, data, arrival_ms })
    };
    let records = records.into_iter().map(write).collect::<Result<Vec<_>, _>>()?;
    event(shard, records.iter())
}
