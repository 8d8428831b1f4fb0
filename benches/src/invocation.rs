//! Whole invocations of both handlers on full events: CPU, calls, capacity and memory, per record.
//!
//! Each workload is measured in its own process, with the functions' SDK configuration and one thread, and with the
//! services in another process. The sessionizer continues a run in its steady state ([`crate::prepared`]): entries are
//! repeated, and users leave the log. Measured: parsing the event's JSON, the handler with all of its calls, writing the
//! response. Not measured: fetching the event from Lambda and sending the response.

use kinesis_function::config::Settings;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;
use serde::{Deserialize, Serialize};
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::event_time::EventTime;
use shared::session::{Status, TouchedSession};
use shared::user_id::UserId;
use sink_fn::handler::Sink;
use tokio::process::Command;
use tokio::time::Instant;

use crate::cpu::{peak_memory_mib, process_cpu, resident_memory_mib};
use crate::delay::DelayingClient;
use crate::error::BenchError;
use crate::event::{attributes, boundary_event, click_event, parse, user_id};
use crate::meter::{AskedByOperation, Meter};
use crate::prepared::{Preparation, Prepared};
use crate::services::Services;
use crate::typical_columns::{Columns, DECLARATION};
use crate::workload::{BEGIN_MS, CLICKS_PER_BATCH, CLICKS_PER_SESSION, Workload, users_per_click};

/// What to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The function.
    pub function: FunctionName,
    /// The session gap in milliseconds; only for the sessionizer.
    pub gap_ms: u64,
    /// The time between a user's clicks in milliseconds; only for the sessionizer.
    pub spacing_ms: u64,
    /// The batching window in milliseconds; only for the sessionizer.
    pub window_ms: u64,
    /// Twice the users who click at the same time, which decides about the rate of clicks. An earlier build of this
    /// program, see [`run`], takes it as the number of users with a stored state, of whom half click.
    pub users: usize,
    /// Users at rest in the table besides those who click.
    #[serde(default)]
    pub at_rest: usize,
    /// Measured invocations, after one that is not measured.
    pub invocations: u32,
    /// Whether to request capacity units, which costs CPU.
    pub with_capacity: bool,
    /// Least duration of each call, in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
    /// Whether to measure a new environment's first click instead, for which it loads the bucket's log.
    #[serde(default)]
    pub cold: bool,
    /// What clicks, or the sink's boundaries, have for columns.
    #[serde(default)]
    pub columns: Columns,
}

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FunctionName {
    /// Clicks to boundaries.
    Sessionizer,
    /// Boundaries to sessions.
    Sink,
}

/// The result of a measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// Users under way in the log before the first invocation; for the sink, users.
    pub users: usize,
    /// Records in all events.
    pub records: u64,
    /// Bytes of all events' JSON.
    pub event_bytes: u64,
    /// Distinct users per click of a batch; for the sink, sessions per boundary.
    pub keys_per_record: f64,
    /// Boundaries published.
    pub published: u64,
    /// CPU time of all invocations, in microseconds.
    pub cpu_us: f64,
    /// Elapsed time of all invocations, in microseconds.
    pub wall_us: f64,
    /// The calls to the services.
    pub asked: AskedByOperation,
    /// Peak resident memory in MiB, including the bench's own.
    pub peak_mib: f64,
    /// By how much the measured invocations have raised the resident memory, in MiB.
    #[serde(default)]
    pub grown_mib: f64,
}

impl Job {
    /// Measures the sessionizer under `workload`, with full shards.
    #[must_use]
    pub fn sessionizer(workload: Workload, invocations: u32) -> Self {
        let Workload { gap_ms, spacing_ms, window_ms } = workload;
        let (function, users) = (FunctionName::Sessionizer, 2 * workload.users_of_a_full_shard());
        Self { function, gap_ms, spacing_ms, window_ms, users, ..Self::sink(invocations) }
    }

