//! Errors of a local run, each with its context.

use std::io;
use std::path::{Path, PathBuf};

use kinesis_function::call_error::CallError;
use local_aws::event_source_mapping::{MappingConfigError, MappingError};
use local_aws::{LocalAwsError, TemplateError};

/// Why a local run failed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The embedded services could not be started, or the template's resources could not be created.
    #[error(transparent)]
    LocalAws(#[from] LocalAwsError),
    /// The template has a fault, or does not allow a parameter's value.
    #[error("template.yaml: {0}")]
    Template(#[from] TemplateError),
    /// A function rejects the variables that the template sets.
    #[error("{function} in template.yaml: {source}")]
    Config {
        /// The function's logical id.
        function: &'static str,
        /// Every fault.
        source: kinesis_function::config::ConfigError,
    },
    /// A setting of an event source mapping is out of range.
    #[error("event source mapping of {stream}: {source}")]
    MappingConfig {
        /// The stream.
        stream: String,
        /// The setting.
        source: MappingConfigError,
    },
    /// An event source mapping stopped before its work was done.
    #[error("an event source mapping stopped: {0}")]
    Mapping(#[from] MappingError),
    /// A call to an embedded service failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Kinesis accepted a record after it had rejected an earlier one with the same partition key.
    #[error(
        "Kinesis accepted a record with the partition key {partition_key} after rejecting an earlier one: their order is lost"
    )]
    OutOfOrder {
        /// The partition key.
        partition_key: String,
    },
    /// No open shard of the stream covers a partition key's hash.
    #[error("no open shard covers the partition key {partition_key}")]
    NoShard {
        /// The partition key.
        partition_key: String,
    },
    /// The data directory cannot be used.
    #[error("--data-dir {} cannot be used", .path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: LocalAwsError,
    },
    /// A file on the command line cannot be opened.
    #[error("{option} {} cannot be opened for {purpose}: {source}", .path.display())]
    Open {
        /// The option.
        option: &'static str,
        /// Its value.
        path: PathBuf,
        /// "reading" or "writing".
        purpose: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
    /// An output is the same file as another option's, possibly under another path.
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
        /// The operating system's error.
        source: io::Error,
    },
    /// The user pressed Ctrl-C.
    #[error("interrupted: the output files of this run are either empty or unchanged")]
    Interrupted,
    /// Standard output could not be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(io::Error),
    /// The input could not be read to its end.
    #[error("{}, after line {lines_read}: reading failed: {source}", .path.display())]
    Reading {
        /// The input.
        path: PathBuf,
        /// Number of lines read before.
        lines_read: u64,
        /// The operating system's error.
        source: io::Error,
    },
    /// The input starts as gzip but is not valid gzip to its end.
    #[error("{}, after line {lines_read}: the gzip data is damaged or truncated: {source}", .path.display())]
    Gzip {
        /// The input.
        path: PathBuf,
        /// Number of lines read before.
        lines_read: u64,
        /// The decompressor's error.
        source: io::Error,
    },
    /// The live page cannot listen on a loopback port.
    #[error("the live page cannot listen on a loopback port: {0}")]
    Page(io::Error),
    /// A tap of a stream ended without an error, which only its reader can cause.
    #[error("a tap of a stream ended")]
    TapEnded,
    /// A thread could not be started, or ended without a result.
    #[error("a thread failed: {0}")]
    Thread(io::Error),
    /// A table cannot be read, or contains items that the functions did not write.
    #[error(transparent)]
    Stored(#[from] ops::error::OpsError),
    /// A record of session-stream is not a boundary.
    #[error("a record of session-stream is not a boundary: {0}")]
    NotABoundary(String),
    /// A value could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A task of this program panicked.
    #[error("a task panicked: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A function cannot process records, and redelivering them would not help.
    #[error("{function} cannot process every record: {reason}")]
    Blocked {
        /// The function's logical id.
        function: &'static str,
        /// What it gave up.
        reason: String,
    },
    /// A sweep failed or did not end in time.
    #[error("the sweep that closes all sessions failed: {reason}")]
    Sweep {
        /// What it gave up.
        reason: String,
    },
}

impl LocalError {
    /// An error of the embedded services; [`Self::DataDir`] if the data directory caused it.
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
