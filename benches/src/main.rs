//! The command line of the measurements.

use std::path::PathBuf;
use std::process::ExitCode;

use benches::coldstart::{self, BINARIES};
use benches::decode::Case;
use benches::error::BenchError;
use benches::invocation::{self, Figures, FunctionName, Job};
use benches::poison::{self, PartitionedBy, Stream};
use benches::prepared::Preparation;
use benches::records::{self, Input, STAGES};
use benches::table::{Table, median, quantile};
use benches::typical_columns::Columns;
use benches::units::{CSV_TITLES, Pipeline, TITLES};
use benches::workload::{WORKLOADS, Workload};
use benches::{latency, services};
use clap::{Parser, Subcommand};
use sessionizer_fn::bucket::bounds::SLOTS;

/// Measures the cost of a click and the duration of a cold start. Every command prints a table.
#[derive(Debug, Parser)]
#[command(name = "benches")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Clicks per CPU second without calls, by stage (for allocations, see the binary `allocations`).
    Records(Rounds),
    /// CPU time to decode a click, by the format and size of its record.
    Decode(Rounds),
    /// CPU, calls and memory of whole invocations of both functions on full events.
    Invocation(Workloads),
    /// Requests, CPU and memory of a new environment that loads a bucket's log, in one invocation with one click.
    Load {
        /// Users under way in the bucket.
        #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
        hot_users: Vec<usize>,
        /// Workload by its number in the list, 1 to 6.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=6))]
        workload: u8,
    },
    /// Capacity units and bytes per 1,000 clicks in the long run, from hours of simulated arrivals; and the sink's.
    Units(Units),
    /// Time from spawn to the first event, first and later invocations, size and memory of the release binaries.
    Coldstart {
        /// Folder with the binaries [default: that of this program].
        #[arg(long)]
        folder: Option<PathBuf>,
        /// Number of starts of each binary.
        #[arg(long, default_value_t = 20)]
        starts: u32,
    },
    /// Time from a click's PutRecords to its session in the table, in milliseconds.
    Latency {
        /// Number of clicks.
        #[arg(long, default_value_t = 500)]
        clicks: usize,
    },
    /// Time to publish the good clicks, and to finish, for 8,000 records that are half or all unreadable.
    Poison {
        /// Number of runs of each; shows medians.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Compares the CPU time per click of this program and another build of it, in alternating runs.
    Compare {
        /// The other build's `benches` binary.
        other: PathBuf,
        /// Number of runs of each.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        #[command(flatten)]
        workloads: Workloads,
    },
    #[command(hide = true)]
    Serve,
    #[command(hide = true)]
    Measure { job: String },
    #[command(hide = true)]
    Prepare { preparation: String },
}

#[derive(Clone, Copy, Debug, clap::Args)]
struct Rounds {
    /// Number of rounds; the fastest counts.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Clicks with the fields of four typical columns, without and with their declaration, in turn.
    #[arg(long)]
    columns: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct Workloads {
    /// Workloads by their number in the list, 1 to 6 [default: all].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=6))]
    only: Vec<u8>,
    /// Users at rest in the table besides those who click; one run per number.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    at_rest: Vec<usize>,
    /// Measured invocations of each.
    #[arg(long, default_value_t = 4)]
    invocations: u32,
    /// Least duration of every call to a service, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Clicks with the fields of four typical columns, without and with their declaration.
    #[arg(long)]
    columns: bool,
}

impl Workloads {
    /// The named measurements: the sessionizer under each workload, and the sink.
    fn jobs(&self) -> Vec<(String, Job)> {
        let mut jobs = Vec::new();
        for workload in chosen(&self.only) {
            for at_rest in self.at_rest.iter().copied() {
                let job = Job { at_rest, ..Job::sessionizer(workload, self.invocations) };
                jobs.push((workload.to_string(), job));
            }
        }
        jobs.iter_mut().for_each(|(_, job)| job.latency_ms = self.latency_ms);
        if self.only.is_empty() {
            jobs.push(("sink: half closes, half opens".to_owned(), Job::sink(self.invocations)));
        }
        if !self.columns {
            return jobs;
        }
        let with = |(name, job): (String, Job)| {
            let cases = [("undeclared", Columns::Undeclared), ("declared", Columns::Declared)];
            cases.map(|(case, columns)| (format!("{name}, columns {case}"), Job { columns, ..job.clone() }))
        };
        jobs.into_iter().flat_map(with).collect()
    }
}

/// What is simulated. Several values make several runs of each workload.
#[derive(Clone, Debug, clap::Args)]
struct Units {
    /// Workloads by their number in the list, 1 to 6 [default: all].
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u8).range(1..=6))]
    only: Vec<u8>,
    /// Clicks a day in all buckets.
    #[arg(long, value_delimiter = ',', default_value = "1000000,10000000,100000000,1000000000")]
    clicks_per_day: Vec<u64>,
    /// Shards of click-stream [default: 4, and 40 for 1,000 million clicks a day].
    #[arg(long)]
    shards: Option<u32>,
    /// Buckets of the state [default: 4, and 64 for 1,000 million clicks a day].
    #[arg(long)]
    buckets: Option<u32>,
    /// The partition key is not the user, so every shard has clicks of every bucket.
    #[arg(long)]
    random_keys: bool,
    /// Time from the end of a user's session to the next one, in seconds.
    #[arg(long, default_value_t = 86_400)]
    return_after: u64,
    /// How many users ever clicked, who click in turn; one run per number.
    #[arg(long, value_delimiter = ',', conflicts_with = "return_after")]
    users: Vec<u64>,
    /// Execution environments; each batch takes any of them.
    #[arg(long, default_value_t = 1)]
    environments: usize,
    /// Slots of the ring.
    #[arg(long, default_value_t = SLOTS)]
    slots: u64,
    /// User ids are UUIDs of 36 characters, in place of 12 or so.
    #[arg(long)]
    uuids: bool,
    /// Four typical columns are declared.
    #[arg(long)]
    columns: bool,
    /// Print docs/cost/units.csv instead of a table.
    #[arg(long)]
    csv: bool,
}

