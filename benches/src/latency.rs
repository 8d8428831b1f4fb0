//! From a click's PutRecords to its session in the table, through both streams and both functions, in one process.
//!
//! Without a batching window and with a poll every few milliseconds, only the pipeline's own latency remains. On AWS,
//! standard consumers add their polling interval, one second per stream.

use kinesis_function::config::Settings;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::primitives::Blob;
use kinesis_function::invocation::handle;
use kinesis_function::records::Records;
use kinesis_function::time_budget::TimeBudget;
use local_aws::event_source_mapping::{EventSourceMapping, Function, MappingConfig};
use local_aws::{LocalAws, LocalAwsOptions, Template};
use sessionizer_fn::handler::Sessionizer;
use shared::boundary::Boundary;
use sink_fn::handler::Sink;
use tokio::time::Instant;

use crate::error::BenchError;
use crate::event::{click_json, parse, user_id};
use crate::typical_columns::Columns;
use crate::workload::SimulatedClick;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Time between two clicks.
const PACE: Duration = Duration::from_millis(20);

struct SessionizerFunction(Sessionizer);

impl Function for SessionizerFunction {
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = parse(&event).map_err(|error| error.to_string())?;
        let answer = handle(&self.0, event, until(deadline)).await.map_err(|error| error.to_string())?;
        serde_json::to_string(&answer.response).map_err(|error| error.to_string())
    }
}

/// Records when each user's session was stored.
struct SinkFunction {
    sink: Sink,
    stored: Arc<Mutex<HashMap<String, Instant>>>,
}

impl Function for SinkFunction {
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let event = parse(&event).map_err(|error| error.to_string())?;
        let records = Records::of(event.clone()).map_err(|error| error.to_string())?;
        let user = |data| Boundary::decode(data).ok().map(|boundary| boundary.user_id.as_str().to_owned());
        let users: Vec<_> = records.iter().filter_map(|record| user(record.data)).collect();
        let answer = handle(&self.sink, event, until(deadline)).await.map_err(|error| error.to_string())?;
        let now = Instant::now();
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        stored.extend(users.into_iter().map(|user| (user, now)));
        serde_json::to_string(&answer.response).map_err(|error| error.to_string())
    }
}

/// The latency of `clicks` clicks, each the first of its user, in milliseconds.
///
/// # Errors
/// If the pipeline does not finish its work.
pub async fn measure(clicks: usize) -> Result<Vec<f64>, BenchError> {
    let template = Template::of_this_project()?;
    let embedded = LocalAws::start(LocalAwsOptions::default()).await?;
    embedded.create_resources(&template, Some(1)).await?;
    let (sessionizer, sink) = (template.function("SessionizerFunction")?, template.function("SinkFunction")?);
    let (click_stream, session_stream) = (&sessionizer.mapping.stream, &sink.mapping.stream);
    let config = sessionizer_fn::config::Config::from_variables(sessionizer.environment.clone());
    let config = config.map_err(BenchError::failed)?;
    let function = SessionizerFunction(Sessionizer::new(config, &embedded.dynamodb(), &embedded.kinesis()));
    let sink_config = sink_fn::config::Config::from_variables(sink.environment.clone()).map_err(BenchError::failed)?;
    let stored = Arc::new(Mutex::new(HashMap::new()));
    let sink = SinkFunction { sink: Sink::new(sink_config, &embedded.dynamodb()), stored: Arc::clone(&stored) };
    let mapping = |stream: &str| MappingConfig {
        batch_size: 10_000,
        maximum_batching_window: Duration::ZERO,
        poll_interval: POLL_INTERVAL,
        idle_poll_interval: POLL_INTERVAL,
        ..MappingConfig::new(stream)
    };
    let first = EventSourceMapping::start(embedded.kinesis(), mapping(click_stream), function);
    let first = first.map_err(BenchError::failed)?;
    let second = EventSourceMapping::start(embedded.kinesis(), mapping(session_stream), sink);
    let second = second.map_err(BenchError::failed)?;

    let mut put_at = HashMap::new();
    for user in 0..clicks {
        tokio::time::sleep(PACE).await;
        let click = SimulatedClick { user, ms: now_ms() };
        put_at.insert(user_id(user), Instant::now());
        let put = embedded.kinesis().put_record().stream_name(click_stream).partition_key(user_id(user));
        put.data(Blob::new(click_json(click, Columns::None))).send().await.map_err(BenchError::failed)?;
    }
    second.progress().wait_until_done(clicks as u64).await.map_err(BenchError::failed)?;
    first.stop().await.map_err(BenchError::failed)?;
    second.stop().await.map_err(BenchError::failed)?;
    embedded.stop().await;

    let stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
    let took = put_at.iter().map(|(user, put_at)| {
        let stored_at = stored.get(user).ok_or_else(|| BenchError::failed(format!("{user} has no session")))?;
        Ok((*stored_at - *put_at).as_secs_f64() * 1e3)
    });
    took.collect()
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

fn until(deadline: Instant) -> TimeBudget {
    TimeBudget::lasting(now_ms(), deadline.saturating_duration_since(Instant::now()))
}
