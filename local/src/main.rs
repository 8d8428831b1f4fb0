//! The local run's commands, and how they end.

mod cli;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use local::chaos::fault_kind::FaultKind;
use local::chaos::{self, Chaos};
use local::error::LocalError;
use local::run::{Run, run};
use local::serve::{Serve, serve};
use local::walkthrough;

use crate::cli::{ChaosArgs, Cli, Command, RunArgs, ServeArgs};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        None => walkthrough::run().await.map(|()| true),
        Some(Command::Run(args)) => run_file(args).await,
        Some(Command::Serve(args)) => serve_until_ctrl_c(args).await.map(|()| true),
        Some(Command::Chaos(args)) => run_under_faults(args).await,
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut told = error.to_string();
            eprintln!("error: {told}");
            let mut cause = error.source();
            while let Some(error) = cause {
                // Some errors tell their cause themselves.
                if !told.contains(&error.to_string()) {
                    told = error.to_string();
                    eprintln!("  because: {told}");
                }
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Says whether every record is accounted for.
async fn run_file(args: RunArgs) -> Result<bool, LocalError> {
    let options = args.pipeline.into_options();
    let RunArgs { input, sessions, boundaries, rejected, .. } = args;
    let summary = tokio::select! {
        biased; // a file that takes long to open, as a named pipe does, can be interrupted before this listens
        summary = run(Run { input, sessions, boundaries, rejected, options }) => summary?,
        () = ctrl_c() => return Err(LocalError::Interrupted),
    };
    eprintln!("{summary}");
    Ok(summary.is_everything_accounted_for())
}

async fn serve_until_ctrl_c(args: ServeArgs) -> Result<(), LocalError> {
    let options = args.pipeline.into_options();
    serve(Serve { exports: args.exports, options }, ctrl_c()).await
}

/// Resolves at Ctrl-C.
async fn ctrl_c() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("Ctrl-C cannot be waited for: {error}");
        std::future::pending().await
    }
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
    let verdict = chaos::run(Chaos { input: args.input, seed, runs: args.runs, jobs: args.jobs, kinds }).await?;
    println!("{}", verdict.tally);
    match &verdict.failure {
        None => println!("{} runs from seed {seed} on: the tables are what they must be after each.", verdict.runs),
        Some((seed, difference)) => println!("FAILED with --seed {seed} --runs 1\n{difference}"),
    }
    Ok(verdict.failure.is_none())
}
