//! Owns the calls to Kinesis and what their errors mean for a mapping. SDK types stay in this file. It must not retry:
//! the caller decides how long to wait.

use std::time::Duration;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_kinesis::operation::list_shards::ListShardsOutput;
use aws_sdk_kinesis::types::{self, ShardIteratorType};
use shared::sequence_number::SequenceNumber;

use super::error::MappingError;
use super::limits::CALL_TIMEOUT;

/// The region in events if the client has none.
const DEFAULT_REGION: &str = "us-east-1";

/// Codes of errors that retries cannot fix: the request or its credentials are invalid.
const REFUSALS: [&str; 6] = [
    "InvalidArgumentException",
    "ValidationException",
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "MissingAuthenticationTokenException",
];

/// One stream.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    client: Client,
    name: String,
}

/// A shard and the shards it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamShard {
    pub(crate) id: String,
    pub(crate) parents: Vec<String>,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRecord {
    pub(crate) sequence_number: String,
    pub(crate) partition_key: String,
    pub(crate) data: Vec<u8>,
    /// Approximate arrival, Unix milliseconds.
    pub(crate) arrival_ms: i64,
}

/// The records of one read, and the iterator for the next one: none at the end of a closed shard.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) records: Vec<StreamRecord>,
    pub(crate) next_iterator: Option<String>,
}

/// The consequence of a failed call.
#[derive(Debug)]
pub(crate) enum KinesisError {
    /// Retries cannot help.
    Fatal(MappingError),
    /// The iterator is no longer valid; a new one is needed.
    IteratorExpired(String),
    /// A retry may help.
    Retry(String),
}

impl Stream {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The client's region.
    pub(crate) fn region(&self) -> String {
        self.client.config().region().map_or_else(|| DEFAULT_REGION.to_owned(), ToString::to_string)
    }

    /// Every shard, including closed ones.
    pub(crate) async fn list_shards(&self) -> Result<Vec<StreamShard>, KinesisError> {
        let mut shards = Vec::new();
        let mut token = None;
        loop {
            let page = self.list_page(token).await?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(shard));
            token = page.next_token;
            if token.is_none() {
                return Ok(shards);
            }
        }
    }

    async fn list_page(&self, token: Option<String>) -> Result<ListShardsOutput, KinesisError> {
        // The token identifies the stream; Kinesis rejects a request with both.
        let name = token.is_none().then(|| self.name.clone());
        let call = self.client.list_shards().set_stream_name(name).set_next_token(token);
        self.call("ListShards", call.send()).await
    }

    /// An iterator for a shard: after a record, or at the oldest one.
    pub(crate) async fn iterator(&self, shard: &str, after: Option<&SequenceNumber>) -> Result<String, KinesisError> {
        let position = match after {
            Some(_) => ShardIteratorType::AfterSequenceNumber,
            None => ShardIteratorType::TrimHorizon,
        };
        let call = self
            .client
            .get_shard_iterator()
            .stream_name(&self.name)
            .shard_id(shard)
            .shard_iterator_type(position)
            .set_starting_sequence_number(after.map(ToString::to_string));
        let output = self.call("GetShardIterator", call.send()).await?;
        output.shard_iterator.ok_or_else(|| KinesisError::Retry("GetShardIterator returned no iterator".to_owned()))
    }

    /// Reads at most `limit` records, 1 to 10,000.
    pub(crate) async fn read(&self, iterator: &str, limit: usize) -> Result<Page, KinesisError> {
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let call = self.client.get_records().shard_iterator(iterator).limit(limit);
        let output = self.call("GetRecords", call.send()).await?;
        let records = output.records.into_iter().map(record).collect();
        Ok(Page { records, next_iterator: output.next_shard_iterator })
    }

    async fn call<T, E>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, KinesisError>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match tokio::time::timeout(CALL_TIMEOUT, answer).await {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => Err(self.meaning(call, &error)),
            Err(_elapsed) => Err(KinesisError::Retry(no_answer(call, CALL_TIMEOUT))),
        }
    }

    fn meaning<E>(&self, call: &'static str, error: &SdkError<E>) -> KinesisError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let stream = self.name.clone();
        let message = match error.message() {
            Some(message) => message.to_owned(),
            None => DisplayErrorContext(error).to_string(),
        };
        match error.code() {
            Some("ResourceNotFoundException") => KinesisError::Fatal(MappingError::NotFound { call, stream, message }),
            // A rejected iterator is as useless as an expired one: both are renewed.
            Some("ExpiredIteratorException") => KinesisError::IteratorExpired(message),
            Some("InvalidArgumentException") if call == "GetRecords" => KinesisError::IteratorExpired(message),
            Some(code) if REFUSALS.contains(&code) => {
                KinesisError::Fatal(MappingError::Refused { call, stream, message })
            }
            _ => KinesisError::Retry(format!("{call}: {message}")),
        }
    }
}

fn no_answer(call: &str, waited: Duration) -> String {
    format!("{call}: no response within {waited:?}")
}

fn shard(shard: types::Shard) -> StreamShard {
    let parents = shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect();
    StreamShard { id: shard.shard_id, parents }
}

fn record(record: types::Record) -> StreamRecord {
    // Every record has an arrival time, although the SDK's type makes it optional. A stream whose distribution is AUTO
    // accepts records without a key.
    let arrival = record.approximate_arrival_timestamp.and_then(|time| time.to_millis().ok());
    StreamRecord {
        sequence_number: record.sequence_number,
        partition_key: record.partition_key.unwrap_or_default(),
        data: record.data.into_inner(),
        arrival_ms: arrival.unwrap_or_default(),
    }
}
