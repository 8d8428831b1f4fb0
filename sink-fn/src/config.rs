//! The sink's settings, read once from its environment variables.

use kinesis_function::config::{Settings, Variables};
use kinesis_function::rejected_table::RejectedTableConfig;
use shared::columns::declaration::SessionColumns;

/// The settings of design section 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `SESSIONS_TABLE`: name of the table with one item per session.
    pub sessions_table: String,
    /// `REJECTED_TABLE` and `REJECTED_RETENTION_DAYS`: the table of rejected records.
    pub rejected: RejectedTableConfig,
    /// `SESSION_RETENTION_DAYS`: how long a session is kept after its last change, up to 3,650 days; default 0,
    /// forever.
    pub session_retention_days: u64,
    /// `STREAM_RETENTION_HOURS`: decides how long tombstones are kept, 24 to 8,760 h; default 24.
    pub stream_retention_hours: u64,
    /// `SESSION_COLUMNS`: the columns that the sessionizer publishes. An item loses those that its newest boundary lacks.
    pub columns: SessionColumns,
}

impl Settings for Config {
    fn read(variables: &mut Variables) -> Self {
        Self {
            sessions_table: variables.required("SESSIONS_TABLE"),
            rejected: RejectedTableConfig::read(variables),
            session_retention_days: variables.integer("SESSION_RETENTION_DAYS", 0, 0..=3_650),
            stream_retention_hours: variables.stream_retention_hours(),
            columns: variables.session_columns(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_or_invalid_variable_is_reported_at_once() {
        let wrong = [
            ("REJECTED_RETENTION_DAYS", "0"),
            ("SESSION_RETENTION_DAYS", "3651"),
            ("STREAM_RETENTION_HOURS", "8761"),
            ("SESSION_COLUMNS", "pages = number(/page)"),
        ];
        let wrong = wrong.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = Config::from_variables(wrong).unwrap_err().to_string();
        for name in [
            "SESSIONS_TABLE is missing",
            "REJECTED_TABLE is missing",
            "REJECTED_RETENTION_DAYS is \"0\"",
            "SESSION_RETENTION_DAYS is \"3651\"",
            "STREAM_RETENTION_HOURS is \"8761\"",
            "SESSION_COLUMNS: ",
        ] {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }
}
