//! Puts records into a stream: several requests at once. Of a request that is partly refused, only what was refused is
//! retried.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_kinesis::Client;
use kinesis_function::call_error::CallError;
use sessionizer_fn::store::put_records::put_records;
use tokio::task::JoinSet;

use crate::produce::clicks::Record;
use crate::produce::produced::Produced;
use crate::redrive::attempts::Attempts;

/// Most requests at once. With 500 records each, they carry 100,000 records a second even if a request takes 100 ms.
/// Those that wait before a retry count, so a stream that throttles slows the load down.
const MAX_REQUESTS: usize = 32;

/// The requests under way, and what became of the records so far.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client,
    stream: String,
    requests: JoinSet<()>,
    produced: Arc<Mutex<Produced>>,
}

impl Sender {
    pub(super) fn new(client: &Client, stream: &str) -> Self {
        let (client, stream) = (client.clone(), stream.to_owned());
        Self { client, stream, requests: JoinSet::new(), produced: Arc::default() }
    }

    /// What became of the records so far. Not to be kept while waiting.
    pub(super) fn produced(&self) -> MutexGuard<'_, Produced> {
        lock(&self.produced)
    }

    /// Whether another request may be made now.
    pub(super) fn has_room(&mut self) -> bool {
        while self.requests.try_join_next().is_some() {} // forget those that are done
        self.requests.len() < MAX_REQUESTS
    }

    /// Puts `records`, which fit into one request.
    pub(super) fn send(&mut self, records: Vec<Record>) {
        let request =
            Request { client: self.client.clone(), stream: self.stream.clone(), produced: Arc::clone(&self.produced) };
        self.requests.spawn(request.put(records));
    }

    /// Waits until every record is accepted or given up.
    pub(super) async fn finish(&mut self) {
        while self.requests.join_next().await.is_some() {}
    }
}

fn lock(produced: &Mutex<Produced>) -> MutexGuard<'_, Produced> {
    produced.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One request, and the smaller ones that repeat what was refused of it.
struct Request {
    client: Client,
    stream: String,
    produced: Arc<Mutex<Produced>>,
}

impl Request {
    /// Puts `records` until all are accepted, given up, or refused with an error that no retry can help. A put without
    /// an answer is retried, as producers do, so its records may be in the stream twice.
    async fn put(self, mut records: Vec<Record>) {
        let mut attempts = Attempts::new();
        while !records.is_empty() {
            let entries = records.iter().map(|record| (record.partition_key.as_str(), record.data.as_slice()));
            let results = match put_records(&self.client, &self.stream, entries).await {
                Ok(results) => results,
                Err(error) => vec![Err(error); records.len()],
            };
            let refused = self.count(records, results);
            if refused.is_empty() {
                return;
            }
            let tries_again = attempts.again().await;
            let mut produced = lock(&self.produced);
            records = Vec::with_capacity(refused.len());
            for (record, error) in refused {
                if tries_again {
                    produced.retried += 1;
                    produced.unanswered += u64::from(error.may_have_taken_effect());
                    records.push(record);
                } else {
                    produced.give_up(error.code());
                }
            }
        }
    }

    /// Counts the `results` of putting `records`, and returns the records that may be accepted later.
    fn count(&self, records: Vec<Record>, results: Vec<Result<(), CallError>>) -> Vec<(Record, CallError)> {
        let mut produced = lock(&self.produced);
        let mut refused = Vec::new();
        for (record, result) in records.into_iter().zip(results) {
            match result {
                Ok(()) => produced.accepted += 1,
                Err(error) => {
                    *(if error.is_throttle() { &mut produced.throttled } else { &mut produced.failed }) += 1;
                    if error.is_transient() {
                        refused.push((record, error));
                    } else {
                        produced.give_up(error.code());
                        produced.error.get_or_insert(error);
                    }
                }
            }
        }
        refused
    }
}
