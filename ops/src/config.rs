//! The tool's configuration: the AWS SDK's variables and the tables' names.

use aws_types::SdkConfig;
use kinesis_function::config::{ConfigError, Variables};

/// The configuration of both commands.
#[derive(Clone, Debug)]
pub struct Config {
    /// Region, credentials and endpoints. One attempt per call; see [`kinesis_function::aws`].
    pub sdk: SdkConfig,
    /// The tables' names.
    pub tables: TableNames,
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
    /// Reads `variables`, usually `std::env::vars()`. Table names default to those in template.yaml.
    ///
    /// # Errors
    /// Names every variable that is missing or invalid.
    pub fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let variables: Vec<_> = variables.into_iter().collect();
        let sdk = kinesis_function::aws::sdk_config(variables.clone())?;
        Ok(Self { sdk, tables: TableNames::from_variables(variables) })
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
