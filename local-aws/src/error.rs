//! Errors while starting the embedded services or creating their resources.
//!
//! Faults in template.yaml have their own type, `TemplateError`.

use std::path::PathBuf;

/// Why the embedded services could not be started, or a resource could not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalAwsError {
    /// No loopback port could be bound.
    #[error("cannot listen on a loopback port for {service}")]
    Listen {
        /// "Kinesis" or "DynamoDB".
        service: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The data directory does not exist and cannot be created.
    #[error("cannot create the data directory {}", data_dir.display())]
    DataDir {
        /// The requested directory.
        data_dir: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The database of the DynamoDB emulator cannot be opened.
    #[error("cannot open the DynamoDB database in {place}: {reason}")]
    OpenDatabase {
        /// The database's file, or "memory".
        place: String,
        /// The emulator's error.
        reason: String,
    },
    /// No client can be configured.
    #[error(transparent)]
    Clients(#[from] kinesis_function::config::ConfigError),
    /// A call that creates or describes a resource failed.
    #[error("{operation} of {resource} failed")]
    Call {
        /// The API's name of the call.
        operation: &'static str,
        /// The stream or table.
        resource: String,
        /// The service's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A stream or table was created but did not become ACTIVE.
    #[error("{resource} was not ACTIVE after {seconds} s")]
    NotActive {
        /// The stream or table.
        resource: String,
        /// How long it was given, in seconds.
        seconds: u64,
    },
    /// The data directory contains a table of this name with a different key.
    #[error(
        "table {table} in the data directory has different keys than in the template \
         (found: {found}; template: {wanted})"
    )]
    OtherKeys {
        /// The table's name.
        table: String,
        /// Key of the existing table.
        found: String,
        /// Key in the template.
        wanted: String,
    },
}
