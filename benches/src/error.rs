//! Errors of the measurements.

use std::path::PathBuf;

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A process could not be started, called or inspected.
    #[error("{what}: {source}")]
    Process {
        /// The failed action.
        what: String,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A binary was not built.
    #[error("{} does not exist; build it first: cargo build --release -p sessionizer-fn -p sink-fn -p benches", .0.display())]
    NotBuilt(PathBuf),
    /// A child process wrote unexpected output.
    #[error("unexpected output of a child process: {0:?}")]
    Answer(String),
    /// The measured code did not finish its work, so its figures mean nothing.
    #[error("{0}")]
    Failed(String),
    /// The embedded services failed.
    #[error(transparent)]
    LocalAws(#[from] local_aws::LocalAwsError),
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] kinesis_function::config::ConfigError),
    /// The template has a fault.
    #[error(transparent)]
    Template(#[from] local_aws::TemplateError),
    /// Reading or writing JSON failed.
    #[error("cannot read or write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl BenchError {
    /// A [`BenchError::Process`] for a failed action.
    pub fn process(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Process { what, source }
    }

    /// A [`BenchError::Failed`] with the text of `error`.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}
