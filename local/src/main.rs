//! `local`: runs its commands and maps their outcome to an exit status.

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
            let mut printed = error.to_string();
            eprintln!("error: {printed}");
            let mut cause = error.source();
            while let Some(error) = cause {
                // Some messages already contain their cause.
                if !printed.contains(&error.to_string()) {
                    printed = error.to_string();
                    eprintln!("  because: {printed}");
                }
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every record is accounted for.
async fn run_file(args: RunArgs) -> Result<bool, LocalError> {
    let options = args.pipeline.into_options();
    let RunArgs { input, sessions, boundaries, rejected, close, .. } = args;
    let summary = tokio::select! {
        biased; // `run` first: while it blocks on opening a named pipe, Ctrl-C still has its default effect
        summary = run(Run { input, sessions, boundaries, rejected, close, options }) => summary?,
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
        eprintln!("cannot listen for Ctrl-C: {error}");
        std::future::pending().await
    }
}

/// Returns whether the tables were correct after every run.
async fn run_under_faults(args: ChaosArgs) -> Result<bool, LocalError> {
    // Short enough to retype.
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    let kinds = if args.faults.is_empty() || args.faults.contains(&FaultKind::All) {
        FaultKind::EACH.to_vec()
    } else {
        args.faults
    };
    let verdict = chaos::run(Chaos { input: args.input, seed, runs: args.runs, jobs: args.jobs, kinds }).await?;
    println!("{}", verdict.tally);
    match &verdict.failure {
        None => println!("{} runs, starting at seed {seed}: the tables were correct after each.", verdict.runs),
        Some((seed, difference)) => println!("FAILED. To repeat this run: --seed {seed} --runs 1\n{difference}"),
    }
    Ok(verdict.failure.is_none())
}
