//! Session-stream: Kinesis as a [`Publisher`], up to 500 boundaries per request.
//!
//! A successful request may still contain refused messages. The caller decides when to retry them.

use aws_sdk_kinesis::Client;
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::put_requests::requests;

use crate::store::publisher::{Message, Publisher};
use crate::store::put_records::put_records;

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
        let records = messages.iter().map(|message| (message.partition_key(), message.data()));
        match put_records(&self.client, &self.stream, records).await {
            Ok(results) => results,
            Err(error) => vec![Err(error); messages.len()],
        }
    }
}

impl Publisher for SessionStream {
    async fn put(&self, messages: &[Message]) -> Vec<Result<(), CallError>> {
        let calls = requests(messages, bytes_of).map(|request| self.put_request(request)).collect();
        run_concurrently(calls, CONCURRENT_REQUESTS).await
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