impl Units {
    fn pipelines(&self) -> Vec<Pipeline> {
        let Self { return_after, environments, slots, uuids, .. } = *self;
        let pipeline = |workload, clicks_per_day, users| Pipeline {
            workload,
            clicks_per_day,
            shards: self.shards.unwrap_or_else(|| Pipeline::shards_for(clicks_per_day)),
            buckets: self.buckets.unwrap_or_else(|| Pipeline::buckets_for(clicks_per_day)),
            by_user: !self.random_keys,
            return_after_ms: return_after * 1_000,
            users,
            environments,
            slots,
            uuids,
            columns: if self.columns { Columns::Declared } else { Columns::None },
        };
        let users = if self.users.is_empty() { vec![None] } else { self.users.iter().copied().map(Some).collect() };
        let mut pipelines = Vec::new();
        for workload in chosen(&self.only) {
            for clicks_per_day in &self.clicks_per_day {
                pipelines.extend(users.iter().map(|users| pipeline(workload, *clicks_per_day, *users)));
            }
        }
        pipelines
    }
}

/// The workloads with these numbers, from 1; all of them without numbers.
fn chosen(only: &[u8]) -> Vec<Workload> {
    let is_chosen = |place: usize| only.is_empty() || only.iter().any(|only| usize::from(*only) == place + 1);
    WORKLOADS.into_iter().enumerate().filter(|(place, _)| is_chosen(*place)).map(|(_, workload)| workload).collect()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), BenchError> {
    match command {
        Command::Records(Rounds { rounds, columns: false }) => records(rounds),
        Command::Records(Rounds { rounds, columns: true }) => columns(rounds),
        Command::Decode(rounds) => decode(rounds),
        Command::Invocation(workloads) => invocations(&workloads).await,
        Command::Load { hot_users, workload } => loads(workload, &hot_users).await,
        Command::Units(args) => units(&args).await,
        Command::Coldstart { folder, starts } => cold_starts(folder, starts).await,
        Command::Latency { clicks } => latencies(clicks).await,
        Command::Poison { rounds } => poison(rounds).await,
        Command::Compare { other, rounds, workloads } => compare(&other, rounds, &workloads).await,
        Command::Serve => services::serve().await,
        Command::Measure { job } => {
            println!("{}", serde_json::to_string(&invocation::measure(&serde_json::from_str(&job)?).await?)?);
            Ok(())
        }
        Command::Prepare { preparation } => {
            let preparation: Preparation = serde_json::from_str(&preparation)?;
            println!("{}", serde_json::to_string(&preparation.prepare(&invocation::dynamodb()?).await?)?);
            Ok(())
        }
    }
}

fn records(rounds: u32) -> Result<(), BenchError> {
    for workload in [WORKLOADS[2], WORKLOADS[3]] {
        let input = Input::of(workload, 2 * workload.users_of_full_batches(), Columns::None)?;
        println!("{workload}: {} clicks, {:.2} users per click", input.clicks, input.users_per_click);
        let mut table = Table::new(&["", "µs per click", "clicks per CPU second"]);
        let [cpu] = records::cpu([input], rounds)?;
        let mut row = |name: &str, seconds: f64| {
            table.row([name.to_owned(), format!("{:.3}", seconds * 1e6), format!("{:.0}", 1.0 / seconds)]);
        };
        for (stage, cpu) in STAGES.iter().zip(cpu) {
            row(stage, cpu);
        }
        row("decode, decide, encode boundaries", cpu[1..4].iter().sum());
        row("all", cpu.iter().sum());
        println!("{table}");
    }
    Ok(())
}

