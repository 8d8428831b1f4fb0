//! Puts what the page asks for into click-stream: clicks, late ones, and records that the pipeline has to reject.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use kinesis_function::call_error::CallError;
use serde::Deserialize;
use shared::user_id::UserId;

use crate::shop;

/// The longest lateness that can be asked for, in milliseconds: a day, the longest that can be allowed.
pub(crate) const MAX_LATE_MS: u64 = 86_400_000;

/// What is wrong with a broken record.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// It ends in the middle.
    NotJson,
    /// It has no user.
    NoUser,
    /// It has no time.
    NoTime,
    /// Its time is in seconds.
    InSeconds,
    /// Its time is a day ahead.
    InTheFuture,
}

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
        self.put_record(user, shop::click(user.as_str(), time_ms)).await
    }

    /// Puts a record that is a click except for `fault`.
    pub(crate) async fn put_broken(&self, user: &UserId, fault: Fault, now_ms: u64) -> Result<(), CallError> {
        self.put_record(user, broken(user.as_str(), fault, now_ms)).await
    }

    async fn put_record(&self, user: &UserId, data: Vec<u8>) -> Result<(), CallError> {
        let put = self.client.put_record().stream_name(&self.stream).partition_key(user.partition_key());
        put.data(Blob::new(data)).send().await.map_err(|error| CallError::of("PutRecord", &error))?;
        Ok(())
    }
}

fn broken(user: &str, fault: Fault, now_ms: u64) -> Vec<u8> {
    let record = match fault {
        Fault::NotJson => {
            let mut cut = shop::click(user, now_ms);
            cut.pop();
            return cut;
        }
        Fault::NoUser => serde_json::json!({"event_timestamp": now_ms, "event_name": "search"}),
        Fault::NoTime => serde_json::json!({"user_id": user, "event_timestamp": null, "event_name": "search"}),
        Fault::InSeconds => return shop::click(user, now_ms / 1_000),
        Fault::InTheFuture => return shop::click(user, now_ms + 86_400_000),
    };
    record.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use shared::click::{Click, LatestBelievable};

    use super::*;

    #[test]
    fn each_fault_has_its_reason() {
        let now_ms = 1_795_000_000_000;
        let reason = |fault| {
            let data = broken("a", fault, now_ms);
            // With the largest skew that can be configured.
            Click::decode(&data, LatestBelievable::after_arrival(now_ms, 43_200_000)).unwrap_err().reason.to_string()
        };
        assert_eq!(reason(Fault::NotJson), "not_json");
        assert_eq!(reason(Fault::NoUser), "user_id_missing");
        assert_eq!(reason(Fault::NoTime), "event_timestamp_null");
        assert_eq!(reason(Fault::InSeconds), "event_timestamp_in_seconds");
        assert_eq!(reason(Fault::InTheFuture), "event_timestamp_in_the_future");
    }
}
