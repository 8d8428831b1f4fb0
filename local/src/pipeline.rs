//! The streams, tables, functions and event source mappings of template.yaml, running in this process.

use kinesis_function::config::Settings;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_kinesis::types::Record;
use aws_types::SdkConfig;
use local_aws::event_source_mapping::{
    Counts, DeliveryPolicy, EventSourceMapping, Function, LikeLambda, MappingConfig, MappingProgress,
};
use local_aws::template::{FunctionSpec, Template};
use local_aws::{LocalAws, LocalAwsOptions};
use ops::config::TableNames;
use ops::stored::{self, ReadLimit};
use ops::users::{self, StateTables, StoredUser};
use sessionizer_fn::bucket::bounds::Bounds;
use sessionizer_fn::handler::Sessionizer;
use shared::boundary::Boundary;
use shared::click_format::ClickFormat;
use shared::session_cut::SessionCut;
use shared::user_id::UserId;
use sink_fn::handler::Sink;

use crate::chaos::verdict::Found;
use crate::error::LocalError;
use crate::export;
use crate::functions::{LocalFunction, Total};
use crate::staging::Staging;
use crate::sweeps::Sweeps;
use crate::tap::{Batches, Tap};

/// How long a batch is gathered: long enough for batches to fill while a file streams in, and short enough not to be
/// noticed at the end of a run. Lambda itself supports no window between 0 and 1 second.
const BATCHING_WINDOW: Duration = Duration::from_millis(200);

/// The wait before reading a shard again after reaching its end, and the longest wait while it stays empty. A call
/// costs more than most batches: with many shards and shorter waits, a run would spend most of its time reading
/// nothing.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(400);

/// Settings that override template.yaml.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Values for the template's parameters, by name.
    pub parameters: BTreeMap<String, String>,
    /// Shards of each stream, at least 1. Default: those of a new on-demand stream.
    pub shards: Option<u32>,
    /// Maximum clicks per batch, 1 to 10,000.
    pub batch_size: Option<u32>,
    /// What inactivity does.
    pub inactivity: Inactivity,
    /// Folder that keeps the tables from one run to the next. Default: in memory.
    pub data_dir: Option<PathBuf>,
}

/// What a user's inactivity, measured by the arrival of clicks, does to the user's last session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inactivity {
    /// Batches close it after the gap and the grace, as on AWS.
    #[default]
    Closes,
    /// Nothing, however long it takes to put the clicks. Sweeps still close it.
    IsIgnored,
}

/// The running pipeline. Dropping it stops it.
#[derive(Debug)]
pub struct Pipeline {
    embedded: LocalAws,
    environment: BTreeMap<String, String>,
    /// Name of the stream of clicks.
    pub click_stream: String,
    session_stream: String,
    /// Name of the table with one item per session.
    pub sessions_table: String,
    state_log_table: String,
    state_table: String,
    /// Name of the table of rejected records.
    pub rejected_table: String,
    /// How far a click's event time may be after its arrival, in milliseconds.
    pub max_clock_skew_ms: u64,
    /// What the sessionizer takes for a click.
    pub click_format: ClickFormat,
    /// The inactivity that ends a session, in milliseconds.
    pub gap_ms: u64,
    /// Where sessions are cut.
    pub session_cut: SessionCut,
    /// How long after the gap a user's inactivity is reported, in milliseconds.
    pub grace_ms: u64,
    sessionizer: EventSourceMapping,
    sink: EventSourceMapping,
    /// The sessionizer's scheduled sweeps, which run only if asked for.
    pub sweeps: Sweeps,
    /// The totals of the sessionizer's invocations.
    pub sessionizer_total: Total<sessionizer_fn::report::Report>,
    /// The totals of the sink's invocations.
    pub sink_total: Total<sink_fn::report::Report>,
}

impl Pipeline {
    /// Starts everything.
    ///
    /// # Errors
    /// If an option is out of range or the embedded services cannot be set up.
    pub async fn start(options: Options) -> Result<Self, LocalError> {
        Self::start_with(options, &LikeLambda).await
    }