/// What the declaration of typical columns costs, by stage, in full shards.
fn columns(rounds: u32) -> Result<(), BenchError> {
    for workload in WORKLOADS {
        let input = |columns| Input::of(workload, 2 * workload.users_of_a_full_shard(), columns);
        let inputs = [input(Columns::Undeclared)?, input(Columns::Declared)?];
        println!("{workload}: {} clicks, {:.2} users per click", inputs[0].clicks, inputs[0].users_per_click);
        let mut table = Table::new(&["µs per click", "undeclared", "declared", "more"]);
        let cpu = records::cpu(inputs, rounds)?;
        let mut row = |name: &str, [undeclared, declared]: [f64; 2]| {
            let cells = [undeclared, declared, declared - undeclared].map(|seconds| format!("{:.3}", seconds * 1e6));
            table.row([name.to_owned()].into_iter().chain(cells));
        };
        for (place, stage) in STAGES.iter().enumerate() {
            row(stage, cpu.map(|stages| stages[place]));
        }
        row("all", cpu.map(|stages| stages.iter().sum()));
        println!("{table}");
    }
    Ok(())
}

fn decode(args: Rounds) -> Result<(), BenchError> {
    let cases = if args.columns { Case::with_columns()?.into() } else { Vec::from(Case::all()?) };
    let mut least = vec![std::time::Duration::MAX; cases.len()];
    for _ in 0..args.rounds.max(1) {
        for (case, least) in cases.iter().zip(&mut least) {
            *least = case.cpu_per_click()?.min(*least);
        }
    }
    let mut table = Table::new(&["records", "bytes", "CPU ns per click"]);
    for (case, cpu) in cases.iter().zip(least) {
        table.row([case.name.to_owned(), case.bytes_per_record().to_string(), cpu.as_nanos().to_string()]);
    }
    println!("{table}");
    Ok(())
}

