//! What ends the work on a bucket. Its records wait for redelivery; other buckets go on.

use kinesis_function::call_error::CallError;
use kinesis_function::failures::Failures;
use shared::sequence_number::SequenceNumber;

use crate::ring_log::memory::NotTheNext;
use crate::store::log_store::StoreError;
use crate::store::settings::Settings;

/// What ends the work on a bucket.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BucketError {
    /// A call failed permanently.
    #[error(transparent)]
    Call(CallError),
    /// Stored state cannot be read; nothing is overwritten.
    #[error("{0}")]
    Unreadable(StoreError),
    /// The log is not what this environment has read, nor what has become of it since: a table was emptied, set back or
    /// replaced. Nothing is overwritten.
    #[error("the state log of bucket {bucket} has lost commit {known}: {found}")]
    LogLost {
        /// The bucket.
        bucket: u32,
        /// The last commit known.
        known: u64,
        /// What is there instead.
        found: String,
    },
    /// The tables are kept with other settings.
    #[error("the state tables were made for {stored}, this function is configured for {configured}")]
    OtherSettings {
        /// The settings item.
        stored: Settings,
        /// What the function would make.
        configured: Settings,
    },
    /// The settings item that this environment has read is gone, or another one has taken its place.
    #[error("the settings of the state tables have changed while this environment ran: {before} before, now {now}")]
    SettingsChanged {
        /// As read first.
        before: Settings,
        /// As read now.
        now: String,
    },
    /// A commit read from a slot does not follow the one before.
    #[error("the state log of bucket {bucket} is inconsistent: {source}")]
    Inconsistent {
        /// The bucket.
        bucket: u32,
        /// What does not fit.
        source: NotTheNext,
    },
    /// A commit does not fit into an item although it changes no more than is sure to fit.
    #[error("the next commit of bucket {bucket} is too large for an item")]
    TooLarge {
        /// The bucket.
        bucket: u32,
    },
    /// A boundary cannot be encoded.
    #[error("a boundary cannot be encoded: {0}")]
    Unencodable(String),
}

impl From<StoreError> for BucketError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Call(error) => Self::Call(error),
            unreadable => Self::Unreadable(unreadable),
        }
    }
}

impl BucketError {
    /// Records it as the reason why records from `position` on wait.
    pub fn note(&self, failures: &Failures, position: Option<&SequenceNumber>) {
        let (what, code) = match self {
            Self::Call(error) => return failures.given_up(error, position),
            Self::Unreadable(_) => ("state", "unreadable"),
            Self::LogLost { .. } => ("state-log", "lost"),
            Self::OtherSettings { .. } => ("state-log", "other_settings"),
            Self::SettingsChanged { .. } => ("state-log", "settings_changed"),
            Self::Inconsistent { .. } => ("state-log", "inconsistent"),
            Self::TooLarge { .. } => ("state-log", "too_large"),
            Self::Unencodable(_) => ("boundary", "unencodable"),
        };
        failures.blocked(what, code, self, position);
    }
}
