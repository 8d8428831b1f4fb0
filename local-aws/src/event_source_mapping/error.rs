//! Owns the errors that end a mapping. A failed invocation or a failed read does not: both are retried without limit.

use shared::sequence_number::{InvalidSequenceNumber, SequenceNumber};
use tokio::task::JoinError;

/// Why a mapping ended. It is cloneable because everything that waits for the mapping receives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The stream or the shard does not exist or no longer exists.
    #[error("{call} on stream {stream}: not found: {message}")]
    NotFound {
        /// The Kinesis API call.
        call: &'static str,
        /// The stream's name.
        stream: String,
        /// Kinesis' error message.
        message: String,
    },
    /// Kinesis rejects a call for a reason that retries cannot fix: permissions, or a checkpoint of another stream.
    #[error("{call} on stream {stream}: rejected: {message}")]
    Refused {
        /// The Kinesis API call.
        call: &'static str,
        /// The stream's name.
        stream: String,
        /// Kinesis' error message.
        message: String,
    },
    /// A shard returned a record out of order. Continuing would break the order or skip a record.
    #[error("shard {shard} returned record {found} after record {previous}")]
    OutOfOrder {
        /// The shard.
        shard: String,
        /// The record read before.
        previous: SequenceNumber,
        /// The record that came after it.
        found: SequenceNumber,
    },
    /// A shard returned a record with an invalid sequence number.
    #[error("shard {shard}: {source}")]
    SequenceNumber {
        /// The shard.
        shard: String,
        /// The fault.
        source: InvalidSequenceNumber,
    },
    /// A record or an event could not be written as JSON.
    #[error("shard {shard}: cannot write the event as JSON: {message}")]
    Event {
        /// The shard.
        shard: String,
        /// serde's error message.
        message: String,
    },
    /// A task of the mapping itself panicked: a defect of this crate, not of the function.
    #[error("a task of the event source mapping panicked: {message}")]
    Panicked {
        /// The panic's message, if known.
        message: String,
    },
    /// The mapping was stopped or dropped before the awaited condition was met.
    #[error("the event source mapping was stopped")]
    Stopped,
}

impl From<JoinError> for MappingError {
    /// A task is never cancelled while its result is awaited, so this is always a panic.
    fn from(error: JoinError) -> Self {
        Self::Panicked { message: error.to_string() }
    }
}