    /// Like [`Pipeline::start`], with another way to run the functions.
    ///
    /// # Errors
    /// As [`Pipeline::start`].
    pub async fn start_with(options: Options, staging: &impl Staging) -> Result<Self, LocalError> {
        let template = Template::of_this_project_with(&options.parameters)?;
        let mut sessionizer_spec = template.function("SessionizerFunction")?.clone();
        let sink_spec = template.function("SinkFunction")?.clone();
        if let Some(batch_size) = options.batch_size {
            sessionizer_spec.mapping.batch_size = batch_size;
        }

        let data_dir = options.data_dir;
        let embedded_options = LocalAwsOptions { data_dir: data_dir.clone(), ..LocalAwsOptions::default() };
        let failed = |source| LocalError::of_embedded(source, data_dir.as_deref());
        let embedded = LocalAws::start(embedded_options).await.map_err(&failed)?;
        embedded.create_resources(&template, options.shards).await.map_err(&failed)?;

        let config = sessionizer_fn::config::Config::from_variables(sessionizer_spec.environment.clone())
            .map_err(|source| LocalError::Config { function: "SessionizerFunction", source })?;
        let sink_config = sink_fn::config::Config::from_variables(sink_spec.environment.clone())
            .map_err(|source| LocalError::Config { function: "SinkFunction", source })?;
        let (sessionizer_total, sink_total) = (Total::default(), Total::default());
        let (state_log_table, state_table) = (config.state_log_table.clone(), config.state_table.clone());
        let rejected_table = config.rejected.name.clone();
        let sessions_table = sink_config.sessions_table.clone();
        let (max_clock_skew_ms, click_format) = (config.max_clock_skew_ms, config.click_format.clone());
        let (gap_ms, session_cut, grace_ms) = (config.session_gap.ms(), config.session_cut, config.close_grace_ms);
        let of_sweeps = sessionizer_options(&config, staging.slots());
        let of_batches = match options.inactivity {
            Inactivity::Closes => of_sweeps,
            Inactivity::IsIgnored => sessionizer_fn::environment::Options { grace_ms: u64::MAX, ..of_sweeps },
        };

        let sdk = &staging.client_config(embedded.client_config());
        let total = sessionizer_total.clone();
        let make_with = move |sdk: &SdkConfig, options| {
            let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_kinesis::Client::new(sdk));
            let sessionizer = Sessionizer::with_options(config.clone(), options, &dynamodb, &kinesis);
            LocalFunction::new(sessionizer, total.clone())
        };
        let timeout = Duration::from_secs(u64::from(sessionizer_spec.timeout_seconds));
        let sweeps = Sweeps::new(make_with(sdk, of_sweeps), sessionizer_spec.schedules.clone(), timeout);
        let function = staging.function(sdk, move |sdk| make_with(sdk, of_batches));
        let sessionizer = start_mapping(&embedded, &sessionizer_spec, function, staging.policy())?;
        let total = sink_total.clone();
        let make = move |sdk: &SdkConfig| {
            LocalFunction::new(Sink::new(sink_config.clone(), &aws_sdk_dynamodb::Client::new(sdk)), total.clone())
        };
        let function = staging.function(sdk, make);
        let sink = start_mapping(&embedded, &sink_spec, function, staging.policy())?;
        let environment = sessionizer_spec.environment.into_iter().chain(sink_spec.environment).collect();
        Ok(Self {
            embedded,
            environment,
            click_stream: sessionizer_spec.mapping.stream,
            session_stream: sink_spec.mapping.stream,
            sessions_table,
            state_log_table,
            state_table,
            rejected_table,
            max_clock_skew_ms,
            click_format,
            gap_ms,
            session_cut,
            grace_ms,
            sessionizer,
            sink,
            sweeps,
            sessionizer_total,
            sink_total,
        })
    }

    /// The URLs of the embedded DynamoDB and the embedded Kinesis, in this order.
    #[must_use]
    pub fn endpoint_urls(&self) -> [String; 2] {
        [self.embedded.dynamodb_url(), self.embedded.kinesis_url()]
    }

    /// The variables of both functions.
    #[must_use]
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The names of the tables.
    pub(crate) fn table_names(&self) -> TableNames {
        TableNames {
            sessions: self.sessions_table.clone(),
            state_log: self.state_log_table.clone(),
            states: self.state_table.clone(),
            rejected: self.rejected_table.clone(),
        }
    }

    /// A client of the embedded DynamoDB.
    #[must_use]
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.embedded.dynamodb()
    }

    /// A client of the embedded Kinesis.
    #[must_use]
    pub fn kinesis(&self) -> aws_sdk_kinesis::Client {
        self.embedded.kinesis()
    }

    /// The progress of the sessionizer's mapping.
    #[must_use]
    pub fn clicks(&self) -> MappingProgress {
        self.sessionizer.progress()
    }

    /// The progress of the sink's mapping.
    #[must_use]
    pub fn boundaries(&self) -> MappingProgress {
        self.sink.progress()
    }

    /// Every record in click-stream with its shard.
    ///
    /// # Errors
    /// If a call fails.
    pub async fn put_records(&self) -> Result<Vec<(String, Record)>, LocalError> {
        export::records(&self.kinesis(), &self.click_stream).await
    }

    /// The configuration of the embedded services' clients.
    #[must_use]
    pub fn client_config(&self) -> &SdkConfig {
        self.embedded.client_config()
    }

    /// Every boundary in session-stream.
    ///
    /// # Errors
    /// If a call fails or a record is not a boundary.
    pub async fn published(&self) -> Result<Vec<Boundary>, LocalError> {
        export::boundaries(&self.kinesis(), &self.session_stream).await
    }

    /// The state of each user.
    ///
    /// # Errors
    /// If a call fails or a table contains items that the functions did not write.
    pub async fn users(&self) -> Result<BTreeMap<UserId, StoredUser>, LocalError> {
        let tables = StateTables { log: &self.state_log_table, rest: &self.state_table };
        Ok(users::users(&self.dynamodb(), tables, self.click_format.columns(), ReadLimit::WholeTable).await?.items)
    }

    /// The content of all tables, together with `published`.
    ///
    /// # Errors
    /// If a call fails or a table contains items that the functions did not write.
    pub async fn found(&self, published: Vec<Boundary>) -> Result<Found, LocalError> {
        let dynamodb = self.dynamodb();
        let rejected = stored::rejected(&dynamodb, &self.rejected_table, ReadLimit::WholeTable).await?;
        Ok(Found {
            sessions: stored::sessions(&dynamodb, &self.sessions_table, ReadLimit::WholeTable).await?.items,
            states: self.users().await?,
            rejected: rejected.items.into_iter().map(|record| record.data).collect(),
            published,
        })
    }

    /// Splits every shard of click-stream in two, or merges them two by two.
    ///
    /// # Errors
    /// If Kinesis returns an error.
    pub async fn reshard(&self, split: bool) -> Result<(), LocalError> {
        Ok(self.embedded.reshard(&self.click_stream, split).await?)
    }

    /// Starts a tap of session-stream, from its first boundary.
    ///
    /// # Errors
    /// None in practice: the settings are constant.
    pub fn tap_boundaries(&self) -> Result<(Tap, Batches), LocalError> {
        self.tap(&self.session_stream)
    }

    /// Starts a tap of click-stream, from its first record.
    ///
    /// # Errors
    /// None in practice: the settings are constant.
    pub fn tap_clicks(&self) -> Result<(Tap, Batches), LocalError> {
        self.tap(&self.click_stream)
    }

    fn tap(&self, stream: &str) -> Result<(Tap, Batches), LocalError> {
        let config = MappingConfig {
            poll_interval: POLL_INTERVAL,
            idle_poll_interval: IDLE_POLL_INTERVAL,
            ..MappingConfig::new(stream)
        };
        Tap::start(self.embedded.kinesis(), config)
    }

    /// Waits until a function cannot process records, whatever the number of redeliveries: a state that cannot be read,
    /// for example. Returns the error that says so.
    pub async fn first_failure(&self) -> LocalError {
        let (function, reason) = tokio::select! {
            reason = self.sessionizer_total.first_failure() => ("SessionizerFunction", reason),
            reason = self.sink_total.first_failure() => ("SinkFunction", reason),
        };
        LocalError::Blocked { function, reason }
    }

    /// Waits until `clicks` records of click-stream are done and all boundaries they caused are stored.
    ///
    /// # Errors
    /// If an event source mapping ends early.
    pub async fn drain(&self, clicks: u64) -> Result<(), LocalError> {
        self.sessionizer.progress().wait_until_done(clicks).await?;
        self.sink.progress().wait_until_done(self.sessionizer_total.now().published).await?;
        Ok(())
    }

    /// The counts of both event source mappings: the sessionizer's, then the sink's.
    #[must_use]
    pub fn mapping_counts(&self) -> [Counts; 2] {
        [self.sessionizer.progress().counts(), self.sink.progress().counts()]
    }

    /// Stops everything. With a data directory, it then contains all tables.
    ///
    /// # Errors
    /// If an event source mapping ended with an error.
    pub async fn stop(self) -> Result<(), LocalError> {
        self.sessionizer.stop().await?;
        self.sink.stop().await?;
        self.embedded.stop().await;
        Ok(())
    }
}

