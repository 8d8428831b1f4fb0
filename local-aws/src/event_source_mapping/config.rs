//! Owns a mapping's settings and their validation. Names and defaults are those of Lambda where Lambda has the setting.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use shared::sequence_number::SequenceNumber;

use super::backoff::RetryBackoff;
use super::limits::{
    MAX_BATCH_RECORDS, MAX_BATCHING_WINDOW, MAX_FUNCTION_TIMEOUT, MAX_PARALLELIZATION_FACTOR, MAX_POLL_INTERVAL,
    MAX_RETRY_BACKOFF, MAX_STREAM_NAME_CHARS,
};

/// For each shard the sequence number up to which, itself included, every record is done.
pub type Checkpoints = BTreeMap<String, SequenceNumber>;

/// Where reading begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the oldest record of each shard.
    #[default]
    TrimHorizon,
    /// Behind each shard's checkpoint; at the oldest record of a shard that has none.
    Checkpoints(Checkpoints),
}

/// A mapping's settings. Start from [`MappingConfig::new`] and change what differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingConfig {
    /// The stream to read: 1 to 128 letters, digits, `_`, `.` or `-`.
    pub stream_name: String,
    /// Most records in one batch, 1 to 10,000. Lambda's default: 100.
    pub batch_size: usize,
    /// How long a batch is gathered, at most 300 s. Zero, the default, invokes with what is there.
    pub maximum_batching_window: Duration,
    /// Batches of one shard at once, 1 to 10, in order per partition key. Lambda's default: 1.
    pub parallelization_factor: usize,
    /// Where reading begins. Default: the trim horizon.
    pub starting_position: StartingPosition,
    /// How long an invocation may run before it is dropped, up to 900 s. Lambda's default: 3 s.
    pub function_timeout: Duration,
    /// The wait before a shard that had nothing new is read again, 1 ms to 10 s. Default: 20 ms. Lambda polls once a
    /// second; a real stream takes five reads a second and shard.
    pub poll_interval: Duration,
    /// The longest that wait becomes while a shard stays without anything new, from `poll_interval` to 10 s; it doubles
    /// until then. Default: 20 ms, so that it stays as it is.
    pub idle_poll_interval: Duration,
    /// The wait after a first failed attempt, 1 ms to 60 s; it doubles with every further one. Default: 50 ms.
    pub retry_backoff_initial: Duration,
    /// The longest wait between two attempts, at least the first one, at most 60 s. Default: 1 s.
    pub retry_backoff_max: Duration,
    /// Whether a batch is split in two when the function fails or times out. Lambda's default: no.
    pub bisect_batch_on_function_error: bool,
}

/// A setting outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, but must be {limit}")]
pub struct MappingConfigError {
    /// The field of [`MappingConfig`].
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// What it must be.
    pub limit: String,
}

impl MappingConfig {
    /// The default settings for a stream.
    pub fn new(stream_name: impl Into<String>) -> Self {
        Self {
            stream_name: stream_name.into(),
            batch_size: 100,
            maximum_batching_window: Duration::ZERO,
            parallelization_factor: 1,
            starting_position: StartingPosition::default(),
            function_timeout: Duration::from_secs(3),
            poll_interval: Duration::from_millis(20),
            idle_poll_interval: Duration::from_millis(20),
            retry_backoff_initial: Duration::from_millis(50),
            retry_backoff_max: Duration::from_secs(1),
            bisect_batch_on_function_error: false,
        }
    }

