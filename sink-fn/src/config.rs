//! The sink's settings, read once from its environment variables.

use shared::config::{ConfigError, Variables};

/// The settings of design section 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `SESSIONS_TABLE`: name of the table with one item per session.
    pub sessions_table: String,
    /// `REJECTED_TABLE`: name of the table of rejected records.
    pub rejected_table: String,
    /// `REJECTED_RETENTION_DAYS`: how long a rejected record is kept, 1 to 3,650 days; default 30.
    pub rejected_retention_days: u64,
}

impl Config {
    /// Reads the settings from `variables`, usually `std::env::vars()`.
    ///
    /// # Errors
    /// All variables that are missing or wrong, by name.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut read = Variables::new(variables);
        let config = Self {
            sessions_table: read.required("SESSIONS_TABLE"),
            rejected_table: read.required("REJECTED_TABLE"),
            rejected_retention_days: read.integer("REJECTED_RETENTION_DAYS", 30, 1..=3_650),
        };
        read.finish(config)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_and_wrong_variable_is_named_at_once() {
        let text =
            Config::from_variables([("REJECTED_RETENTION_DAYS".to_owned(), "0".to_owned())]).unwrap_err().to_string();
        for name in ["SESSIONS_TABLE is missing", "REJECTED_TABLE is missing", "REJECTED_RETENTION_DAYS is \"0\""] {
            assert!(text.contains(name), "{name} is not in: {text}");
        }
    }
}
