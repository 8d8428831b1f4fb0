//! Batches that are clean, half unreadable or all unreadable: when the good clicks are published, and when all is done.
//!
//! The table of rejected records has the limits of DynamoDB's partitions ([`local_aws::partition_limits`]). The layer
//! that enforces them parses every request again in this process, which adds to the time of batches with unreadable
//! records. The services run in another process.

use kinesis_function::config::Settings;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_kinesis::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_kinesis::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kinesis::error::BoxError;
use kinesis_function::handler::Handler;
use kinesis_function::invocation::handle;
use local_aws::partition_limits::{PartitionLimits, UNITS_PER_SECOND};
use local_aws::{HandMadeRecord, hand_made_event};
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;
use tokio::time::Instant;

use crate::error::BenchError;
use crate::event::{SHARD, click_json, parse, sequence_number, user_id};
use crate::invocation::time_enough;
use crate::services::Services;
use crate::typical_columns::Columns;
use crate::workload::{BEGIN_MS, CLICKS_PER_BATCH, Shard, SimulatedClick, WORKLOADS};

/// Records in the measured stream.
pub const RECORDS: usize = CLICKS_PER_BATCH;

/// Bytes of an unreadable record.
const POISON_BYTES: usize = 3 * 1_024;

/// Maximum bytes of an event. Source: Lambda quotas, synchronous invocation (6 MB).
const MAX_EVENT_BYTES: usize = 6 * 1_000 * 1_000;

/// Upper bound of a record's bytes in an event, without its data and partition key.
const ENVELOPE_BYTES: usize = 600;

/// The records to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The good clicks of [`Stream::HalfPoison`], in the same batches.
    Clean,
    /// Good clicks and unreadable records in turn.
    HalfPoison,
    /// Only unreadable records.
    AllPoison,
}

/// What determines an item's partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionedBy {
    /// The record's position, as in the template: every record has its own partition.
    Position,
    /// Stream and shard: all records of a shard share one partition, as if these were the key.
    Shard,
}

/// The result of a measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Events.
    pub events: usize,
    /// Good clicks.
    pub clicks: u64,
    /// Records written to the table of rejected records.
    pub rejected: u64,
    /// From the start of each batch until the last boundary of its good clicks was published, summed over all batches.
    pub published: Duration,
    /// From the start of the first batch until the last boundary was published.
    pub last_published: Duration,
    /// From the start of the first batch until everything was done.
    pub done: Duration,
    /// Item writes that a partition throttled.
    pub refused: u64,
}

/// Sends `stream` through the sessionizer, one batch after another, as a shard's mapping does.
///
/// # Errors
/// If the services cannot be started or a batch is not done.
pub async fn measure(stream: Stream, partitioned_by: PartitionedBy) -> Result<Figures, BenchError> {
    let services = Services::start().await?;
    let variables = services.variables()?;
    let sdk = kinesis_function::aws::sdk_config(variables.clone())?;
    let key = match partitioned_by {
        PartitionedBy::Position => kinesis_function::rejected_table::KEY,
        PartitionedBy::Shard => "source",
    };
    let config = Config::from_variables(variables).map_err(BenchError::failed)?;
    let keys = [(config.rejected.name.clone(), key.to_owned())].into();
    let http = sdk.http_client().ok_or_else(|| BenchError::failed("an SDK configuration without an HTTP client"))?;
    let limits = PartitionLimits::new(http, keys, UNITS_PER_SECOND);
    let sdk = sdk.into_builder().http_client(limits.clone()).build();
    let last_put = LastPut::default();
    let kinesis = aws_sdk_kinesis::config::Builder::from(&sdk).interceptor(last_put.clone()).build();
    let kinesis = aws_sdk_kinesis::Client::from_conf(kinesis);
    let sessionizer = Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &kinesis);
    sessionizer.warm_up().await;

    let batches = stream.batches();
    let mut figures = Figures { events: batches.len(), ..Figures::default() };
    let mut began_first = None;
    for batch in batches {
        let json = event(&batch)?;
        let began = Instant::now();
        let answer = handle(&sessionizer, parse(&json)?, time_enough(BEGIN_MS)).await.map_err(BenchError::failed)?;
        let (began_first, now) = (*began_first.get_or_insert(began), Instant::now());
        if answer.records.undone > 0 {
            return Err(BenchError::failed(format!("{} records of a batch were not done", answer.records.undone)));
        }
        figures.clicks += answer.report.applied;
        figures.rejected += answer.records.rejected;
        figures.done = now - began_first;
        if let Some(published) = last_put.take() {
            figures.published += published - began;
            figures.last_published = published - began_first;
        }
    }
    figures.refused = limits.refused();
    services.stop().await?;
    Ok(figures)
}

