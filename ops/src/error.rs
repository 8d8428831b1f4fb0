//! What can go wrong with a command, where, and what to do about it.

use std::io;

use kinesis_function::call_error::CallError;
use kinesis_function::config::ConfigError;

/// A command that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// The variables lead to no service.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A call about a table failed.
    #[error("table {table}: {source}")]
    Table {
        /// The table's name.
        table: String,
        /// What failed.
        source: CallError,
    },
    /// An item of a table is not what the functions write there.
    #[error("table {table}: {fault}")]
    Item {
        /// The table's name.
        table: String,
        /// The item's key, and what is wrong with it.
        fault: String,
    },
    /// A redrive was asked for reasons that no record is rejected for.
    #[error("no such reason: {unknown}. There are:\n  {known}")]
    UnknownReasons {
        /// The unknown reasons, each in quotes.
        unknown: String,
        /// All reasons there are.
        known: String,
    },
    /// A change needs a person's yes, and there is no terminal to ask at.
    #[error(
        "this changes tables and streams, and there is no terminal to confirm it at (standard input and standard error): nothing was done"
    )]
    NoTerminal,
    /// The person at the terminal did not say yes.
    #[error("not confirmed: nothing was changed")]
    NotConfirmed,
    /// Records are back in their stream, but their items could not be deleted.
    #[error(
        "table {table}: {records} records are back in their stream but still in the table; the next redrive would put them again: {source}"
    )]
    Undeleted {
        /// The table's name.
        table: String,
        /// How many items, at most.
        records: usize,
        /// What failed.
        source: CallError,
    },
    /// The terminal could not be read or written.
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
    /// Standard output could not be written.
    #[error("standard output cannot be written: {0}")]
    Stdout(io::Error),
}

impl OpsError {
    /// A failed call about `table`.
    pub(crate) fn of_table(table: &str) -> impl FnOnce(CallError) -> Self {
        |source| Self::Table { table: table.to_owned(), source }
    }

    /// Whether the command line is at fault, rather than what it met.
    #[must_use]
    pub fn is_usage_error(&self) -> bool {
        matches!(self, Self::UnknownReasons { .. } | Self::NoTerminal)
    }

    /// What to do now, where the error itself does not say it.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Config(_) => Some(format!("set them, or {CREDENTIALS}")),
            Self::Table { source, .. } => of_call(source),
            Self::Undeleted { source, .. } => Some(match of_call(source) {
                Some(advice) => format!("{advice}; {SECOND_CLICK}"),
                None => SECOND_CLICK.to_owned(),
            }),
            Self::Item { .. } => Some(FOREIGN_ITEM.to_owned()),
            Self::NoTerminal => Some(WITHOUT_A_TERMINAL.to_owned()),
            Self::UnknownReasons { .. } | Self::NotConfirmed | Self::Terminal(_) | Self::Stdout(_) => None,
        }
    }
}

const SECOND_CLICK: &str = "the next redrive counts each of these records as a second click";
const FOREIGN_ITEM: &str = "something else wrote or edited this item: find out what before touching it; \
                            docs/operations.md, \"A state that cannot be read\", has the rest";
const WITHOUT_A_TERMINAL: &str =
    "run it at a terminal, count with --dry-run, or pass --yes after reading what --help says of it";
const CREDENTIALS: &str = "take them from `aws configure export-credentials --format env` (profiles are not read), or from \
                           what `local serve` exports";

/// What an operator can do about a failed call to DynamoDB. Source of the codes: the API reference, "Common errors".
fn of_call(error: &CallError) -> Option<String> {
    let operation = error.operation();
    Some(match error.code() {
        "AccessDeniedException" => {
            format!("allow dynamodb:{operation} on the table; docs/operations.md lists what each command needs")
        }
        "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException" => format!("the credentials are not valid here: {CREDENTIALS}"),
        "ResourceNotFoundException" => {
            "is it another account or region, or has the table another name? Compare what is \
                                        shown above with AWS_REGION, AWS_ENDPOINT_URL_DYNAMODB, SESSIONS_TABLE, \
                                        STATE_TABLE and REJECTED_TABLE"
                .to_owned()
        }
        "NoConnection" | "TimedOut" => {
            "check the network, AWS_REGION and, where it is set, AWS_ENDPOINT_URL_DYNAMODB".to_owned()
        }
        _ if error.is_transient() => "the error is transient: run the command again in a minute".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advice(code: &str) -> Option<String> {
        OpsError::of_table("rejected-records")(CallError::of_part("Scan", code, "no message")).advice()
    }

    #[test]
    fn failed_call_says_what_to_do_now() {
        let cases = [
            ("AccessDeniedException", "allow dynamodb:Scan on the table"),
            ("ExpiredTokenException", "the credentials are not valid here"),
            ("ResourceNotFoundException", "another account or region"),
            ("ThrottlingException", "run the command again"),
        ];
        for (code, expected) in cases {
            assert!(advice(code).is_some_and(|advice| advice.contains(expected)), "{code}: {:?}", advice(code));
        }
        assert_eq!(advice("ValidationException"), None);
    }
}
