//! Puts what the page asks for into click-stream: clicks, late ones, and records that the pipeline has to reject.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use fastrand::Rng;
use kinesis_function::call_error::CallError;
use ops::shop::{self, Fault};
use shared::user_id::UserId;

/// The longest lateness that can be asked for, in milliseconds: a day, the longest that can be allowed.
pub(crate) const MAX_LATE_MS: u64 = 86_400_000;

/// Puts single records into click-stream. Clones share the client.
#[derive(Clone, Debug)]
pub(crate) struct Clicks {
    client: Client,
    stream: String,
}

impl Clicks {
    pub(crate) fn new(client: Client, stream: String) -> Self {
        Self { client, stream }
    }

    /// Puts a click at `time_ms`, Unix milliseconds.
    pub(crate) async fn put(&self, user: &UserId, time_ms: u64) -> Result<(), CallError> {
        self.put_record(user, shop::click(&mut Rng::new(), user.as_str(), time_ms)).await
    }

    /// Puts a record that is a click except for `fault`.
    pub(crate) async fn put_broken(&self, user: &UserId, fault: Fault, now_ms: u64) -> Result<(), CallError> {
        self.put_record(user, shop::broken(&mut Rng::new(), user.as_str(), fault, now_ms)).await
    }

    async fn put_record(&self, user: &UserId, data: Vec<u8>) -> Result<(), CallError> {
        let put = self.client.put_record().stream_name(&self.stream).partition_key(user.partition_key());
        put.data(Blob::new(data)).send().await.map_err(|error| CallError::of("PutRecord", &error))?;
        Ok(())
    }
}