    /// Measures how a new environment loads a bucket with about `hot_users` users under way.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn loading(workload: Workload, hot_users: usize) -> Self {
        // A user is under way from the first click of a session until the gap after the last one.
        let session_ms = u64::from(CLICKS_PER_SESSION) * workload.spacing_ms;
        let clicking = hot_users as f64 * session_ms as f64 / (session_ms + workload.gap_ms) as f64;
        Self { users: 2 * clicking as usize, cold: true, ..Self::sessionizer(workload, 1) }
    }

    /// Measures the sink.
    #[must_use]
    pub fn sink(invocations: u32) -> Self {
        let (gap_ms, spacing_ms, window_ms, users) = (0, 0, 0, 0);
        let (function, at_rest, latency_ms) = (FunctionName::Sink, 0, 0);
        let (with_capacity, cold, columns) = (false, false, Columns::None);
        Self {
            function,
            gap_ms,
            spacing_ms,
            window_ms,
            users,
            at_rest,
            invocations,
            with_capacity,
            latency_ms,
            cold,
            columns,
        }
    }

    fn workload(&self) -> Workload {
        Workload { gap_ms: self.gap_ms, spacing_ms: self.spacing_ms, window_ms: self.window_ms }
    }
}

/// Measures `job` in a new process of `program` (by default, this program), with its own services.
///
/// # Errors
/// If a process cannot be started or does not finish its work.
pub async fn run(job: &Job, program: Option<&Path>) -> Result<Figures, BenchError> {
    let own = std::env::current_exe().map_err(BenchError::process("finding this program's file"))?;
    let program = program.map_or(own, PathBuf::from);
    let services = Services::start().await?;
    let mut command = Command::new(program);
    services.environment(&mut command)?;
    command.env("SESSION_GAP_SECONDS", (job.gap_ms / 1_000).max(1).to_string());
    if job.columns == Columns::Declared {
        command.env("SESSION_COLUMNS", DECLARATION);
    }
    command.arg("measure").arg(serde_json::to_string(job)?).kill_on_drop(true);
    let output = command.output().await.map_err(BenchError::process("running a measurement"))?;
    services.stop().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_str(&text).map_err(|_| BenchError::Answer(text + &complaint))
}

/// The main function of the measuring process.
///
/// # Errors
/// If the handler does not finish all of its work.
pub async fn measure(job: &Job) -> Result<Figures, BenchError> {
    match job.function {
        FunctionName::Sessionizer => measure_sessionizer(job).await,
        FunctionName::Sink => measure_sink(job).await,
    }
}

async fn measure_sessionizer(job: &Job) -> Result<Figures, BenchError> {
    let (meter, dynamodb, kinesis) = clients(job)?;
    let config = Config::from_variables(std::env::vars()).map_err(BenchError::failed)?;
    let workload = job.workload();
    let Prepared { hot_users, mut batches, .. } = Preparation {
        workload,
        clicks_per_second: workload.clicks_per_second(job.users / 2),
        batches: job.invocations + 1,
        at_rest: job.at_rest,
        columns: job.columns,
    }
    .run()
    .await?;
    if job.cold {
        batches.truncate(1);
        batches.iter_mut().for_each(|(_, clicks)| clicks.truncate(1));
    }
    let sessionizer = Sessionizer::new(config, &dynamodb, &kinesis);

    let mut figures = Figures::none(usize::try_from(hot_users).unwrap_or(usize::MAX));
    let resident_mib = || resident_memory_mib(std::process::id()).unwrap_or(0.0);
    for (round, (place, clicks)) in batches.into_iter().enumerate() {
        let json = click_event(&clicks, place, job.columns)?;
        let now_ms = clicks.last().map_or(BEGIN_MS, |click| click.ms);
        let (_, before_mib) = (meter.take(), resident_mib());
        let (cpu, began) = (process_cpu(), Instant::now());
        let answer = handle(&sessionizer, parse(&json)?, time_enough(now_ms)).await.map_err(BenchError::failed)?;
        let response = serde_json::to_vec(&answer.response)?;
        let (cpu, wall) = (process_cpu() - cpu, began.elapsed());
        check(answer.records.undone, answer.report.applied, clicks.len(), &response)?;
        if round > 0 || job.cold {
            figures.add(clicks.len(), json.len(), users_per_click(&clicks), cpu, wall, &meter.take());
            figures.published += answer.report.published;
            figures.grown_mib += resident_mib() - before_mib;
        }
    }
    Ok(figures.finish(job.invocations))
}

