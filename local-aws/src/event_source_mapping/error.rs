//! Owns what can end a mapping. A failed invocation or a failed read does not: both are retried without limit.

use shared::sequence_number::{InvalidSequenceNumber, SequenceNumber};
use tokio::task::JoinError;

/// Why a mapping has ended. It can be cloned, as everyone who waits for the mapping is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The stream, or the shard to read, does not exist or does not exist any more.
    #[error("{call} on stream {stream}: it was not found: {message}")]
    NotFound {
        /// The call of Kinesis.
        call: &'static str,
        /// The stream's name.
        stream: String,
        /// What Kinesis said.
        message: String,
    },
    /// Kinesis refuses a call for a reason that waiting does not heal: rights, or a checkpoint of another stream.
    #[error("{call} on stream {stream}: it was refused: {message}")]
    Refused {
        /// The call of Kinesis.
        call: &'static str,
        /// The stream's name.
        stream: String,
        /// What Kinesis said.
        message: String,
    },
    /// A shard gave a record that is not behind the one before it. Going on would break the order or skip a record.
    #[error("shard {shard} gave record {found} after record {previous}")]
    OutOfOrder {
        /// The shard.
        shard: String,
        /// The record read before.
        previous: SequenceNumber,
        /// The record that came after it.
        found: SequenceNumber,
    },
    /// A shard gave a record whose sequence number cannot be read.
    #[error("shard {shard}: {source}")]
    SequenceNumber {
        /// The shard.
        shard: String,
        /// What is wrong with it.
        source: InvalidSequenceNumber,
    },
    /// A record or an event could not be written as JSON.
    #[error("shard {shard}: the event could not be written as JSON: {message}")]
    Event {
        /// The shard.
        shard: String,
        /// What serde said.
        message: String,
    },
    /// A task of the mapping itself panicked: a defect of this crate, not of the function.
    #[error("a task of the event source mapping panicked: {message}")]
    Panicked {
        /// The panic, as far as it is known.
        message: String,
    },
    /// The mapping was stopped or dropped before what was waited for came.
    #[error("the event source mapping was stopped")]
    Stopped,
}

impl From<JoinError> for MappingError {
    /// No task of a mapping is cancelled while its result is waited for: it has panicked.
    fn from(error: JoinError) -> Self {
        Self::Panicked { message: error.to_string() }
    }
}
