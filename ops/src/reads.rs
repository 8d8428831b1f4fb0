//! The commands that change nothing.

use std::path::Path;
use std::process::ExitCode;

use ops::active;
use ops::config::{Config, Timing};
use ops::error::OpsError;
use ops::state_logs::StateLogs;
use ops::tables::Tables;
use ops::target::{Service, Target};
use ops::text_table::escaped;
use ops::timeline::Timeline;
use ops::user_sessions::{self, Asked};
use ops::user_state::UserState;
use ops::users::StateTables;
use ops::watch::Watch;
use serde_json::json;

use crate::cli::{ActiveArgs, SessionsArgs, StateArgs, TablesArgs, TimelineArgs, WatchArgs, user_id};
use crate::{Out, ctrl_c, dynamodb, kinesis, spinner, width};

pub(crate) async fn sessions(args: SessionsArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let SessionsArgs { user, id, since } = args;
    let asked = if id { Asked::session(user.as_str())? } else { Asked::UserOrSession(user.clone()) };
    let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
    let dynamodb = dynamodb(&sdk);
    let target = Target::of(&sdk, &dynamodb, &[Service::DynamoDb], [tables.sessions.as_str()]).await?;
    eprintln!("{target}\n");
    let shown = user_sessions::show(&dynamodb, &tables.sessions, &asked, since, width(), output).await?;
    if shown == 0 {
        let since = since.map(|since| format!(" from {} UTC on", since.to_utc_text())).unwrap_or_default();
        eprintln!("no sessions of {}{since}", escaped(user.as_str()));
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn timeline(args: TimelineArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let TimelineArgs { source, output: path } = args;
    let timeline = if Path::new(&source).is_file() {
        Timeline::of_file(Path::new(&source))?
    } else {
        let user =
            user_id(&source).map_err(|fault| OpsError::NeitherFileNorUser { source_text: source.clone(), fault })?;
        let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
        let dynamodb = dynamodb(&sdk);
        let target = Target::of(&sdk, &dynamodb, &[Service::DynamoDb], [tables.sessions.as_str()]).await?;
        eprintln!("{target}\n");
        Timeline::of_user(&dynamodb, &tables.sessions, &user).await?
    };
    if timeline.is_empty() {
        eprintln!("no sessions of {}: no picture was written", escaped(&source));
        return Ok(ExitCode::SUCCESS);
    }
    let unwritable = |source| OpsError::File { path: path.display().to_string(), source };
    std::fs::write(&path, timeline.svg()).map_err(unwritable)?;
    output.text(&format!("{}\n", path.display()))?;
    output.object(&json!({ "picture": path.display().to_string() }))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn active(args: &ActiveArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
    let dynamodb = dynamodb(&sdk);
    let target = Target::of(&sdk, &dynamodb, &[Service::DynamoDb], [tables.state_log.as_str()]).await?;
    eprintln!("{target}\n");
    let Some(logs) = StateLogs::open(&dynamodb, &tables.state_log).await? else {
        eprintln!("nobody: nothing was ever committed to the state log");
        return Ok(ExitCode::SUCCESS);
    };
    let bar = spinner();
    let buckets = logs.buckets().end;
    let on_bucket = |bucket| bar.set_message(format!("reading the log of bucket {} of {buckets}", bucket + 1));
    let active = active::show(&logs, args.min_clicks, output, on_bucket).await;
    bar.finish_and_clear();
    let active::Active { users, shown } = active?;
    let (min_clicks, clicks) = (args.min_clicks, if args.min_clicks == 1 { "click" } else { "clicks" });
    eprintln!("users with a session under way: {users}; with at least {min_clicks} {clicks}: {shown}");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn watch(args: WatchArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let Config { sdk, streams, .. } = Config::from_variables(std::env::vars())?;
    let kinesis = kinesis(&sdk);
    let stream = streams.boundaries.as_str();
    let target = Target::of(&sdk, &dynamodb(&sdk), &[Service::Kinesis], []).await?;
    eprintln!("{}", target.with_streams(&kinesis, &[stream]).await?);
    let watch = Watch::start(&kinesis, stream, args.user).await?;
    eprintln!("shards read from now on: {}; press Ctrl-C to stop\n", watch.shards());
    let watched = watch.show(output, ctrl_c()).await?;
    eprintln!("\nboundaries: {}, corrections among them: {}", watched.boundaries, watched.corrections);
    if watched.unreadable > 0 {
        eprintln!("records that are not boundaries: {}", watched.unreadable);
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn state(args: StateArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let timing = Timing::from_variables(std::env::vars())?;
    let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
    let dynamodb = dynamodb(&sdk);
    let names = [tables.state_log.as_str(), &tables.states];
    eprintln!("{}\n", Target::of(&sdk, &dynamodb, &[Service::DynamoDb], names).await?);
    let tables = StateTables { log: &tables.state_log, rest: &tables.states };
    UserState::read(&dynamodb, tables, args.user).await?.show(timing, output)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn tables(args: &TablesArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let Config { sdk, tables, .. } = Config::from_variables(std::env::vars())?;
    let dynamodb = dynamodb(&sdk);
    let names = [tables.sessions.as_str(), &tables.state_log, &tables.states, &tables.rejected];
    let target = Target::of(&sdk, &dynamodb, &[Service::DynamoDb], names).await?;
    eprintln!("{target}\n");
    let [sessions, state_log, states, rejected] = &target.tables;
    let tables = Tables { sessions, state_log, states, rejected, limit: args.limit, width: width() };
    ops::tables::show(&dynamodb, &tables, output).await?;
    Ok(ExitCode::SUCCESS)
}
