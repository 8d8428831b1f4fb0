//! What the tables hold, wherever the AWS SDK's variables lead: `serve` on this machine, or an AWS account.

use std::env;

use aws_sdk_dynamodb::Client;

use crate::display;
use crate::error::LocalError;
use crate::export;

/// The tables' names, as the functions know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// `SESSIONS_TABLE`
    pub sessions: String,
    /// `STATE_TABLE`
    pub states: String,
    /// `REJECTED_TABLE`
    pub rejected: String,
}

impl TableNames {
    /// From the functions' variables, or the template's names where one is not set.
    #[must_use]
    pub fn from_environment() -> Self {
        let name = |variable: &str, default: &str| env::var(variable).unwrap_or_else(|_| default.to_owned());
        Self {
            sessions: name("SESSIONS_TABLE", "sessions"),
            states: name("STATE_TABLE", "session-state"),
            rejected: name("REJECTED_TABLE", "rejected-records"),
        }
    }
}

/// All three tables as text, read whole: for what fits on a screen.
///
/// # Errors
/// When a table cannot be read or holds what the functions do not write.
pub async fn shown(client: &Client, names: &TableNames) -> Result<String, LocalError> {
    let sessions = export::sessions(client, &names.sessions).await?;
    let states = export::states(client, &names.states).await?;
    let rejected = export::rejected(client, &names.rejected, 0).await?;
    let tables = [
        (&names.sessions, sessions.len(), display::sessions_table(&sessions)),
        (&names.states, states.len(), display::states_table(&states)),
        (&names.rejected, rejected.len(), display::rejected_table(&rejected)),
    ];
    Ok(tables.map(|(name, count, table)| format!("{name}: {count}\n{table}")).join("\n"))
}
