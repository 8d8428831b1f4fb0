//! `sessionctl`: runs its commands and maps their outcome to an exit status.

mod changes;
mod cli;
mod load;
mod reads;

use std::io::{self, Stdout};
use std::process::ExitCode;
use std::time::Duration;

use aws_types::SdkConfig;
use clap::Parser;
use indicatif::ProgressBar;
use ops::output::{Format, Output};

use crate::cli::{Cli, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, json } = Cli::parse();
    let mut output = Output::new(io::stdout(), if json { Format::Json } else { Format::Text });
    let outcome = match command {
        Command::Sessions(args) => reads::sessions(args, &mut output).await,
        Command::Active(args) => reads::active(&args, &mut output).await,
        Command::Watch(args) => reads::watch(args, &mut output).await,
        Command::State(args) => reads::state(args, &mut output).await,
        Command::Timeline(args) => reads::timeline(args, &mut output).await,
        Command::Tables(args) => reads::tables(&args, &mut output).await,
        Command::Forget(args) => changes::forget(&args, &mut output).await,
        Command::Redrive(args) => changes::redrive(args, &mut output).await,
        Command::Produce(args) => load::produce(args, &mut output).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        if let Some(advice) = error.advice() {
            eprintln!("hint: {advice}");
        }
        if error.is_usage_error() { ExitCode::from(2) } else { ExitCode::FAILURE }
    })
}

/// The program's output.
type Out = Output<Stdout>;

/// The terminal's width in columns, if standard output is one.
fn width() -> Option<u16> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns)
}

/// Progress on standard error, if that is a terminal.
fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Resolves when Ctrl-C is pressed for the first time from now on.
async fn ctrl_c() {
    // Without a handler, which needs no more than memory, Ctrl-C ends the program as usual.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// A client of DynamoDB with the SDK's retries, for calls that the library does not retry itself.
fn dynamodb(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&kinesis_function::aws::with_sdk_retries(sdk))
}

/// A client of Kinesis, likewise.
fn kinesis(sdk: &SdkConfig) -> aws_sdk_kinesis::Client {
    aws_sdk_kinesis::Client::new(&kinesis_function::aws::with_sdk_retries(sdk))
}
