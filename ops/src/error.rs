//! Errors of the commands: what failed, where, and what to do about it.

use std::io;

use kinesis_function::call_error::CallError;
use kinesis_function::config::ConfigError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum OpsError {
    /// Environment variables are missing or invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A call to DynamoDB for a table failed.
    #[error("table {table}: {source}")]
    Table {
        /// The table's name.
        table: String,
        /// What failed.
        source: CallError,
    },
    /// A call to Kinesis for a stream failed.
    #[error("stream {stream}: {source}")]
    Stream {
        /// The stream's name.
        stream: String,
        /// What failed.
        source: CallError,
    },
    /// The log of a user's bucket took no commit in time.
    #[error(
        "table {table}: the log of bucket {bucket} took no commit within {seconds} s, because its ring is full, the table is throttled or other writers were always faster"
    )]
    LogBusy {
        /// The table's name.
        table: String,
        /// The bucket.
        bucket: u32,
        /// How long it was tried, in seconds.
        seconds: u64,
    },
    /// An item does not have the format that the functions write.
    #[error("table {table}: {fault}")]
    Item {
        /// The table's name.
        table: String,
        /// The item's key and its fault.
        fault: String,
    },
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// What to draw is neither a file nor a user's id.
    #[error("{source_text:?} is not a file, and as a user's id {fault}")]
    NeitherFileNorUser {
        /// As given.
        source_text: String,
        /// Why it is not a user's id.
        fault: String,
    },
    /// A line of a file is not a session.
    #[error("{path}, line {number}: {fault}")]
    Line {
        /// The file's path.
        path: String,
        /// The line, from 1.
        number: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// A picture would have too many sessions.
    #[error("there are more than {limit} sessions, the limit of a picture: choose some of them")]
    TooManySessions {
        /// The limit.
        limit: usize,
    },
    /// A picture would have too many users.
    #[error("there are more than {limit} users, the limit of a picture: choose some of them")]
    TooManyUsers {
        /// The limit.
        limit: usize,
    },
    /// A session was asked for by something that is not a session's id.
    #[error("--id: {0:?} is not the id of a session, expected a user's id, _ and a number")]
    NotASessionId(String),
    /// The options of a load do not fit together.
    #[error("{0}")]
    Load(String),
    /// A redrive was requested for unknown rejection reasons.
    #[error("--reasons: unknown reason {unknown}. Valid reasons:\n  {known}")]
    UnknownReasons {
        /// The unknown reasons, each in quotes.
        unknown: String,
        /// All valid reasons.
        known: String,
    },
    /// A change needs confirmation, and there is no terminal to ask at.
    #[error(
        "{0} and needs confirmation, but standard input and standard error are not a terminal: nothing was changed"
    )]
    NoTerminal(&'static str),
    /// The operator did not confirm.
    #[error("not confirmed: nothing was changed")]
    NotConfirmed,
    /// Records are back in their stream, but their items could not be deleted.
    #[error(
        "table {table}: {records} records are back in their stream, but deleting their items failed; the next redrive would put them back again: {source}"
    )]
    Undeleted {
        /// The table's name.
        table: String,
        /// Maximum number of items that were not deleted.
        records: usize,
        /// What failed.
        source: CallError,
    },
    /// The terminal could not be read or written.
    #[error("cannot read from or write to the terminal: {0}")]
    Terminal(io::Error),
    /// A result could not be encoded as JSON.
    #[error("cannot be encoded as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
}

impl OpsError {
    /// A failed call about `table`.
    pub(crate) fn of_table(table: &str) -> impl FnOnce(CallError) -> Self {
        |source| Self::Table { table: table.to_owned(), source }
    }

    /// A failed call about `stream`.
    pub(crate) fn of_stream(stream: &str) -> impl FnOnce(CallError) -> Self {
        |source| Self::Stream { stream: stream.to_owned(), source }
    }

