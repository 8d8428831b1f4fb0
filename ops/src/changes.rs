//! The commands that change tables and streams.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use ops::config::Config;
use ops::confirmation::confirm;
use ops::error::OpsError;
use ops::forget::{Forget, SETTLING, remains};
use ops::redrive::{Mode, Plan, Reasons, Redriven};
use ops::state_logs::StateLogs;
use ops::target::{Service, Target};
use ops::text_table::escaped;
use ops::time_text::now_ms;
use serde_json::json;

use crate::cli::{ForgetArgs, RedriveArgs};
use crate::{Out, dynamodb, kinesis, spinner};

pub(crate) async fn forget(args: &ForgetArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let ForgetArgs { user, by_partition_key, dry_run, yes } = args;
    let must_ask = must_ask(*dry_run, *yes, "forget removes what is stored of a user")?;
    let Config { sdk, tables, streams, click_format } = Config::from_variables(std::env::vars())?;
    let (dynamodb, kinesis) = (dynamodb(&sdk), kinesis(&sdk));
    let names = [tables.sessions.as_str(), &tables.state_log, &tables.states, &tables.rejected];
    let services = [Service::DynamoDb, Service::Kinesis];
    let target = Target::of(&sdk, &dynamodb, &services, names).await?;
    let target = target.with_streams(&kinesis, &[&streams.boundaries, &streams.clicks]).await?;
    eprintln!("{target}");

    let stream_hours = target.streams.first().map_or(0, |stream| stream.retention_hours);
    let forget = Forget {
        dynamodb: &dynamodb,
        tables: &tables,
        user_id: user,
        format: &click_format,
        by_partition_key: *by_partition_key,
        stream_hours,
        settling: SETTLING,
    };
    let bar = spinner();
    let found = forget.find(|what| bar.set_message(what)).await;
    bar.finish_and_clear();
    let found = found?;
    let name = escaped(user.as_str());
    eprintln!("found of user {name}: {found}");
    if found.rejected.perhaps > 0 {
        eprintln!(
            "rejected records without a readable user id whose partition key is {name}: {}; --by-partition-key takes \
             them, too",
            found.rejected.perhaps
        );
    }
    output.object(&json!({ "found": found.json() }))?;
    if *dry_run {
        output.text("Dry run: nothing was changed.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    if must_ask && !found.is_empty() {
        let question = format!("Remove it in account {}, region {}?", escaped(&target.account), target.region);
        confirm(&question, io::stdin().lock(), io::stderr())?;
    }
    let bar = spinner();
    let removed = forget
        .carry_out(&found, now_ms, |so_far, what| {
            let (sessions, rejected) = (so_far.sessions, so_far.rejected);
            bar.set_message(format!("{what}; {sessions} sessions and {rejected} rejected records removed"));
        })
        .await;
    bar.finish_and_clear();
    let removed = removed?;
    output.text(&format!("removed:\n{removed}\nremains:\n"))?;
    output.object(&json!({ "removed": removed.json() }))?;
    let slots = StateLogs::open(&dynamodb, &tables.state_log).await?.map(|logs| logs.slots());
    for remains in remains(&forget, &found, &removed, slots, &target.streams, now_ms()) {
        output.text(&format!("  {remains}\n"))?;
        output.object(&json!({ "remains": remains.json() }))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn redrive(args: RedriveArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let reasons = Reasons::new(args.reasons)?;
    let mode = if args.dry_run { Mode::DryRun } else { Mode::ForReal };
    let must_ask = must_ask(args.dry_run, args.yes, "redrive changes tables and streams")?;
    let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
    let services = [Service::DynamoDb, Service::Kinesis];
    let target = Target::of(&sdk, &dynamodb(&sdk), &services, [tables.rejected.as_str()]).await?;
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
    carry_out(plan, &aws_sdk_kinesis::Client::new(&sdk), mode, output).await
}

/// Whether to ask for confirmation of what a command `does`.
pub(crate) fn must_ask(dry_run: bool, yes: bool, does: &'static str) -> Result<bool, OpsError> {
    let must_ask = !dry_run && !yes;
    if must_ask && !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(OpsError::NoTerminal(does));
    }
    Ok(must_ask)
}

/// Shows the progress of `plan` and then its result, even if it failed partway.
async fn carry_out(
    plan: Plan<'_>,
    kinesis: &aws_sdk_kinesis::Client,
    mode: Mode,
    output: &mut Out,
) -> Result<ExitCode, OpsError> {
    let bar = spinner();
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
        output.text(&format!("{prefix}{done}\n"))?;
        output.object(&done.json(mode == Mode::DryRun))?;
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
