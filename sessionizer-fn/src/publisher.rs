//! Puts boundaries into session-stream, up to 500 to a request.
//!
//! One pass over what it is given, with the outcome of each message: a request that succeeds may still have refused
//! some of its records, and that is the normal form of a throttle. When to try the refused ones again is the
//! caller's decision.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::put_requests::requests;
use shared::user_id::UserId;

const OPERATION: &str = "PutRecords";

/// How many requests are under way at once: the order in which boundaries arrive does not matter.
const CONCURRENT_REQUESTS: usize = 4;

/// A boundary, encoded, and whose it is: boundaries of one user share a shard.
#[derive(Clone, Debug)]
pub struct Message {
    /// The user, from whom the partition key comes.
    pub user_id: UserId,
    /// The boundary's JSON.
    pub data: Vec<u8>,
}

/// Publishes boundaries.
#[derive(Clone, Debug)]
pub struct Publisher {
    client: Client,
    stream: String,
}

impl Publisher {
    /// Publishes to the stream called `stream`.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        Self { client, stream: stream.into() }
    }

    /// Puts no records, which Kinesis refuses, so that the connection and all that a first call makes are there for the
    /// next one.
    pub async fn warm_up(&self) {
        let request = self.client.put_records().stream_name(&self.stream).set_records(Some(Vec::new()));
        let _ = request.send().await; // it is refused, or will be told when there are records
    }

    /// Tries once to put each of `messages`; says in their order which are in.
    pub async fn publish(&self, messages: &[&Message]) -> Vec<Result<(), CallError>> {
        let calls = requests(messages, bytes_of).map(|request| self.put(request)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }

    async fn put(&self, messages: &[&Message]) -> Vec<Result<(), CallError>> {
        match self.try_put(messages).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); messages.len()],
        }
    }

    async fn try_put(&self, messages: &[&Message]) -> Result<Vec<Result<(), CallError>>, CallError> {
        let entries = messages.iter().map(|message| entry(message)).collect::<Result<_, _>>()?;
        let request = self.client.put_records().stream_name(&self.stream).set_records(Some(entries));
        let answer = request.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
        if answer.records.len() != messages.len() {
            let what = format!("{} results for {} records", answer.records.len(), messages.len());
            return Err(CallError::incomplete_answer(OPERATION, what));
        }
        Ok(answer.records.iter().map(result).collect())
    }
}

fn entry(message: &Message) -> Result<PutRecordsRequestEntry, CallError> {
    PutRecordsRequestEntry::builder()
        .partition_key(message.user_id.partition_key())
        .data(Blob::new(message.data.clone()))
        .build()
        .map_err(|error| CallError::unbuildable(OPERATION, error))
}

fn result(entry: &PutRecordsResultEntry) -> Result<(), CallError> {
    match (&entry.error_code, &entry.sequence_number) {
        (None, Some(_)) => Ok(()),
        (code, _) => {
            let message = entry.error_message.as_deref().unwrap_or("no message");
            Err(CallError::of_part(OPERATION, code.as_deref().unwrap_or("no code"), message))
        }
    }
}

/// A message's size as PutRecords counts it.
fn bytes_of(message: &&Message) -> usize {
    message.data.len() + message.user_id.partition_key().len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_key_counts_towards_the_size_of_a_request() {
        assert_eq!(bytes_of(&&Message { user_id: UserId::new("u").unwrap(), data: vec![0; 99] }), 100);
    }
}
