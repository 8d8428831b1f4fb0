//! Exports a run's results as NDJSON: the sessions, and the rejected records with their input lines.

use aws_sdk_dynamodb::Client;
use aws_sdk_kinesis::types::{Record, ShardIteratorType};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kinesis_function::call_error::CallError;
use ops::stored::{self, ReadLimit, StoredRejection};
use serde::Serialize;
use shared::boundary::Boundary;

use crate::error::LocalError;
use crate::line_numbers::LineNumbers;
use crate::output::OutputWriter;

/// Writes one session per line: the contract's keys in order, without the version.
///
/// # Errors
/// If the output cannot be written.
pub fn write_sessions(sessions: &[Boundary], output: &OutputWriter) -> Result<(), LocalError> {
    sessions.iter().try_for_each(|session| output.write_line(&serde_json::to_vec(&session.to_row(None))?))
}

/// Every boundary in the stream called `stream`, shard by shard.
///
/// # Errors
/// If a call fails or a record is not a boundary.
pub async fn boundaries(client: &aws_sdk_kinesis::Client, stream: &str) -> Result<Vec<Boundary>, LocalError> {
    let records = records(client, stream).await?;
    let decode = |(_, record): &(String, Record)| Boundary::decode(record.data.as_ref());
    let boundaries = records.iter().map(decode).collect::<Result<_, _>>();
    boundaries.map_err(|rejection| LocalError::NotABoundary(rejection.message))
}

/// Every record in the stream called `stream` with its shard, shard by shard, closed ones included.
///
/// # Errors
/// If a call fails.
pub async fn records(client: &aws_sdk_kinesis::Client, stream: &str) -> Result<Vec<(String, Record)>, LocalError> {
    let shards = client.list_shards().stream_name(stream).send().await;
    let shards = shards.map_err(|error| CallError::of("ListShards", &error))?.shards.unwrap_or_default();
    let mut records = Vec::new();
    for shard in shards {
        let iterator = client.get_shard_iterator().stream_name(stream).shard_id(&shard.shard_id);
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await;
        let mut next = iterator.map_err(|error| CallError::of("GetShardIterator", &error))?.shard_iterator;
        while let Some(iterator) = next {
            let page = client.get_records().shard_iterator(iterator).send().await;
            let page = page.map_err(|error| CallError::of("GetRecords", &error))?;
            // The embedded stream returns an empty page only at the end.
            next = page.next_shard_iterator.filter(|_| !page.records.is_empty());
            records.extend(page.records.into_iter().map(|record| (shard.shard_id.clone(), record)));
        }
    }
    Ok(records)
}

/// A rejected record as a line of NDJSON.
#[derive(Clone, Debug, Serialize)]
pub struct RejectedRow {
    /// Its line in the input, from 1; `None` (`null`) if this run did not put it, as for records that the sink rejects.
    pub line: Option<u64>,
    /// Stream and shard.
    pub source: String,
    /// Its position in the shard.
    pub sequence_number: String,
    /// Its place within the record, from 0; `None` (`null`) if the record holds nothing else.
    pub place: Option<u32>,
    /// How many parts of the record these are.
    pub parts: u64,
    /// Its partition key.
    pub partition_key: String,
    /// The reason's code.
    pub reason: String,
    /// The fault, in words.
    pub message: String,
    /// When it arrived, in Unix milliseconds.
    pub arrival_time: u64,
    /// Its whole length in bytes.
    pub data_length: u64,
    /// The stored bytes, in base64.
    pub data: String,
}

/// All records in the table called `table` that arrived at `since_ms` or later, sorted by their position.
///
/// # Errors
/// If the table cannot be read or contains other items.
pub async fn rejected(client: &Client, table: &str, since_ms: u64) -> Result<Vec<RejectedRow>, LocalError> {
    let mut records = stored::rejected(client, table, ReadLimit::WholeTable).await?.items;
    records.retain(|record| record.arrival_time >= since_ms);
    Ok(records.into_iter().map(RejectedRow::from).collect())
}

impl From<StoredRejection> for RejectedRow {
    fn from(record: StoredRejection) -> Self {
        Self {
            line: None,
            source: record.source,
            sequence_number: record.sequence_number,
            place: record.place,
            parts: record.parts,
            partition_key: record.partition_key,
            reason: record.reason,
            message: record.message,
            arrival_time: record.arrival_time,
            data_length: record.data_length,
            data: STANDARD.encode(record.data),
        }
    }
}

/// Sets the line of each of `rows` that was put into `stream` and sorts by line. Rows without a line come last, in
/// their previous order.
pub fn number_lines(rows: &mut [RejectedRow], stream: &str, lines: &LineNumbers) {
    for row in &mut *rows {
        let shard = row.source.strip_prefix(stream).and_then(|rest| rest.strip_prefix('/'));
        row.line = shard.and_then(|shard| lines.line_of(shard, &row.sequence_number));
    }
    rows.sort_by_key(|row| row.line.unwrap_or(u64::MAX));
}

/// Writes one rejected record per line.
///
/// # Errors
/// If the output cannot be written.
pub fn write_rejected(rows: &[RejectedRow], output: &OutputWriter) -> Result<(), LocalError> {
    rows.iter().try_for_each(|row| output.write_line(&serde_json::to_vec(row)?))
}
