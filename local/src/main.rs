//! The command line of the local run.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use local::chaos::fault_kind::FaultKind;
use local::chaos::{self, Chaos};
use local::error::LocalError;
use local::pipeline::Options;
use local::run::{Run, parameters, run};
use local::walkthrough;

/// Clicks become sessions: both Lambda functions between embedded streams and tables, in one process.
///
/// Without a command: the walkthrough, a few minutes of made-up clicks in a few seconds.
#[derive(Debug, Parser)]
#[command(name = "local", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sessionizes a file and writes the sessions table.
    Run(RunArgs),
    /// Runs streams under faults and compares the tables with what they must hold.
    Chaos(ChaosArgs),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Clicks as NDJSON: each non-empty line is one record; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where to write the sessions table as NDJSON, sorted by session_id; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    sessions: Option<PathBuf>,
    /// Where to write every boundary that was published; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    boundaries: Option<PathBuf>,
    /// Where to write the rejected records; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Inactivity that ends a session, 1 to 86400 seconds [default: that of template.yaml, 10].
    #[arg(long, value_name = "N")]
    gap_seconds: Option<u64>,
    /// Whether a user's first session is published [default: that of template.yaml, emit].
    #[arg(long)]
    first_session: Option<FirstSession>,
    /// Shards of each stream, 1 to 64 [default: 4, as an on-demand stream begins].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    shards: Option<u32>,
    /// Most clicks in one batch, 1 to 10000 [default: that of template.yaml].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch_size: Option<u32>,
    /// Batches of one shard at once, 1 to 10 [default: that of template.yaml, 1].
    #[arg(long, value_name = "N")]
    parallelization: Option<u32>,
    /// A folder to keep the tables in, so that a later run goes on where this one ends; in memory without it.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ChaosArgs {
    /// Clicks as NDJSON, in place of random streams.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// The first run's seed; each further run has the next one. At random without it.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many runs.
    #[arg(long, value_name = "N", default_value_t = 20)]
    runs: u64,
    /// The faults to inject, separated by commas; all of them without it.
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    faults: Vec<FaultKind>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FirstSession {
    Emit,
    Skip,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        None => walkthrough::run().await.map(|()| true),
        Some(Command::Run(args)) => run_file(args).await,
        Some(Command::Chaos(args)) => run_under_faults(args).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Says whether every record is accounted for.
async fn run_file(args: RunArgs) -> Result<bool, LocalError> {
    let first_session = args.first_session.map(|choice| match choice {
        FirstSession::Emit => "emit",
        FirstSession::Skip => "skip",
    });
    let summary = run(Run {
        input: args.input,
        sessions: args.sessions,
        boundaries: args.boundaries,
        rejected: args.rejected,
        options: Options {
            parameters: parameters(args.gap_seconds, first_session, args.parallelization),
            shards: args.shards,
            batch_size: args.batch_size,
            data_dir: args.data_dir,
        },
    })
    .await?;
    eprintln!("{summary}");
    Ok(summary.is_everything_accounted_for())
}

/// Says whether the tables were right every time.
async fn run_under_faults(args: ChaosArgs) -> Result<bool, LocalError> {
    // Short enough to be typed in again.
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let kinds = if args.faults.is_empty() || args.faults.contains(&FaultKind::All) {
        FaultKind::EACH.to_vec()
    } else {
        args.faults
    };
    let verdict = chaos::run(Chaos { input: args.input, seed, runs: args.runs, kinds }).await?;
    println!("{}", verdict.tally);
    match &verdict.failure {
        None => println!("{} runs from seed {seed} on: the tables are what they must be after each.", verdict.runs),
        Some((seed, difference)) => println!("FAILED with --seed {seed} --runs 1\n{difference}"),
    }
    Ok(verdict.failure.is_none())
}
