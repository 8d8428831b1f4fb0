//! What can go wrong with a local run, each with what it was about.

use std::io;
use std::path::PathBuf;

use embedded::event_source_mapping::{ConfigError as MappingConfigError, MappingError};
use embedded::{EmbeddedError, TemplateError};
use shared::call_error::CallError;

/// A local run that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The embedded services could not be started or did not take the template's resources.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// The template has a fault, or does not allow a parameter's value.
    #[error("template.yaml: {0}")]
    Template(#[from] TemplateError),
    /// The template gives a function variables that it does not accept.
    #[error("{function} in template.yaml: {source}")]
    Config {
        /// The function's logical id.
        function: &'static str,
        /// All that is wrong.
        source: shared::config::ConfigError,
    },
    /// A setting of an event source mapping is out of range.
    #[error("the event source mapping of {stream}: {source}")]
    MappingConfig {
        /// The stream.
        stream: String,
        /// The setting.
        source: MappingConfigError,
    },
    /// The variables lead to no service.
    #[error(
        "AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set: read in what `serve` exports, or take \
         `aws configure export-credentials --format env`; profiles are not read"
    )]
    NoCredentials,
    /// An event source mapping ended before its work was done.
    #[error("an event source mapping ended: {0}")]
    Mapping(#[from] MappingError),
    /// A call to an embedded service failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A file could not be read or written.
    #[error("{what} {}: {source}", .path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// An item of a table is not what the functions write there.
    #[error("table {table}: {fault}")]
    Item {
        /// The table's name.
        table: String,
        /// What is wrong with the item.
        fault: String,
    },
    /// A record of session-stream is not what the sessionizer publishes.
    #[error("a record of session-stream is no boundary: {0}")]
    NotABoundary(String),
    /// A redrive was asked for reasons that no record is rejected for.
    #[error("no such reason: {unknown}. There are: {known}")]
    UnknownReasons {
        /// The reasons asked for in vain, each in quotes.
        unknown: String,
        /// All reasons there are.
        known: String,
    },
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
    /// A value could not be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A task of this program panicked.
    #[error("a task panicked: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl LocalError {
    /// Says what was being done with which file.
    pub fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}