    /// Checks every setting against its limits.
    ///
    /// # Errors
    /// The first setting that is outside, with its value and its limits.
    pub fn validate(&self) -> Result<(), MappingConfigError> {
        let tick = Duration::from_millis(1);
        check_stream_name(&self.stream_name)?;
        check("batch_size", self.batch_size, 1..=MAX_BATCH_RECORDS)?;
        check("maximum_batching_window", self.maximum_batching_window, Duration::ZERO..=MAX_BATCHING_WINDOW)?;
        check("parallelization_factor", self.parallelization_factor, 1..=MAX_PARALLELIZATION_FACTOR)?;
        check("function_timeout", self.function_timeout, tick..=MAX_FUNCTION_TIMEOUT)?;
        check("poll_interval", self.poll_interval, tick..=MAX_POLL_INTERVAL)?;
        check("idle_poll_interval", self.idle_poll_interval, self.poll_interval..=MAX_POLL_INTERVAL)?;
        check("retry_backoff_initial", self.retry_backoff_initial, tick..=MAX_RETRY_BACKOFF)?;
        check("retry_backoff_max", self.retry_backoff_max, self.retry_backoff_initial..=MAX_RETRY_BACKOFF)
    }

    /// The wait before a shard is read again, by how often in a row it had nothing new.
    pub(crate) fn polling(&self) -> RetryBackoff {
        RetryBackoff { initial: self.poll_interval, max: self.idle_poll_interval }
    }

    pub(crate) fn backoff(&self) -> RetryBackoff {
        RetryBackoff { initial: self.retry_backoff_initial, max: self.retry_backoff_max }
    }

    /// Behind which record of a shard reading begins.
    pub(crate) fn checkpoint(&self, shard: &str) -> Option<SequenceNumber> {
        match &self.starting_position {
            StartingPosition::TrimHorizon => None,
            StartingPosition::Checkpoints(checkpoints) => checkpoints.get(shard).cloned(),
        }
    }
}

fn check<T: Debug + PartialOrd>(
    field: &'static str,
    value: T,
    limits: RangeInclusive<T>,
) -> Result<(), MappingConfigError> {
    if limits.contains(&value) {
        return Ok(());
    }
    let limit = format!("{:?} to {:?}", limits.start(), limits.end());
    Err(MappingConfigError { field, value: format!("{value:?}"), limit })
}

fn check_stream_name(name: &str) -> Result<(), MappingConfigError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=MAX_STREAM_NAME_CHARS).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(MappingConfigError {
        field: "stream_name",
        value: format!("{name:?}"),
        limit: format!("1 to {MAX_STREAM_NAME_CHARS} letters, digits, '_', '.' or '-'"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: impl FnOnce(&mut MappingConfig)) -> String {
        let mut config = MappingConfig::new("click-stream");
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_default_settings_are_valid() {
        assert_eq!(MappingConfig::new("click-stream").validate(), Ok(()));
    }

    #[test]
    fn a_fault_names_field_value_and_limit() {
        let name = "stream_name is \"click stream\", but must be 1 to 128 letters, digits, '_', '.' or '-'";
        assert_eq!(fault(|config| config.stream_name = "click stream".into()), name);
        assert_eq!(fault(|config| config.batch_size = 0), "batch_size is 0, but must be 1 to 10000");
        assert_eq!(fault(|config| config.batch_size = 10_001), "batch_size is 10001, but must be 1 to 10000");
        assert_eq!(
            fault(|config| config.maximum_batching_window = Duration::from_secs(301)),
            "maximum_batching_window is 301s, but must be 0ns to 300s"
        );
        assert_eq!(
            fault(|config| config.parallelization_factor = 11),
            "parallelization_factor is 11, but must be 1 to 10"
        );
        assert_eq!(
            fault(|config| config.function_timeout = Duration::ZERO),
            "function_timeout is 0ns, but must be 1ms to 900s"
        );
        assert_eq!(
            fault(|config| config.poll_interval = Duration::ZERO),
            "poll_interval is 0ns, but must be 1ms to 10s"
        );
        assert_eq!(
            fault(|config| config.retry_backoff_initial = Duration::from_secs(61)),
            "retry_backoff_initial is 61s, but must be 1ms to 60s"
        );
        assert_eq!(
            fault(|config| config.retry_backoff_max = Duration::from_millis(1)),
            "retry_backoff_max is 1ms, but must be 50ms to 60s"
        );
    }
}