/// The options that follow from `config`, but with rings of so many slots.
#[must_use]
pub fn sessionizer_options(
    config: &sessionizer_fn::config::Config,
    slots: Option<u64>,
) -> sessionizer_fn::environment::Options {
    let options = sessionizer_fn::environment::Options::from(config);
    let slots = slots.unwrap_or(options.slots);
    let bounds = Bounds::new(slots, options.buckets, options.memory_bytes);
    sessionizer_fn::environment::Options { slots, bounds, ..options }
}

/// A mapping with the template's settings, except for its batching window: [`BATCHING_WINDOW`].
fn start_mapping(
    embedded: &LocalAws,
    spec: &FunctionSpec,
    function: impl Function,
    policy: impl DeliveryPolicy,
) -> Result<EventSourceMapping, LocalError> {
    let stream = spec.mapping.stream.clone();
    let config = MappingConfig {
        batch_size: spec.mapping.batch_size as usize,
        maximum_batching_window: BATCHING_WINDOW,
        poll_interval: POLL_INTERVAL,
        idle_poll_interval: IDLE_POLL_INTERVAL,
        function_timeout: Duration::from_secs(u64::from(spec.timeout_seconds)),
        bisect_batch_on_function_error: spec.mapping.bisect_batch_on_function_error,
        ..MappingConfig::new(&stream)
    };
    EventSourceMapping::start_with_policy(embedded.kinesis(), config, function, policy)
        .map_err(|source| LocalError::MappingConfig { stream, source })
}
