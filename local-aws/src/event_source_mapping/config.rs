//! Owns a mapping's settings and their validation. Settings that Lambda also has use its names and defaults.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use shared::sequence_number::SequenceNumber;

use super::backoff::RetryBackoff;
use super::limits::{
    MAX_BATCH_RECORDS, MAX_BATCHING_WINDOW, MAX_FUNCTION_TIMEOUT, MAX_POLL_INTERVAL, MAX_RETRY_BACKOFF,
    MAX_STREAM_NAME_CHARS,
};

/// For each shard, the sequence number up to and including which every record is done.
pub type Checkpoints = BTreeMap<String, SequenceNumber>;

/// Where reading starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StartingPosition {
    /// At the oldest record of each shard.
    #[default]
    TrimHorizon,
    /// After each shard's checkpoint; at the oldest record of a shard without one.
    Checkpoints(Checkpoints),
}

/// A mapping's settings. Start with [`MappingConfig::new`] and change individual fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingConfig {
    /// The stream to read: 1 to 128 letters, digits, `_`, `.` or `-`.
    pub stream_name: String,
    /// Maximum records per batch, 1 to 10,000. Lambda's default: 100.
    pub batch_size: usize,
    /// How long a batch is gathered, at most 300 s. Zero, the default, invokes with the available records.
    pub maximum_batching_window: Duration,
    /// Where reading starts. Default: the trim horizon.
    pub starting_position: StartingPosition,
    /// How long an invocation may run before it is dropped, up to 900 s. Lambda's default: 3 s.
    pub function_timeout: Duration,
    /// The wait before reading an idle shard again, 1 ms to 10 s. Default: 20 ms. Lambda polls once per second; a real
    /// stream allows five reads per second and shard.
    pub poll_interval: Duration,
    /// The maximum of that wait, which doubles while a shard stays idle, from `poll_interval` to 10 s. Default: 20 ms,
    /// so it does not grow.
    pub idle_poll_interval: Duration,
    /// The wait after the first failed attempt, 1 ms to 60 s; it doubles with each further one. Default: 50 ms.
    pub retry_backoff_initial: Duration,
    /// The maximum wait between two attempts, from `retry_backoff_initial` to 60 s. Default: 1 s.
    pub retry_backoff_max: Duration,
    /// Whether a batch is split in two when the function fails or times out. Lambda's default: no.
    pub bisect_batch_on_function_error: bool,
}

/// A setting outside its limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}, must be {limit}")]
pub struct MappingConfigError {
    /// The field of [`MappingConfig`].
    pub field: &'static str,
    /// Its value.
    pub value: String,
    /// Its limits.
    pub limit: String,
}

impl MappingConfig {
    /// The default settings for a stream.
    pub fn new(stream_name: impl Into<String>) -> Self {
        Self {
            stream_name: stream_name.into(),
            batch_size: 100,
            maximum_batching_window: Duration::ZERO,
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
    /// The first setting outside its limits, with its value and limits.
    pub fn validate(&self) -> Result<(), MappingConfigError> {
        let tick = Duration::from_millis(1);
        check_stream_name(&self.stream_name)?;
        check("batch_size", self.batch_size, 1..=MAX_BATCH_RECORDS)?;
        check("maximum_batching_window", self.maximum_batching_window, Duration::ZERO..=MAX_BATCHING_WINDOW)?;
        check("function_timeout", self.function_timeout, tick..=MAX_FUNCTION_TIMEOUT)?;
        check("poll_interval", self.poll_interval, tick..=MAX_POLL_INTERVAL)?;
        check("idle_poll_interval", self.idle_poll_interval, self.poll_interval..=MAX_POLL_INTERVAL)?;
        check("retry_backoff_initial", self.retry_backoff_initial, tick..=MAX_RETRY_BACKOFF)?;
        check("retry_backoff_max", self.retry_backoff_max, self.retry_backoff_initial..=MAX_RETRY_BACKOFF)
    }

    /// The wait before reading a shard again, by the number of consecutive reads without records.
    pub(crate) fn polling(&self) -> RetryBackoff {
        RetryBackoff { initial: self.poll_interval, max: self.idle_poll_interval }
    }

    pub(crate) fn backoff(&self) -> RetryBackoff {
        RetryBackoff { initial: self.retry_backoff_initial, max: self.retry_backoff_max }
    }

    /// The record of a shard after which reading starts.
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
        let name = "stream_name is \"click stream\", must be 1 to 128 letters, digits, '_', '.' or '-'";
        assert_eq!(fault(|config| config.stream_name = "click stream".into()), name);
        assert_eq!(fault(|config| config.batch_size = 0), "batch_size is 0, must be 1 to 10000");
        assert_eq!(fault(|config| config.batch_size = 10_001), "batch_size is 10001, must be 1 to 10000");
        assert_eq!(
            fault(|config| config.maximum_batching_window = Duration::from_secs(301)),
            "maximum_batching_window is 301s, must be 0ns to 300s"
        );
        assert_eq!(
            fault(|config| config.function_timeout = Duration::ZERO),
            "function_timeout is 0ns, must be 1ms to 900s"
        );
        assert_eq!(fault(|config| config.poll_interval = Duration::ZERO), "poll_interval is 0ns, must be 1ms to 10s");
        assert_eq!(
            fault(|config| config.retry_backoff_initial = Duration::from_secs(61)),
            "retry_backoff_initial is 61s, must be 1ms to 60s"
        );
        assert_eq!(
            fault(|config| config.retry_backoff_max = Duration::from_millis(1)),
            "retry_backoff_max is 1ms, must be 50ms to 60s"
        );
    }
}
