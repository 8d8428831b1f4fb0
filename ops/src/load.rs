//! The command that puts a load of clicks into a stream.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use ops::config::Config;
use ops::confirmation::confirm;
use ops::error::OpsError;
use ops::produce::{Load, Options, Produced, Progress, produce as put};
use ops::target::{Service, Target};
use ops::text_table::escaped;

use crate::changes::must_ask;
use crate::cli::ProduceArgs;
use crate::{Out, ctrl_c, dynamodb, kinesis, spinner};

/// How often progress is written where standard error is not a terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// What a shard takes. Source: Kinesis quotas.
const RECORDS_PER_SHARD: u64 = 1_000;

pub(crate) async fn produce(args: ProduceArgs, output: &mut Out) -> Result<ExitCode, OpsError> {
    let stream = args.stream.as_str();
    let load = Load::new(Options {
        rate: args.rate,
        users: args.users,
        gap_seconds: args.gap,
        late: args.late,
        late_by_seconds: args.late_by,
        duplicate: args.duplicate,
        broken: args.broken,
        duration_seconds: args.duration,
        // 32 bits, so that readers of JSON with floating point do not round it.
        seed: args.seed.unwrap_or_else(|| fastrand::u32(..).into()),
    })?;
    let must_ask = must_ask(false, args.yes, "produce puts records into a stream")?;
    let Config { sdk, .. } = Config::from_variables(std::env::vars())?;
    let target = Target::of(&sdk, &dynamodb(&sdk), &[Service::Kinesis], []).await?;
    let target = target.with_streams(&kinesis(&sdk), &[stream]).await?;
    eprintln!("{target}\n{}", announcement(&load));
    let takes = target.streams.first().map_or(0, |stream| stream.open_shards * RECORDS_PER_SHARD);
    if u64::from(args.rate) > takes {
        eprintln!(
            "hint: the stream's open shards take {takes} records a second; the others are throttled, and it takes longer"
        );
    }
    if must_ask {
        let question = format!("Put them in account {}, region {}?", escaped(&target.account), target.region);
        confirm(&question, io::stdin().lock(), io::stderr())?;
    }

    // This client makes a single attempt: a load retries records itself, and counts that.
    let client = aws_sdk_kinesis::Client::new(&sdk);
    let mut shown = Shown { bar: spinner(), records: load.records(), next_line: LINE_EVERY };
    let bar = shown.bar.clone();
    let stop = async {
        ctrl_c().await;
        bar.suspend(|| eprintln!("ending: press Ctrl-C again to give up what is under way"));
    };
    let produced = put(&client, stream, &load, stop, ctrl_c(), |so_far| shown.show(so_far)).await;
    shown.bar.finish_and_clear();
    output.text(&format!("{produced}\n"))?;
    output.object(&produced.json(stream, load.options().seed))?;
    let is_complete = produced.is_complete();
    produced.into_result(stream)?;
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is about to be put.
fn announcement(load: &Load) -> String {
    let (records, active) = (load.records(), load.active_users());
    let Options { rate, users, gap_seconds, duration_seconds, seed, .. } = load.options();
    format!(
        "records to put: {records}, as many PUT payload units; {rate} a second for {duration_seconds} s\n\
         users load-1 to load-{users}, {active} of them with a session under way at a time, gap {gap_seconds} s\n\
         seed {seed}"
    )
}

/// Progress on standard error: a line that changes, or one every ten seconds.
struct Shown {
    bar: ProgressBar,
    records: u64,
    next_line: Duration,
}

impl Shown {
    fn show(&mut self, so_far: &Produced) {
        let progress = Progress { so_far, records: self.records };
        if io::stderr().is_terminal() {
            self.bar.set_message(progress.to_string());
        } else if so_far.elapsed >= self.next_line {
            eprintln!("{progress}");
            self.next_line = so_far.elapsed + LINE_EVERY;
        }
    }
}
