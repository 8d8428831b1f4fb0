//! The command line of `local`: its commands and their options.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use local::chaos::fault_kind::FaultKind;
use local::pipeline::Options;
use local::run;
use local::sources::Source;
use local_aws::event_source_mapping::limits::MAX_BATCH_RECORDS;
use shared::limits::MAX_SESSION_GAP_SECONDS;

const EXIT_STATUS: &str = "\
Exit status:
  0  the command succeeded and, for `run`, every record is accounted for
  1  the command failed, `run` could not account for a record, or `chaos` found a wrong table
  2  the command line has an unknown option or an invalid value";

/// Sessionizes clicks locally: both Lambda functions, with embedded streams and tables, in one process.
///
/// It never calls an AWS account. Without a command, it runs a demo: a few minutes of generated clicks in half a
/// minute.
#[derive(Debug, Parser)]
#[command(name = "local", version, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sessionizes a file and writes the resulting sessions.
    #[command(after_help = EXIT_STATUS)]
    Run(RunArgs),
    /// Runs the pipeline for a page in the browser, the AWS CLI and cargo-lambda until Ctrl-C.
    Serve(ServeArgs),
    /// Runs streams while injecting faults and compares the tables with the expected ones.
    Chaos(ChaosArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Clicks as NDJSON, plain or gzip; each non-blank line is one record. `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Write the sessions table here as NDJSON, sorted by session_id. `-` writes to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) sessions: Option<PathBuf>,
    /// Write every boundary here as it is published. `-` writes to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) boundaries: Option<PathBuf>,
    /// Write the rejected records here as NDJSON, in input order. `-` writes to standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    /// Close all sessions at the end, as if the users stayed inactive [default: the last one of each stays open].
    #[arg(long)]
    pub(crate) close: bool,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

/// Settings that override template.yaml.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// Whose events the clicks are: sets the parameters listed in docs/sources.md [default: walkthrough].
    #[arg(long, value_name = "NAME")]
    source: Option<Source>,
    /// A parameter of template.yaml; repeatable. Overrides those of --source.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Inactivity that ends a session, 1 to 86400 seconds [default: 10, as in template.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_SESSION_GAP_SECONDS))]
    gap_seconds: Option<u64>,
    /// Whether a user's first session is published [default: emit, as in template.yaml].
    #[arg(long)]
    first_session: Option<FirstSession>,
    /// What sessions carry besides, such as "entry = first(/page)"; see docs/columns.md [default: nothing].
    #[arg(long, value_name = "DECLARATION")]
    columns: Option<String>,
    /// Shards of each stream, 1 to 64 [default: 4, like a new on-demand stream].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: Option<u32>,
    /// Maximum clicks per batch, 1 to 10000 [default: as in template.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH_RECORDS as i64))]
    batch_size: Option<u32>,
    /// Folder to store the tables in, so that a later run continues where this one ends [default: in memory].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Clicks as NDJSON, instead of random streams.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Seed of the first run; each further run uses the next number [default: random].
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Number of runs, 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) runs: u64,
    /// Concurrent runs, 1 to 256. Runs mostly wait, so this can be much larger than the number of processors.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) jobs: usize,
    /// Faults to inject, separated by commas [default: all].
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    pub(crate) faults: Vec<FaultKind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FirstSession {
    Emit,
    Skip,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Also write the printed `export` lines, which point clients to the embedded services, to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) exports: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

impl PipelineArgs {
    pub(crate) fn into_options(self) -> Options {
        let first_session = self.first_session.map(|choice| match choice {
            FirstSession::Emit => "emit",
            FirstSession::Skip => "skip",
        });
        let of_source = self.source.map(Source::parameters).unwrap_or_default();
        let mut parameters: BTreeMap<_, _> =
            of_source.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parameters.extend(self.parameters);
        parameters.extend(run::parameters(self.gap_seconds, first_session, self.columns));
        Options {
            parameters,
            shards: self.shards,
            batch_size: self.batch_size,
            data_dir: self.data_dir,
            ..Options::default()
        }
    }
}

/// A parameter and its value. The template knows which names and values there are.
fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