/// Half of the boundaries close sessions that the previous event opened, the other half open the next ones.
async fn measure_sink(job: &Job) -> Result<Figures, BenchError> {
    let (meter, dynamodb, _) = clients(job)?;
    let config = sink_fn::config::Config::from_variables(std::env::vars()).map_err(BenchError::failed)?;
    let sink = Sink::new(config, &dynamodb);
    let mut figures = Figures::none(CLICKS_PER_BATCH / 2);
    let mut place = 1;
    for round in 0..=u64::from(job.invocations) {
        let boundaries = boundaries(round, job.columns)?;
        let json = boundary_event(&boundaries, place)?;
        place += boundaries.len() as u64;
        let _ = meter.take();
        let (cpu, began) = (process_cpu(), Instant::now());
        let answer = handle(&sink, parse(&json)?, time_enough(BEGIN_MS)).await.map_err(BenchError::failed)?;
        let response = serde_json::to_vec(&answer.response)?;
        let (cpu, wall) = (process_cpu() - cpu, began.elapsed());
        check(answer.records.undone, answer.report.written, boundaries.len(), &response)?;
        if round > 0 {
            figures.add(boundaries.len(), json.len(), 1.0, cpu, wall, &meter.take());
        }
    }
    Ok(figures.finish(job.invocations))
}

/// The boundaries that start every user's session `ordinal` and close the previous one, with `columns`.
///
/// # Errors
/// None in practice.
pub fn boundaries(ordinal: u64, columns: Columns) -> Result<Vec<Boundary>, BenchError> {
    let at = |ms| EventTime::from_ms(ms).ok_or_else(|| BenchError::failed("a time after the year 9999"));
    let begin_ms = |ordinal: u64| BEGIN_MS + 60_000 * ordinal;
    let declared = columns.declared()?;
    let version = Version::new(begin_ms(ordinal));
    let mut boundaries = Vec::new();
    for user in 0..CLICKS_PER_BATCH / 2 {
        let user_id = UserId::new(user_id(user)).map_err(|_| BenchError::failed("an invalid user id"))?;
        let mut tell = |ordinal: u64, status| -> Result<(), BenchError> {
            let [name, kind, device] = attributes(user, ordinal).map(|text| Some(text.into()));
            let attributes = Attributes { event_name: name, event_type: kind, device_type: device };
            let start = at(begin_ms(ordinal))?;
            let times = (0..20).filter_map(|click| EventTime::from_ms(begin_ms(ordinal) + 2_000 * click));
            let values = columns.of_session(user, times);
            let session = TouchedSession {
                ordinal,
                start,
                attributes,
                columns: if status == Status::Open { values.in_open() } else { values.in_closed() },
                status,
            };
            boundaries.push(Boundary::of(&user_id, session, &declared, version));
            Ok(())
        };
        if let Some(before) = ordinal.checked_sub(1) {
            tell(before, Status::Closed { end: at(begin_ms(before) + 38_000)?, event_count: 20 })?;
        }
        tell(ordinal, Status::Open)?;
    }
    Ok(boundaries)
}

/// The client of the process that prepares the tables.
///
/// # Errors
/// If the variables lead to an account.
pub fn dynamodb() -> Result<aws_sdk_dynamodb::Client, BenchError> {
    Ok(clients(&Job::sink(0))?.1)
}

