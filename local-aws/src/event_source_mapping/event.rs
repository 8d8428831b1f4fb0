//! Owns the JSON of a Kinesis event, as Lambda passes it to a function, and its size. Each record is serialized once,
//! when it is read; a batch only joins them. It must not know which records form a batch.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::sequence_number::SequenceNumber;

use super::error::MappingError;
use super::stream::StreamRecord;

/// The account in the ARNs of an event: not the number of any real account.
const ACCOUNT: &str = "000000000000";

/// Bytes of an event without its records: `{"Records":[]}`.
const ENVELOPE_BYTES: usize = r#"{"Records":[]}"#.len();

/// A record, serialized as its part of an event.
#[derive(Debug)]
pub(crate) struct EventRecord {
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) json: Box<RawValue>,
}

impl EventRecord {
    /// Bytes that this record adds to an event, including the comma after it.
    pub(crate) fn event_bytes(&self) -> usize {
        self.json.get().len() + 1
    }
}

/// Bytes of an event whose records add `records_bytes`; the last one has no comma.
pub(crate) fn event_bytes(records_bytes: usize) -> usize {
    ENVELOPE_BYTES + records_bytes.saturating_sub(1)
}

/// Joins records to the event that a function receives.
pub(crate) fn event<'a>(shard: &str, records: impl Iterator<Item = &'a EventRecord>) -> Result<String, MappingError> {
    let event = Event { records: records.map(|record| &*record.json).collect() };
    serde_json::to_string(&event).map_err(|error| unwritable(shard, &error))
}

/// The fields that all records of a shard share.
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

    /// Serializes a record as its part of an event.
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
        Ok(EventRecord { sequence_number, json })
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

/// Seconds with a fraction, as Lambda writes times. A double represents milliseconds precisely enough until the year
/// 287396.
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
    fn an_event_has_the_form_that_lambda_writes() {
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
    fn the_size_of_an_event_is_known_before_its_records_are_joined() {
        for count in 0..4 {
            let records: Vec<_> = (0..count).map(|index| written(&"x".repeat(index))).collect();
            let bytes = records.iter().map(EventRecord::event_bytes).sum();
            assert_eq!(event("shard", records.iter()).unwrap().len(), event_bytes(bytes));
        }
    }
}
