//! What can go wrong with a local run, each with what it was about.

use std::io;
use std::path::{Path, PathBuf};

use kinesis_function::call_error::CallError;
use local_aws::event_source_mapping::{MappingConfigError, MappingError};
use local_aws::{LocalAwsError, TemplateError};

/// A local run that could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The embedded services could not be started or did not take the template's resources.
    #[error(transparent)]
    LocalAws(#[from] LocalAwsError),
    /// The template has a fault, or does not allow a parameter's value.
    #[error("template.yaml: {0}")]
    Template(#[from] TemplateError),
    /// The template gives a function variables that it does not accept.
    #[error("{function} in template.yaml: {source}")]
    Config {
        /// The function's logical id.
        function: &'static str,
        /// All that is wrong.
        source: kinesis_function::config::ConfigError,
    },
    /// A setting of an event source mapping is out of range.
    #[error("the event source mapping of {stream}: {source}")]
    MappingConfig {
        /// The stream.
        stream: String,
        /// The setting.
        source: MappingConfigError,
    },
    /// An event source mapping ended before its work was done.
    #[error("an event source mapping ended: {0}")]
    Mapping(#[from] MappingError),
    /// A call to an embedded service failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Kinesis took a later record of a partition key and refused an earlier one: the key's order is lost.
    #[error("Kinesis took a record of {partition_key} after refusing an earlier one")]
    OutOfOrder {
        /// The partition key.
        partition_key: String,
    },
    /// No open shard of the stream covers a partition key's hash.
    #[error("no open shard takes the partition key {partition_key}")]
    NoShard {
        /// The partition key.
        partition_key: String,
    },
    /// The data directory cannot be used.
    #[error("--data-dir {} cannot be used", .path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        source: LocalAwsError,
    },
    /// A file that the command line names cannot be opened.
    #[error("{option} {} cannot be opened for {purpose}: {source}", .path.display())]
    Open {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
        /// "reading" or "writing".
        purpose: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// An output is a file that another option names, perhaps by another path.
    #[error("{option} {} is also given as {other}: they must be different files", .path.display())]
    SameFile {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
        /// The option that names the same file.
        other: &'static str,
    },
    /// An output could not be written.
    #[error("{option} {} cannot be written: {source}", .path.display())]
    Writing {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The person at the terminal has ended it.
    #[error("interrupted: the output files of this run are empty or as they were before")]
    Interrupted,
    /// Standard output could not be written.
    #[error("standard output cannot be written: {0}")]
    Stdout(io::Error),
    /// The input could not be read to its end.
    #[error("{}, after line {lines_read}: reading it failed: {source}", .path.display())]
    Reading {
        /// The input.
        path: PathBuf,
        /// How many lines were read before.
        lines_read: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The input begins as gzip and does not go on or end as such.
    #[error("{}, after line {lines_read}: the gzip data are damaged or cut off: {source}", .path.display())]
    Gzip {
        /// The input.
        path: PathBuf,
        /// How many lines were read before.
        lines_read: u64,
        /// What the decompression said.
        source: io::Error,
    },
    /// A thread could not be started, or has ended without a result.
    #[error("a thread failed: {0}")]
    Thread(io::Error),
    /// A table cannot be read, or holds what the functions do not write.
    #[error(transparent)]
    Stored(#[from] ops::error::OpsError),
    /// A record of session-stream is not what the sessionizer publishes.
    #[error("a record of session-stream is no boundary: {0}")]
    NotABoundary(String),
    /// A value could not be written as JSON.
    #[error("writing JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A task of this program panicked.
    #[error("a task panicked: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl LocalError {
    /// The embedded services' error: the data directory's, if it is about that.
    pub(crate) fn of_embedded(source: LocalAwsError, data_dir: Option<&Path>) -> Self {
        let is_about_data = matches!(
            source,
            LocalAwsError::DataDir { .. } | LocalAwsError::OpenDatabase { .. } | LocalAwsError::OtherKeys { .. }
        );
        match data_dir.filter(|_| is_about_data) {
            Some(path) => Self::DataDir { path: path.to_owned(), source },
            None => Self::LocalAws(source),
        }
    }
}