fn clients(job: &Job) -> Result<(Meter, aws_sdk_dynamodb::Client, aws_sdk_kinesis::Client), BenchError> {
    for variable in ["AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL_KINESIS"] {
        // What is measured writes to tables and streams: never to those of an account.
        if !std::env::var(variable).is_ok_and(|url| url.starts_with("http://127.0.0.1:")) {
            return Err(BenchError::failed(format!("{variable} must lead to a server on this machine")));
        }
    }
    let mut sdk = kinesis_function::aws::sdk_config(std::env::vars())?;
    if let (Some(http), true) = (sdk.http_client(), job.latency_ms > 0) {
        let slow = DelayingClient::new(http, Duration::from_millis(job.latency_ms));
        sdk = sdk.into_builder().http_client(slow).build();
    }
    let meter = Meter::new(job.with_capacity);
    let dynamodb = aws_sdk_dynamodb::config::Builder::from(&sdk).interceptor(meter.clone()).build();
    let kinesis = aws_sdk_kinesis::config::Builder::from(&sdk).interceptor(meter.clone()).build();
    Ok((meter, aws_sdk_dynamodb::Client::from_conf(dynamodb), aws_sdk_kinesis::Client::from_conf(kinesis)))
}

/// A time budget that starts at `now_ms`, a simulated time in Unix milliseconds.
pub(crate) fn time_enough(now_ms: u64) -> TimeBudget {
    TimeBudget::lasting(now_ms, Duration::from_secs(600))
}

fn check(undone: u64, done: u64, records: usize, response: &[u8]) -> Result<(), BenchError> {
    if undone == 0 && done == records as u64 && response.starts_with(br#"{"batchItemFailures":[]"#) {
        Ok(())
    } else {
        let response = String::from_utf8_lossy(response);
        Err(BenchError::failed(format!("{done} of {records} records done, {undone} undone: {response}")))
    }
}

impl Figures {
    fn none(users: usize) -> Self {
        Self {
            users,
            records: 0,
            event_bytes: 0,
            keys_per_record: 0.0,
            published: 0,
            cpu_us: 0.0,
            wall_us: 0.0,
            asked: AskedByOperation::new(),
            peak_mib: 0.0,
            grown_mib: 0.0,
        }
    }

    fn add(
        &mut self,
        records: usize,
        event_bytes: usize,
        keys_per_record: f64,
        cpu: Duration,
        wall: Duration,
        asked: &AskedByOperation,
    ) {
        self.records += records as u64;
        self.event_bytes += event_bytes as u64;
        self.keys_per_record += keys_per_record;
        self.cpu_us += cpu.as_secs_f64() * 1e6;
        self.wall_us += wall.as_secs_f64() * 1e6;
        for (operation, one) in asked {
            let sum = self.asked.entry(operation.clone()).or_default();
            sum.calls += one.calls;
            sum.bytes += one.bytes;
            sum.units += one.units;
        }
    }

    fn finish(mut self, invocations: u32) -> Self {
        self.keys_per_record /= f64::from(invocations.max(1));
        self.peak_mib = peak_memory_mib(std::process::id()).unwrap_or(0.0);
        self
    }

    /// `amount` per record.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn per_record(&self, amount: f64) -> f64 {
        amount / self.records.max(1) as f64
    }

    /// Calls of `operation` per record.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn calls(&self, operation: &str) -> f64 {
        self.asked.get(operation).map_or(0.0, |asked| self.per_record(asked.calls as f64))
    }

    /// Capacity units of `operation` per record.
    #[must_use]
    pub fn units(&self, operation: &str) -> f64 {
        self.asked.get(operation).map_or(0.0, |asked| self.per_record(asked.units))
    }

    /// Bytes of the requests of `operation` per record.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn bytes(&self, operation: &str) -> f64 {
        self.asked.get(operation).map_or(0.0, |asked| self.per_record(asked.bytes as f64))
    }
}
