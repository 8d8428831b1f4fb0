//! The tool's configuration: the AWS SDK's variables, the names of tables and streams, and settings of the sessionizer.

use aws_types::SdkConfig;
use kinesis_function::config::{ConfigError, Variables};
use sessionizer_fn::click_format_config::click_format;
use sessionizer_fn::config::session_cut;
use shared::click_format::ClickFormat;
use shared::limits::MAX_SESSION_GAP_SECONDS;
use shared::session::SessionGap;
use shared::session_window::WindowRule;

/// The configuration of every command.
#[derive(Clone, Debug)]
pub struct Config {
    /// Region, credentials and endpoints. One attempt per call; see [`kinesis_function::aws`].
    pub sdk: SdkConfig,
    /// The tables' names.
    pub tables: TableNames,
    /// The streams' names.
    pub streams: StreamNames,
    /// What clicks look like: the sessionizer's variables, such as `USER_ID_FIELD`.
    pub click_format: ClickFormat,
}

/// The streams' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamNames {
    /// `CLICK_STREAM`
    pub clicks: String,
    /// `SESSION_STREAM`
    pub boundaries: String,
}

/// Settings of the sessionizer that its tables do not hold: the same variables, with the same defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `SESSION_GAP_SECONDS`, `ALLOWED_LATENESS_SECONDS`, `SESSION_CUT` and `SESSION_CUT_OFFSET_MINUTES`.
    pub rule: WindowRule,
    /// `CLOSE_GRACE_SECONDS`, in milliseconds.
    pub grace_ms: u64,
}

impl Timing {
    /// Reads `variables`, usually `std::env::vars()`.
    ///
    /// # Errors
    /// Names every variable that is invalid. Source of the limits: design, section 7.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut variables = Variables::new(variables);
        let gap_ms = variables.integer("SESSION_GAP_SECONDS", 10, 1..=MAX_SESSION_GAP_SECONDS) * 1_000;
        let lateness_ms = variables.integer("ALLOWED_LATENESS_SECONDS", 3_600, 0..=86_400) * 1_000;
        let cut = session_cut(&mut variables);
        let timing = Self {
            rule: WindowRule { gap: SessionGap::from_ms(gap_ms), lateness_ms, cut },
            grace_ms: variables.integer("CLOSE_GRACE_SECONDS", 10, 0..=3_600) * 1_000,
        };
        variables.finish(timing)
    }
}

/// The tables' names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// `SESSIONS_TABLE`
    pub sessions: String,
    /// `STATE_LOG_TABLE`
    pub state_log: String,
    /// `STATE_TABLE`
    pub states: String,
    /// `REJECTED_TABLE`
    pub rejected: String,
}

impl Config {
    /// Reads `variables`, usually `std::env::vars()`. Names default to those in template.yaml.
    ///
    /// # Errors
    /// Names every variable that is missing or invalid.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let variables: Vec<_> = variables.into_iter().collect();
        let sdk = kinesis_function::aws::sdk_config(variables.clone())?;
        let mut names = Variables::new(variables.clone());
        let mut name =
            |variable: &'static str, default: &str| names.optional(variable).unwrap_or_else(|| default.to_owned());
        let streams = StreamNames {
            clicks: name("CLICK_STREAM", "click-stream"),
            boundaries: name("SESSION_STREAM", "session-stream"),
        };
        let click_format = click_format(&mut names);
        let tables = TableNames::from_variables(variables);
        names.finish(Self { sdk, tables, streams, click_format })
    }
}

impl TableNames {
    fn from_variables(variables: Vec<(String, String)>) -> Self {
        let mut variables = Variables::new(variables);
        let mut name =
            |variable: &'static str, default: &str| variables.optional(variable).unwrap_or_else(|| default.to_owned());
        Self {
            sessions: name("SESSIONS_TABLE", "sessions"),
            state_log: name("STATE_LOG_TABLE", "state-log"),
            states: name("STATE_TABLE", "session-state"),
            rejected: name("REJECTED_TABLE", "rejected-records"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(variables: &[(&str, &str)]) -> [String; 4] {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let names = TableNames::from_variables(owned);
        [names.sessions, names.state_log, names.states, names.rejected]
    }

    #[test]
    fn table_names_default_to_those_in_the_template() {
        assert_eq!(names(&[]), ["sessions", "state-log", "session-state", "rejected-records"]);
        let some = [("STATE_TABLE", "s2"), ("STATE_LOG_TABLE", "l2"), ("SESSIONS_TABLE", "")];
        assert_eq!(names(&some), ["sessions", "l2", "s2", "rejected-records"]);
    }
}
