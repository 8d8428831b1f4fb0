//! Session-stream: Kinesis as a [`Publisher`], up to 500 boundaries per request.
//!
//! A successful request may still contain refused records; that is how Kinesis usually throttles. The caller decides
//! when to retry them.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::put_requests::requests;

use crate::store::publisher::{Message, Publisher};

const OPERATION: &str = "PutRecords";

/// Concurrent requests of one outbox. They may overtake each other, because the order in which boundaries arrive does
/// not matter. An outbox rarely fills more than a few requests.
const CONCURRENT_REQUESTS: usize = 4;

/// The stream of session boundaries.
#[derive(Clone, Debug)]
pub struct SessionStream {
    client: Client,
    stream: String,
}

impl SessionStream {
    /// The stream called `stream`.
    #[must_use]
    pub fn new(client: Client, stream: impl Into<String>) -> Self {
        Self { client, stream: stream.into() }
    }

    /// Sends an empty request, which Kinesis refuses, so that the first real call finds an open connection.
    pub async fn warm_up(&self) {
        let request = self.client.put_records().stream_name(&self.stream).set_records(Some(Vec::new()));
        let _ = request.send().await; // errors are ignored: the first real put reports them
    }

    async fn put_request(&self, messages: &[Message]) -> Vec<Result<(), CallError>> {
        match self.try_put(messages).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); messages.len()],
        }
    }

    async fn try_put(&self, messages: &[Message]) -> Result<Vec<Result<(), CallError>>, CallError> {
        let entries = messages.iter().map(entry).collect::<Result<_, _>>()?;
        let request = self.client.put_records().stream_name(&self.stream).set_records(Some(entries));
        let answer = request.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
        if answer.records.len() != messages.len() {
            let what = format!("{} results for {} records", answer.records.len(), messages.len());
            return Err(CallError::incomplete_answer(OPERATION, what));
        }
        Ok(answer.records.iter().map(result).collect())
    }
}

impl Publisher for SessionStream {
    async fn put(&self, messages: &[Message]) -> Vec<Result<(), CallError>> {
        let calls = requests(messages, bytes_of).map(|request| self.put_request(request)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
    }
}

fn entry(message: &Message) -> Result<PutRecordsRequestEntry, CallError> {
    PutRecordsRequestEntry::builder()
        .partition_key(message.partition_key())
        .data(Blob::new(message.data()))
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
fn bytes_of(message: &Message) -> usize {
    message.data().len() + message.partition_key().len()
}

#[cfg(test)]
mod tests {
    use shared::user_id::UserId;

    use super::*;

    #[test]
    fn partition_key_counts_towards_the_size_of_a_request() {
        assert_eq!(bytes_of(&Message::new(UserId::new("u").unwrap(), vec![0; 99])), 100);
    }
}