    /// Whether the command line caused the error.
    #[must_use]
    pub fn is_usage_error(&self) -> bool {
        matches!(
            self,
            Self::UnknownReasons { .. }
                | Self::Load(_)
                | Self::NotASessionId(_)
                | Self::NeitherFileNorUser { .. }
                | Self::NoTerminal(_)
        )
    }

    /// What to do next, unless the error itself says so.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        match self {
            Self::Config(_) => Some(format!("set them, or {CREDENTIALS}")),
            Self::Table { source, .. } => of_call(source, "dynamodb", "table"),
            Self::Stream { source, .. } => of_call(source, "kinesis", "stream"),
            Self::LogBusy { .. } => {
                Some("run the command again; see docs/operations.md, \"It has no room\"".to_owned())
            }
            Self::Undeleted { source, .. } => Some(match of_call(source, "dynamodb", "table") {
                Some(advice) => format!("{advice}; {SECOND_CLICK}"),
                None => SECOND_CLICK.to_owned(),
            }),
            Self::Item { .. } => Some(FOREIGN_ITEM.to_owned()),
            Self::NoTerminal(_) => Some(WITHOUT_A_TERMINAL.to_owned()),
            Self::UnknownReasons { .. }
            | Self::Load(_)
            | Self::NotASessionId(_)
            | Self::File { .. }
            | Self::Line { .. }
            | Self::NeitherFileNorUser { .. }
            | Self::TooManySessions { .. }
            | Self::TooManyUsers { .. }
            | Self::NotConfirmed
            | Self::Terminal(_)
            | Self::Json(_)
            | Self::Stdout(_) => None,
        }
    }
}

const SECOND_CLICK: &str = "the next redrive counts each of these records as a second click";
const FOREIGN_ITEM: &str = "something else wrote or edited this item: find out what before you change it; \
                            see docs/operations.md, \"A state that cannot be read\"";
const WITHOUT_A_TERMINAL: &str = "run the command in a terminal, or pass --yes after reading its entry in --help \
                                  (redrive and forget: --dry-run to only count)";
const CREDENTIALS: &str = "take them from `aws configure export-credentials --format env` (profiles are not read) or from \
                           the variables that `local serve` prints";

/// What an operator can do about a failed call to `service` for a `resource`. Source of the codes: API reference,
/// "Common errors".
fn of_call(error: &CallError, service: &str, resource: &str) -> Option<String> {
    let operation = error.operation();
    Some(match error.code() {
        "AccessDeniedException" => {
            let page = "docs/sessionctl.md lists each command's permissions";
            format!("allow {service}:{operation} on the {resource}; {page}")
        }
        "ExpiredTokenException"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "MissingAuthenticationTokenException"
        | "UnrecognizedClientException" => format!("the credentials are not valid here: {CREDENTIALS}"),
        "ResourceNotFoundException" => {
            let (endpoint, names) = match service {
                "dynamodb" => {
                    ("AWS_ENDPOINT_URL_DYNAMODB", "SESSIONS_TABLE, STATE_LOG_TABLE, STATE_TABLE and REJECTED_TABLE")
                }
                _ => ("AWS_ENDPOINT_URL_KINESIS", "SESSION_STREAM, CLICK_STREAM and --stream"),
            };
            format!(
                "the account, region or {resource} name may be wrong: check the credentials, AWS_REGION, {endpoint}, \
                 {names}"
            )
        }
        "NoConnection" | "TimedOut" => {
            let endpoint = service.to_uppercase();
            format!("check the network, AWS_REGION and, if set, AWS_ENDPOINT_URL_{endpoint}")
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
    fn failed_call_comes_with_advice() {
        let cases = [
            ("AccessDeniedException", "allow dynamodb:Scan on the table"),
            ("ExpiredTokenException", "the credentials are not valid here"),
            ("ResourceNotFoundException", "account, region or table name may be wrong"),
            ("ThrottlingException", "run the command again"),
        ];
        for (code, expected) in cases {
            assert!(advice(code).is_some_and(|advice| advice.contains(expected)), "{code}: {:?}", advice(code));
        }
        assert_eq!(advice("ValidationException"), None);
    }
}
