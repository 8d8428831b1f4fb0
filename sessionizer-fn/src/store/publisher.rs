//! The interface of session-stream.

use kinesis_function::call_error::CallError;
use shared::user_id::UserId;

/// Puts boundaries into session-stream.
pub trait Publisher: Sync {
    /// Tries once to put each of `messages`, and returns in order whether the stream accepted it.
    ///
    /// A failed message may have been accepted nevertheless. Messages may arrive in any order and more than once: each
    /// carries a version, and the highest version of a session wins.
    fn put(&self, messages: &[Message]) -> impl Future<Output = Vec<Result<(), CallError>>> + Send;
}

/// A boundary of a committed outbox, encoded.
#[derive(Clone, Debug)]
pub struct Message {
    user_id: UserId,
    data: Vec<u8>,
}

impl Message {
    pub(crate) fn new(user_id: UserId, data: Vec<u8>) -> Self {
        Self { user_id, data }
    }

    /// The user's partition key: a user's boundaries share a shard.
    #[must_use]
    pub fn partition_key(&self) -> &str {
        self.user_id.partition_key()
    }

    /// The boundary's JSON.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}
