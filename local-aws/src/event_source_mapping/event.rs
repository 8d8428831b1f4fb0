//! Owns the JSON of a Kinesis event, as Lambda hands it to a function, and its size. Each record is written once, when
//! it is read; a batch only joins them. It must not know which records make a batch.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::sequence_number::SequenceNumber;

use super::error::MappingError;
use super::stream::StreamRecord;

/// The account of the ARNs in an event: no account has this number.
const ACCOUNT: &str = "000000000000";

/// Bytes of an event around its records: `{"Records":[]}`.
const ENVELOPE_BYTES: usize = r#"{"Records":[]}"#.len();

/// A record, written as the part of an event that it will be.
#[derive(Debug)]
pub(crate) struct EventRecord {
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) partition_key: String,
    pub(crate) json: Box<RawValue>,
}

impl EventRecord {
    /// Bytes this record adds to an event, the comma before the next one included.
    pub(crate) fn event_bytes(&self) -> usize {
        self.json.get().len() + 1
    }
}

/// Bytes of an event whose records add so many bytes; the last one has no comma behind it.
pub(crate) fn event_bytes(records_bytes: usize) -> usize {
    ENVELOPE_BYTES + records_bytes.saturating_sub(1)
}

/// Joins records to the event a function gets.
pub(crate) fn event<'a>(shard: &str, records: impl Iterator<Item = &'a EventRecord>) -> Result<String, MappingError> {
    let event = Event { records: records.map(|record| &*record.json).collect() };
    serde_json::to_string(&event).map_err(|error| unwritable(shard, &error))
}

/// What is the same in every record of one shard.
#[derive(Debug)]
pub(crate) struct EventSource {
    shard: String,
    region: String,
    stream_arn: String,
    role_arn: String,
}

impl EventSource {
    pub(crate) fn new(region: &str, stream: &str, shard: &str) -> Self {
        Self {
            shard: shard.to_owned(),
            region: region.to_owned(),
            stream_arn: format!("arn:aws:kinesis:{region}:{ACCOUNT}:stream/{stream}"),
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/local"),
        }
    }

    /// Writes a record as the part of an event that it will be.
    pub(crate) fn write(&self, record: StreamRecord) -> Result<EventRecord, MappingError> {
        let json = to_raw_value(&RecordJson {
            kinesis: KinesisJson {
                kinesis_schema_version: "1.0",
                partition_key: &record.partition_key,
                sequence_number: &record.sequence_number,
                data: STANDARD.encode(&record.data),
                approximate_arrival_timestamp: seconds(record.arrival_ms),
            },
            event_source: "aws:kinesis",
            event_version: "1.0",
            event_id: format!("{}:{}", self.shard, record.sequence_number),
            event_name: "aws:kinesis:record",
            invoke_identity_arn: &self.role_arn,
            aws_region: &self.region,
            event_source_arn: &self.stream_arn,
        })
        .map_err(|error| unwritable(&self.shard, &error))?;
        let sequence_number = SequenceNumber::parse(record.sequence_number)
            .map_err(|source| MappingError::SequenceNumber { shard: self.shard.clone(), source })?;
        Ok(EventRecord { sequence_number, partition_key: record.partition_key, json })
    }
}

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "Records")]
    records: Vec<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RecordJson<'a> {
    kinesis: KinesisJson<'a>,
    event_source: &'static str,
    event_version: &'static str,
    #[serde(rename = "eventID")]
    event_id: String,
    event_name: &'static str,
    invoke_identity_arn: &'a str,
    aws_region: &'a str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KinesisJson<'a> {
    kinesis_schema_version: &'static str,
    partition_key: &'a str,
    sequence_number: &'a str,
    data: String,
    approximate_arrival_timestamp: f64,
}

/// Seconds with a fraction, as Lambda writes times. Doubles hold milliseconds exactly enough until the year 287396.
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}

fn unwritable(shard: &str, error: &serde_json::Error) -> MappingError {
    MappingError::Event { shard: shard.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(data: &str) -> EventRecord {
        let source = EventSource::new("us-east-1", "click-stream", "shardId-000000000006");
        let record = StreamRecord {
            sequence_number: "49590338271490256608559692538361571095921575989136588898".to_owned(),
            partition_key: "user \"1\"".to_owned(),
            data: data.into(),
            arrival_ms: 1_545_084_650_987,
        };
        source.write(record).unwrap()
    }

    #[test]
    fn an_event_is_written_as_lambda_writes_it() {
        let record = written("Hello, this is a test.");
        let expected = concat!(
            r#"{"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"user \"1\"","#,
            r#""sequenceNumber":"49590338271490256608559692538361571095921575989136588898","#,
            r#""data":"SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==","approximateArrivalTimestamp":1545084650.987},"#,
            r#""eventSource":"aws:kinesis","eventVersion":"1.0","#,
            r#""eventID":"shardId-000000000006:49590338271490256608559692538361571095921575989136588898","#,
            r#""eventName":"aws:kinesis:record","invokeIdentityArn":"arn:aws:iam::000000000000:role/local","#,
            r#""awsRegion":"us-east-1","#,
            r#""eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/click-stream"}]}"#,
        );
        assert_eq!(event("shardId-000000000006", [&record].into_iter()).unwrap(), expected);
    }

    #[test]
    fn the_size_is_known_before_an_event_is_joined() {
        for count in 0..4 {
            let records: Vec<_> = (0..count).map(|index| written(&"x".repeat(index))).collect();
            let bytes = records.iter().map(EventRecord::event_bytes).sum();
            assert_eq!(event("shard", records.iter()).unwrap().len(), event_bytes(bytes));
        }
    }
}
