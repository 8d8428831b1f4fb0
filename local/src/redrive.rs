//! Gives rejected records a second try: puts them back into the stream they came from, then deletes their items.
//!
//! For what has been mended since: a clock skew set too low, a decoder that knows more. A record that is rejected again
//! becomes an item again, under its new position. Between put and deletion this can be interrupted: the next redrive
//! then puts the record once more, and like a click its producer sends twice, it counts twice in `event_count`.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, WriteRequest};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use shared::call_error::CallError;
use shared::invocation::Backoff;
use shared::limits::MAX_PUTS_PER_REQUEST;
use shared::put_requests::requests;
use shared::statements::Item;

use crate::error::LocalError;

/// Which records to redrive.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// The table of rejected records.
    pub table: String,
    /// Only records rejected for one of these reasons; all where there is none.
    pub reasons: Vec<String>,
    /// Only counts: nothing is put, nothing deleted.
    pub dry_run: bool,
}

/// What a redrive did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Records put back into their stream and deleted from the table, by reason.
    pub put: BTreeMap<String, u64>,
    /// Records left where they are because the table holds only their beginning, by reason.
    pub cut: BTreeMap<String, u64>,
    /// Items left where they are because they are no rejected records.
    pub foreign: u64,
}

/// A record's place: its item's key.
type Position = (String, String);

/// A rejected record as its item has it.
struct Kept {
    position: Position,
    stream: String,
    partition_key: String,
    reason: String,
    data: Vec<u8>,
    is_whole: bool,
}

/// Redrives what `redrive` names, page by page; `progress` is told how far it has come.
///
/// # Errors
/// When a call fails for good. What `progress` was told of is done.
pub async fn redrive(
    dynamodb: &aws_sdk_dynamodb::Client,
    kinesis: &aws_sdk_kinesis::Client,
    redrive: &Redrive,
    mut progress: impl FnMut(&Redriven),
) -> Result<Redriven, LocalError> {
    let mut done = Redriven::default();
    // What is rejected again while this runs must not be taken for what was there before: it would never end.
    let mut put_here: HashSet<Position> = HashSet::new();
    let mut from = None;
    loop {
        let scan = dynamodb.scan().table_name(&redrive.table).consistent_read(true).set_exclusive_start_key(from);
        let page = scan.send().await.map_err(|error| CallError::of("Scan", &error))?;
        let mut by_stream: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for item in page.items.unwrap_or_default() {
            match Kept::of(&item) {
                None => done.foreign += 1,
                Some(kept) if !redrive.wants(&kept) || put_here.contains(&kept.position) => {}
                Some(kept) if !kept.is_whole => *done.cut.entry(kept.reason).or_default() += 1,
                Some(kept) => by_stream.entry(kept.stream.clone()).or_default().push(kept),
            }
        }
        for (stream, mut records) in by_stream {
            records.sort_by(|a, b| order(a).cmp(&order(b)));
            for request in requests(&records, bytes_of) {
                let mut waiting: Vec<&Kept> = request.iter().collect();
                let mut backoff = Backoff::new();
                while !waiting.is_empty() {
                    let put = if redrive.dry_run {
                        std::mem::take(&mut waiting)
                    } else {
                        let (put, positions) = put(kinesis, &stream, &mut waiting).await?;
                        put_here.extend(positions);
                        delete(dynamodb, &redrive.table, &put).await?;
                        put
                    };
                    put.iter().for_each(|record| *done.put.entry(record.reason.clone()).or_default() += 1);
                    progress(&done);
                    if !waiting.is_empty() {
                        backoff.pause().await;
                    }
                }
            }
        }
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(done);
        }
    }
}

impl Redrive {
    fn wants(&self, record: &Kept) -> bool {
        self.reasons.is_empty() || self.reasons.contains(&record.reason)
    }
}

impl Kept {
    fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_s().ok().cloned();
        let (source, data) = (text("source")?, item.get("data")?.as_b().ok()?.as_ref().to_vec());
        let length: usize = item.get("data_length")?.as_n().ok()?.parse().ok()?;
        Some(Self {
            stream: source.split_once('/')?.0.to_owned(),
            position: (source, text("sequence_number")?),
            partition_key: text("partition_key")?,
            reason: text("reason")?,
            is_whole: data.len() == length,
            data,
        })
    }
}

