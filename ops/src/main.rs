//! `sessionctl`: runs its commands and maps their outcome to an exit status.

mod cli;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_types::SdkConfig;
use clap::Parser;
use indicatif::ProgressBar;
use ops::config::Config;
use ops::confirmation::confirm;
use ops::error::OpsError;
use ops::redrive::{Mode, Plan, Reasons, Redriven};
use ops::tables::{self, Tables};
use ops::target::{Service, Target};
use ops::text_table::escaped;

use crate::cli::{Cli, Command, RedriveArgs, TablesArgs};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Tables(args) => show_tables(args).await.map(|()| ExitCode::SUCCESS),
        Command::Redrive(args) => redrive(args).await,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        if let Some(advice) = error.advice() {
            eprintln!("hint: {advice}");
        }
        if error.is_usage_error() { ExitCode::from(2) } else { ExitCode::FAILURE }
    })
}

async fn show_tables(args: TablesArgs) -> Result<(), OpsError> {
    let config = Config::from_variables(std::env::vars())?;
    let dynamodb = retrying(&config.sdk);
    let names = &config.tables;
    let names = [names.sessions.as_str(), &names.state_log, &names.states, &names.rejected];
    let target = Target::of(&config.sdk, &dynamodb, &[Service::DynamoDb], names).await?;
    eprintln!("{target}\n");
    let [sessions, state_log, states, rejected] = &target.tables;
    let width = console::Term::stdout().size_checked().map(|(_, columns)| columns);
    let tables = Tables { sessions, state_log, states, rejected, limit: args.limit, width };
    print(&tables::shown(&dynamodb, &tables).await?)?;
    Ok(())
}

async fn redrive(args: RedriveArgs) -> Result<ExitCode, OpsError> {
    let reasons = Reasons::new(args.reasons)?;
    let mode = if args.dry_run { Mode::DryRun } else { Mode::ForReal };
    let must_ask = mode == Mode::ForReal && !args.yes;
    if must_ask && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(OpsError::NoTerminal);
    }
    let Config { sdk, tables } = Config::from_variables(std::env::vars())?;
    let services = [Service::DynamoDb, Service::Kinesis];
    let target = Target::of(&sdk, &retrying(&sdk), &services, [tables.rejected.as_str()]).await?;
    eprintln!("{target}");

    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let plan = Plan::list(&dynamodb, &tables.rejected, &reasons).await?;
    if !plan.is_empty() {
        eprintln!("records to put back: {plan}");
        if must_ask {
            let question = format!("Put them back in account {}, region {}?", escaped(&target.account), target.region);
            confirm(&question, io::stdin().lock(), io::stderr())?;
        }
    }
    carry_out(plan, &aws_sdk_kinesis::Client::new(&sdk), mode).await
}

/// Shows the progress of `plan` and then its result, even if it failed partway.
async fn carry_out(plan: Plan<'_>, kinesis: &aws_sdk_kinesis::Client, mode: Mode) -> Result<ExitCode, OpsError> {
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let mut so_far = Redriven::default();
    let outcome = plan
        .carry_out(kinesis, mode, |done| {
            so_far.clone_from(done);
            bar.set_message(format!("{} records put back", done.put.values().sum::<u64>()));
        })
        .await;
    bar.finish_and_clear();
    let done = outcome.as_ref().unwrap_or(&so_far);
    if outcome.is_ok() || so_far != Redriven::default() {
        let prefix = if mode == Mode::DryRun { "Dry run: nothing was changed. Without --dry-run:\n" } else { "" };
        print(&format!("{prefix}{done}\n"))?;
    }
    let redriven = outcome?;
    if !redriven.left.is_empty() {
        eprintln!(
            "hint: fix the errors above, then run the same command again: the remaining records are in the table"
        );
    }
    if !redriven.unanswered.is_empty() {
        eprintln!(
            "what now: look for the records without an answer in their stream before running the command again: it \
             would put those that are there a second time"
        );
    }
    let is_complete = redriven.is_complete();
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A client with the SDK's retries, for calls that this crate does not retry itself.
fn retrying(sdk: &SdkConfig) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&kinesis_function::aws::with_sdk_retries(sdk))
}

/// Unlike `print!`, does not panic on a closed pipe.
fn print(text: &str) -> Result<(), OpsError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(OpsError::Stdout)
}
