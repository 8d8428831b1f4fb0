//! Whole files through the whole pipeline, compared with sessions computed by sorting them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod closed;
mod outputs;
mod streams;
mod visits;

use std::fs;
use std::path::{Path, PathBuf};

use local::pipeline::Options;
use local::run::{Run, run};
use local::summary::Summary;
use tempfile::TempDir;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

/// How a stream is cut.
#[derive(Clone, Copy)]
struct Shape {
    shards: u32,
    batch_size: u32,
}

/// A file that goes through the pipeline, and the tables that it continues.
struct Input {
    clicks: PathBuf,
    shape: Shape,
    /// Template parameters.
    parameters: &'static [(&'static str, &'static str)],
    data_dir: Option<PathBuf>,
    close: bool,
}

impl Input {
    fn new(clicks: PathBuf, shape: Shape) -> Self {
        Self { clicks, shape, parameters: &[], data_dir: None, close: false }
    }

    /// Runs it and returns the sessions table as text.
    async fn sessions(self) -> (String, Summary) {
        let folder = TempDir::new().unwrap();
        let output = folder.path().join("sessions.ndjson");
        let options = Options {
            parameters: self.parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            shards: Some(self.shape.shards),
            batch_size: Some(self.shape.batch_size),
            data_dir: self.data_dir,
            ..Options::default()
        };
        let (input, close) = (self.clicks, self.close);
        let run = run(Run { input, sessions: Some(output.clone()), close, options, ..Run::default() });
        let summary = run.await.unwrap();
        assert!(summary.is_everything_accounted_for(), "{summary}");
        (fs::read_to_string(output).unwrap(), summary)
    }
}

/// The first difference, so that a failure does not print whole files.
fn assert_same(actual: &str, expected: &str) {
    for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "line {}", line + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "number of sessions");
    assert!(actual == expected, "the line ends differ");
}