async fn invocations(workloads: &Workloads) -> Result<(), BenchError> {
    let mut table = Table::new(&[
        "",
        "users under way",
        "records",
        "keys/record",
        "CPU µs/record",
        "wall µs/record",
        "wall ms",
        "reads/1,000",
        "writes/1,000",
        "puts/1,000",
        "peak MiB",
    ]);
    for (name, job) in workloads.jobs() {
        let figures = invocation::run(&job, None).await?;
        let calls = |operation| format!("{:.2}", 1_000.0 * figures.calls(operation));
        table.row([
            name,
            figures.users.to_string(),
            (figures.records / u64::from(job.invocations)).to_string(),
            format!("{:.3}", figures.keys_per_record),
            format!("{:.2}", figures.per_record(figures.cpu_us)),
            format!("{:.1}", figures.per_record(figures.wall_us)),
            format!("{:.0}", figures.wall_us / 1e3 / f64::from(job.invocations)),
            calls("BatchGetItem"),
            calls(if job.function == FunctionName::Sink { "BatchExecuteStatement" } else { "PutItem" }),
            calls("PutRecords"),
            format!("{:.1}", figures.peak_mib),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn loads(workload: u8, hot_users: &[usize]) -> Result<(), BenchError> {
    let mut table = Table::new(&["", "users under way", "requests", "CPU ms", "wall ms", "MiB more", "peak MiB"]);
    for workload in chosen(&[workload]) {
        for hot_users in hot_users {
            let figures = invocation::run(&Job::loading(workload, *hot_users), None).await?;
            table.row([
                workload.to_string(),
                figures.users.to_string(),
                figures.asked.values().map(|asked| asked.calls).sum::<u64>().to_string(),
                format!("{:.0}", figures.cpu_us / 1e3),
                format!("{:.0}", figures.wall_us / 1e3),
                format!("{:.1}", figures.grown_mib),
                format!("{:.1}", figures.peak_mib),
            ]);
        }
    }
    println!("{table}");
    Ok(())
}

async fn units(args: &Units) -> Result<(), BenchError> {
    let mut table = Table::new(&TITLES);
    if args.csv {
        println!("{CSV_TITLES}");
    }
    for pipeline in args.pipelines() {
        let measured = pipeline.measure().await?;
        eprintln!("{}", measured.row().join("  "));
        if args.csv {
            println!("{}", measured.csv());
        }
        table.row(measured.row());
    }
    if args.csv {
        return Ok(());
    }
    println!("per 1,000 clicks\n{table}");
    if args.only.is_empty() {
        let mut table = Table::new(&["sink, per 1,000 boundaries", "write units", "calls"]);
        let figures = invocation::run(&Job { with_capacity: true, ..Job::sink(4) }, None).await?;
        let per_thousand = |amount: f64| format!("{:.1}", 1_000.0 * amount);
        let [units, calls] = [figures.units("BatchExecuteStatement"), figures.calls("BatchExecuteStatement")];
        table.row(["half closes, half opens".to_owned(), per_thousand(units), per_thousand(calls)]);
        println!("{table}");
    }
    Ok(())
}

async fn cold_starts(folder: Option<PathBuf>, starts: u32) -> Result<(), BenchError> {
    let own = std::env::current_exe().map_err(BenchError::process("finding this program's file"))?;
    let folder = folder.or_else(|| own.parent().map(PathBuf::from)).unwrap_or_default();
    let mut table = Table::new(&[
        "medians, ms",
        "INIT",
        "CPU",
        "first",
        "CPU",
        "warm",
        "CPU",
        "MiB, 1 record",
        "MiB, full event",
        "binary MiB",
    ]);
    for name in BINARIES {
        let found = coldstart::measure(&folder, name, starts).await?;
        let ms = |value: f64| format!("{value:.2}");
        let mib = |value: f64| format!("{value:.1}");
        table.row([
            name.to_owned(),
            ms(found.init_ms),
            ms(found.init_cpu_ms),
            ms(found.first_ms),
            ms(found.first_cpu_ms),
            ms(found.warm_ms),
            ms(found.warm_cpu_ms),
            mib(found.small_mib),
            mib(found.full_mib),
            mib(found.size_mib),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn latencies(clicks: usize) -> Result<(), BenchError> {
    let took = latency::measure(clicks).await?;
    let mut table = Table::new(&["click to session", "median ms", "p99 ms"]);
    table.row([format!("{clicks} clicks"), format!("{:.1}", median(&took)), format!("{:.1}", quantile(&took, 0.99))]);
    println!("{table}");
    Ok(())
}

async fn poison(rounds: u32) -> Result<(), BenchError> {
    let mut table = Table::new(&[
        "medians, ms",
        "batches",
        "good clicks",
        "rejected",
        "published",
        "to clean",
        "last published after",
        "all done after",
        "writes refused",
    ]);
    let cases = [
        ("clean", Stream::Clean, PartitionedBy::Position),
        ("half unreadable", Stream::HalfPoison, PartitionedBy::Position),
        ("all unreadable", Stream::AllPoison, PartitionedBy::Position),
        ("half unreadable, a partition per shard", Stream::HalfPoison, PartitionedBy::Shard),
    ];
    let mut clean = None;
    for (name, stream, partitioned_by) in cases {
        let mut runs = Vec::new();
        for _ in 0..rounds.max(1) {
            runs.push(poison::measure(stream, partitioned_by).await?);
        }
        let ms = |of: fn(&poison::Figures) -> std::time::Duration| {
            median(&runs.iter().map(|figures| of(figures).as_secs_f64() * 1e3).collect::<Vec<_>>())
        };
        let published = ms(|figures| figures.published);
        let (first, has_clicks) = (runs[0], runs[0].clicks > 0);
        let shown = |text: String| if has_clicks { text } else { String::new() };
        table.row([
            name.to_owned(),
            first.events.to_string(),
            first.clicks.to_string(),
            first.rejected.to_string(),
            shown(format!("{published:.0}")),
            shown(format!("{:.2}", published / *clean.get_or_insert(published))),
            shown(format!("{:.0}", ms(|figures| figures.last_published))),
            format!("{:.0}", ms(|figures| figures.done)),
            runs.iter().map(|figures| figures.refused).sum::<u64>().div_ceil(u64::from(rounds.max(1))).to_string(),
        ]);
    }
    println!("{table}");
    Ok(())
}

async fn compare(other: &std::path::Path, rounds: u32, workloads: &Workloads) -> Result<(), BenchError> {
    let mut table = Table::new(&["CPU µs per record, medians", "other", "this", "this / other"]);
    for (name, job) in workloads.jobs() {
        let (mut others, mut own) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let cpu = |figures: Figures| figures.per_record(figures.cpu_us);
            others.push(cpu(invocation::run(&job, Some(other)).await?));
            own.push(cpu(invocation::run(&job, None).await?));
        }
        let (other, own) = (median(&others), median(&own));
        table.row([name, format!("{other:.2}"), format!("{own:.2}"), format!("{:.2}", own / other)]);
    }
    println!("{table}");
    Ok(())
}
