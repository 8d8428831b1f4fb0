//! The sessionizer's settings, read once from its environment variables.

use kinesis_function::config::{Settings, Variables};
use kinesis_function::rejected_table::RejectedTableConfig;
use shared::limits::MAX_SESSION_GAP_SECONDS;
use shared::session_rule::SessionGap;

/// Whether a user's first session is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSession {
    /// It is published like any other, as `user_0`.
    Emit,
    /// It is left out, as in the Flink job.
    Skip,
}

/// The settings of design section 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `STATE_TABLE`: name of the table with one item per user.
    pub state_table: String,
    /// `REJECTED_TABLE` and `REJECTED_RETENTION_DAYS`: the table of rejected records.
    pub rejected: RejectedTableConfig,
    /// `SESSION_STREAM`: name of the stream to publish boundaries to.
    pub session_stream: String,
    /// `SESSION_GAP_SECONDS`: inactivity that ends a session, 1 to 86,400 s; default 10.
    pub session_gap: SessionGap,
    /// `FIRST_SESSION`: `emit` (default) or `skip`.
    pub first_session: FirstSession,
    /// `MAX_CLOCK_SKEW_SECONDS`: how far a click's time may be after its arrival, up to a year; default 3,600 s. Stored
    /// in milliseconds.
    pub max_clock_skew_ms: u64,
    /// `PARALLELIZATION_FACTOR`: the factor of the event source mapping, 1 to 10; default 10, which is safe for every
    /// factor.
    ///
    /// With a factor of 1, Lambda preserves the order within a shard; with a higher one, only within each partition
    /// key. See [`crate::batch::CursorKey`].
    pub parallelization_factor: u64,
}

impl Settings for Config {
    fn read(variables: &mut Variables) -> Self {
        Self {
            state_table: variables.required("STATE_TABLE"),
            rejected: RejectedTableConfig::read(variables),
            session_stream: variables.required("SESSION_STREAM"),
            session_gap: SessionGap::from_ms(
                variables.integer("SESSION_GAP_SECONDS", 10, 1..=MAX_SESSION_GAP_SECONDS) * 1_000,
            ),
            first_session: variables
                .choice("FIRST_SESSION", [("emit", FirstSession::Emit), ("skip", FirstSession::Skip)]),
            max_clock_skew_ms: variables.integer("MAX_CLOCK_SKEW_SECONDS", 3_600, 0..=31_536_000) * 1_000,
            parallelization_factor: variables.integer("PARALLELIZATION_FACTOR", 10, 1..=10),
        }
    }
}

#[cfg(test)]
mod tests {
    use kinesis_function::config::ConfigError;

    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let names = [("STATE_TABLE", "states"), ("REJECTED_TABLE", "rejected"), ("SESSION_STREAM", "out")];
        let pairs = names.iter().chain(pairs).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(pairs)
    }

    #[test]
    fn only_resource_names_are_required() {
        let config = config(&[]).unwrap();
        assert_eq!(config.session_gap.ms(), 10_000);
        assert_eq!(config.first_session, FirstSession::Emit);
        assert_eq!(config.max_clock_skew_ms, 3_600_000);
        assert_eq!(config.rejected.retention_days, 30);
    }

    #[test]
    fn gap_may_be_one_second_to_one_day() {
        assert_eq!(config(&[("SESSION_GAP_SECONDS", "1")]).unwrap().session_gap.ms(), 1_000);
        assert_eq!(config(&[("SESSION_GAP_SECONDS", "86400")]).unwrap().session_gap.ms(), 86_400_000);
        for wrong in ["0", "86401", "10.5", "ten"] {
            let error = config(&[("SESSION_GAP_SECONDS", wrong)]).unwrap_err();
            assert!(error.to_string().contains(&format!("SESSION_GAP_SECONDS is \"{wrong}\"")), "{error}");
        }
    }

    #[test]
    fn every_missing_or_invalid_variable_is_reported_at_once() {
        let wrong = [
            ("SESSION_GAP_SECONDS", "0"),
            ("FIRST_SESSION", "maybe"),
            ("MAX_CLOCK_SKEW_SECONDS", "-1"),
            ("REJECTED_RETENTION_DAYS", "0"),
            ("PARALLELIZATION_FACTOR", "11"),
        ];
        let pairs = wrong.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = Config::from_variables(pairs).unwrap_err().to_string();
        for name in ["STATE_TABLE", "REJECTED_TABLE", "SESSION_STREAM"].into_iter().chain(wrong.map(|(name, _)| name)) {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }
}