/// A record of the stream: a click or an unreadable record.
#[derive(Clone, Copy, Debug)]
struct Record {
    /// Its index in the shard.
    place: u64,
    click: Option<SimulatedClick>,
}

impl Record {
    fn hand_made(&self) -> HandMadeRecord {
        let (partition_key, data, ms) = match self.click {
            Some(click) => (user_id(click.user), click_json(click, Columns::None), click.ms),
            None => ("poison".to_owned(), vec![b'x'; POISON_BYTES], BEGIN_MS),
        };
        let sequence_number = sequence_number(self.place);
        HandMadeRecord { sequence_number, partition_key, data, arrival_ms: i64::try_from(ms).unwrap_or(i64::MAX) }
    }

    /// Upper bound of its bytes in an event.
    fn bytes(&self) -> usize {
        let HandMadeRecord { partition_key, data, .. } = self.hand_made();
        data.len().div_ceil(3) * 4 + partition_key.len() + ENVELOPE_BYTES
    }
}

impl Stream {
    /// Its records, split into batches that fit into Lambda's events.
    fn batches(self) -> Vec<Vec<Record>> {
        let workload = WORKLOADS[0];
        let clicks = Shard::new(workload, 2 * workload.users_of_full_batches(), 17).next_batch();
        let record = |(number, place)| {
            let is_good = self != Self::AllPoison && usize::is_multiple_of(number, 2);
            Record { place, click: clicks.get(number / 2).copied().filter(|_| is_good) }
        };
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut batch = Vec::new();
        for record in (0..RECORDS).zip(1..).map(record) {
            bytes += record.bytes();
            if bytes > MAX_EVENT_BYTES {
                bytes = record.bytes();
                batches.push(std::mem::take(&mut batch));
            }
            batch.push(record);
        }
        batches.push(batch);
        if self == Self::Clean {
            batches.iter_mut().for_each(|batch| batch.retain(|record| record.click.is_some()));
        }
        batches
    }
}

fn event(batch: &[Record]) -> Result<String, BenchError> {
    let json = hand_made_event("click-stream", SHARD, batch.iter().map(Record::hand_made).collect());
    let json = json.map_err(BenchError::failed)?;
    if json.len() > MAX_EVENT_BYTES {
        return Err(BenchError::failed(format!("an event of {} bytes, the limit is {MAX_EVENT_BYTES}", json.len())));
    }
    Ok(json)
}

/// Records when the last PutRecords was answered. Clones share this time.
#[derive(Clone, Debug, Default)]
struct LastPut(Arc<Mutex<Option<Instant>>>);

impl LastPut {
    /// Takes the last time.
    fn take(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Intercept for LastPut {
    fn name(&self) -> &'static str {
        "LastPut"
    }

    fn read_after_deserialization(
        &self,
        _context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(stream: Stream) -> Vec<(usize, usize)> {
        let is_good = |record: &&Record| record.click.is_some();
        let count = |batch: &Vec<Record>| (batch.iter().filter(is_good).count(), batch.len());
        stream.batches().iter().map(count).collect()
    }

    #[test]
    fn streams_have_all_their_records_in_events_that_lambda_takes() {
        for stream in [Stream::Clean, Stream::HalfPoison, Stream::AllPoison] {
            assert!(stream.batches().iter().all(|batch| event(batch).is_ok()), "{stream:?}");
        }
        let [half, all] = [Stream::HalfPoison, Stream::AllPoison].map(counts);
        let total = |counts: &[(usize, usize)]| counts.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        assert_eq!((total(&half), total(&all)), ((RECORDS / 2, RECORDS), (0, RECORDS)));
        let good: Vec<_> = half.iter().map(|(good, _)| (*good, *good)).collect();
        assert_eq!(counts(Stream::Clean), good, "the same clicks in the same batches");
    }
}