/// Numbers of up to 129 digits without leading zeros: the longer one is the larger.
fn order(record: &Kept) -> (&str, usize, &str) {
    let (source, number) = &record.position;
    (source, number.len(), number)
}

/// What a record takes of a request's bytes. A kept one is smaller than a request.
fn bytes_of(record: &Kept) -> usize {
    record.data.len() + record.partition_key.len()
}

/// Tries once to put `waiting` into `stream`; gives those that are in, with their new positions, and leaves the others.
async fn put<'k>(
    kinesis: &aws_sdk_kinesis::Client,
    stream: &str,
    waiting: &mut Vec<&'k Kept>,
) -> Result<(Vec<&'k Kept>, Vec<Position>), CallError> {
    const OPERATION: &str = "PutRecords";

    let entry = |record: &&Kept| {
        let entry = PutRecordsRequestEntry::builder()
            .partition_key(&record.partition_key)
            .data(Blob::new(record.data.clone()))
            .build();
        entry.map_err(|error| CallError::unbuildable(OPERATION, error))
    };
    let entries = waiting.iter().map(entry).collect::<Result<_, _>>()?;
    let answer = kinesis.put_records().stream_name(stream).set_records(Some(entries)).send().await;
    let results = match answer.map_err(|error| CallError::of(OPERATION, &error)) {
        Ok(answer) => answer.records,
        Err(error) if error.is_transient() => return Ok((Vec::new(), Vec::new())),
        Err(error) => return Err(error),
    };
    if results.len() != waiting.len() {
        let what = format!("{} results for {} records", results.len(), waiting.len());
        return Err(CallError::incomplete_answer(OPERATION, what));
    }
    let (mut accepted, mut positions, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for (record, result) in waiting.drain(..).zip(results) {
        match (result.shard_id, result.sequence_number) {
            (Some(shard), Some(number)) => {
                accepted.push(record);
                positions.push((format!("{stream}/{shard}"), number));
            }
            _ => refused.push(record),
        }
    }
    *waiting = refused;
    Ok((accepted, positions))
}

/// Deletes the items of `records`, again and again until they are gone.
async fn delete(dynamodb: &aws_sdk_dynamodb::Client, table: &str, records: &[&Kept]) -> Result<(), CallError> {
    const OPERATION: &str = "BatchWriteItem";

    let request = |record: &&Kept| {
        let (source, number) = &record.position;
        let request = DeleteRequest::builder()
            .key("source", AttributeValue::S(source.clone()))
            .key("sequence_number", AttributeValue::S(number.clone()))
            .build();
        let request = request.map_err(|error| CallError::unbuildable(OPERATION, error))?;
        Ok::<_, CallError>(WriteRequest::builder().delete_request(request).build())
    };
    for chunk in records.chunks(MAX_PUTS_PER_REQUEST) {
        let mut waiting = chunk.iter().map(request).collect::<Result<Vec<_>, _>>()?;
        let mut backoff = Backoff::new();
        loop {
            let answer = dynamodb.batch_write_item().request_items(table, waiting.clone()).send().await;
            match answer.map_err(|error| CallError::of(OPERATION, &error)) {
                Ok(answer) => {
                    let unprocessed = answer.unprocessed_items.and_then(|mut tables| tables.remove(table));
                    waiting = unprocessed.unwrap_or_default();
                }
                Err(error) if error.is_transient() => {}
                Err(error) => return Err(error),
            }
            if waiting.is_empty() {
                break;
            }
            backoff.pause().await;
        }
    }
    Ok(())
}

impl fmt::Display for Redriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.put.values().sum();
        write!(f, "{total} records put back into their streams")?;
        for (reason, count) in &self.put {
            write!(f, "\n{count:>9} {reason}")?;
        }
        for (reason, count) in &self.cut {
            write!(f, "\n{count:>9} {reason}, left in the table: too large to be kept whole")?;
        }
        if self.foreign > 0 {
            write!(f, "\n{:>9} items left in the table that are no rejected records", self.foreign)?;
        }
        Ok(())
    }
}
