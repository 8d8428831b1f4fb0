//! What can keep a measurement from being made.

use std::path::PathBuf;

/// A measurement that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// A process could not be started, spoken to, or looked at.
    #[error("{what}")]
    Process {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that should have been built before.
    #[error("{} is not there; build it first: cargo build --release -p sessionizer-fn -p sink-fn -p benches", .0.display())]
    NotBuilt(PathBuf),
    /// A child process said something else than it should.
    #[error("unexpected answer of a child process: {0:?}")]
    Answer(String),
    /// What was measured did not do its work, so its figures mean nothing.
    #[error("{0}")]
    Failed(String),
    /// The embedded services.
    #[error(transparent)]
    LocalAws(#[from] local_aws::LocalAwsError),
    /// The variables that lead to the services.
    #[error(transparent)]
    Config(#[from] kinesis_function::config::ConfigError),
    /// The template.
    #[error(transparent)]
    Template(#[from] local_aws::TemplateError),
    /// JSON.
    #[error("JSON")]
    Json(#[from] serde_json::Error),
}

impl BenchError {
    /// Makes a [`BenchError::Process`] of what the system said.
    pub fn process(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        |source| Self::Process { what, source }
    }

    /// A [`BenchError::Failed`] for whatever can be shown.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}
