//! The command line of the local run: its commands and their options.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use local::chaos::fault_kind::FaultKind;
use local::pipeline::Options;
use local::run::parameters;
use local_aws::event_source_mapping::limits::{MAX_BATCH_RECORDS, MAX_PARALLELIZATION_FACTOR};
use shared::limits::MAX_SESSION_GAP_SECONDS;

const EXIT_STATUS: &str = "\
Exit status:
  0  all went well; of `run`: every record is accounted for
  1  something failed; of `run`: or a record has no outcome; of `chaos`: or a table was wrong
  2  the command line has an unknown option or a value outside its limits";

/// Clicks become sessions: both Lambda functions between embedded streams and tables, in one process.
///
/// It never reaches an AWS account. Without a command: the walkthrough, a few minutes of made-up clicks in a few seconds.
#[derive(Debug, Parser)]
#[command(name = "local", version, after_help = EXIT_STATUS)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sessionizes a file and writes the sessions table.
    #[command(after_help = EXIT_STATUS)]
    Run(RunArgs),
    /// Keeps the pipeline up for the AWS CLI and cargo-lambda, until Ctrl-C.
    Serve(ServeArgs),
    /// Runs streams under faults and compares the tables with what they must hold.
    Chaos(ChaosArgs),
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Clicks as NDJSON, plain or gzip: each line that holds more than white space is one record; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where to write the sessions table as NDJSON, sorted by session_id; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) sessions: Option<PathBuf>,
    /// Where to write every boundary as it is published; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) boundaries: Option<PathBuf>,
    /// Where to write the rejected records as NDJSON, in the order of their lines; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) rejected: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
}

/// What may differ from template.yaml.
#[derive(Debug, Args)]
pub(crate) struct PipelineArgs {
    /// Inactivity that ends a session, 1 to 86400 seconds [default: that of template.yaml, 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MAX_SESSION_GAP_SECONDS))]
    gap_seconds: Option<u64>,
    /// Whether a user's first session is published [default: that of template.yaml, emit].
    #[arg(long)]
    first_session: Option<FirstSession>,
    /// Shards of each stream, 1 to 64 [default: 4, as an on-demand stream begins].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: Option<u32>,
    /// Most clicks in one batch, 1 to 10000 [default: that of template.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_BATCH_RECORDS as i64))]
    batch_size: Option<u32>,
    /// Batches of one shard at once, 1 to 10 [default: that of template.yaml, 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_PARALLELIZATION_FACTOR as i64))]
    parallelization: Option<u32>,
    /// A folder to keep the tables in, so that a later run goes on where this one ends; in memory without it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ChaosArgs {
    /// Clicks as NDJSON, in place of random streams.
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// The first run's seed; each further run has the next one. At random without it.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many runs, 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(crate) runs: u64,
    /// How many at the same time, 1 to 256. A run mostly waits, so many more than there are processors go side by side.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub(crate) jobs: usize,
    /// The faults to inject, separated by commas; all of them without it.
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
    /// Where to write the exports that lead to the embedded services, for a shell to read in; shown in any case.
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
        Options {
            parameters: parameters(self.gap_seconds, first_session, self.parallelization),
            shards: self.shards,
            batch_size: self.batch_size,
            data_dir: self.data_dir,
        }
    }
}
