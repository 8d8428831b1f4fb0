//! What can go wrong while the embedded services are started or their resources made.
//!
//! Owns the error type only. A fault of template.yaml has its own type, `TemplateError`.

use std::path::PathBuf;

/// The embedded services could not be started, or a resource in them could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalAwsError {
    /// No loopback port could be bound.
    #[error("cannot listen on a loopback port for {service}")]
    Listen {
        /// "Kinesis" or "DynamoDB".
        service: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data directory does not exist and cannot be made.
    #[error("cannot make the data directory {}", data_dir.display())]
    DataDir {
        /// The directory that was asked for.
        data_dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database of the DynamoDB emulator cannot be opened.
    #[error("cannot open the DynamoDB database in {place}: {reason}")]
    OpenDatabase {
        /// The database's file, or "memory".
        place: String,
        /// What the emulator said.
        reason: String,
    },
    /// No client can be configured.
    #[error(transparent)]
    Clients(#[from] kinesis_function::config::ConfigError),
    /// A call that makes or looks at a resource failed.
    #[error("{operation} of {resource} failed")]
    Call {
        /// The API's name of the call.
        operation: &'static str,
        /// The stream or table.
        resource: String,
        /// What the service said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream or table has been made but does not become ACTIVE.
    #[error("{resource} was not ACTIVE after {seconds} s")]
    NotActive {
        /// The stream or table.
        resource: String,
        /// How long it was waited for, in seconds.
        seconds: u64,
    },
    /// The data directory holds a table of this name with another key or other indexes.
    #[error(
        "table {table} in the data directory has other keys than the template gives it \
         (has {found}; template: {wanted})"
    )]
    OtherKeys {
        /// The table's name.
        table: String,
        /// Key and indexes of the table that is there.
        found: String,
        /// Key and indexes in the template.
        wanted: String,
    },
}
