//! The template's streams and tables, sessionizers that use them, and invocations at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_types::SdkConfig;
use kinesis_function::config::Settings;
use kinesis_function::handler::HandlerOutput;
use kinesis_function::sweep::{SweepOutput, handle_sweep};
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
pub use local_aws::redelivered_from as named;
use local_aws::{HandMadeRecord, KinesisServerOptions, LocalAws, LocalAwsOptions, Template};
use sessionizer_fn::bucket::bounds::Bounds;
use sessionizer_fn::config::Config;
use sessionizer_fn::environment::Options;
use sessionizer_fn::handler::Sessionizer;
use sessionizer_fn::report::Report;

use crate::calls::{Calls, Kind};

/// When records arrive and when invocations begin, unless a test says otherwise: long after the record's arrival, so
/// that a shard counts as catching up and nobody becomes inactive.
pub const ARRIVAL_MS: u64 = 1_721_390_500_000;
pub const NOW_MS: u64 = 1_721_390_600_000;

/// The origin of the tests' times, in Unix milliseconds: a day before the records arrive, so that none is in the
/// future.
pub const BEGIN_MS: u64 = ARRIVAL_MS - 86_400_000;

/// The budget of an invocation, unless a test says otherwise.
const BUDGET: Duration = Duration::from_secs(10);

/// The services, and the variables and the ring of all sessionizers that use them.
pub struct World {
    pub embedded: LocalAws,
    variables: BTreeMap<String, String>,
    slots: Option<u64>,
}

/// A record of click-stream.
#[derive(Clone)]
pub struct Sent {
    pub sequence_number: u64,
    pub partition_key: String,
    pub data: Vec<u8>,
    pub arrival_ms: u64,
}

/// A click of `user`, `ms` milliseconds after [`BEGIN_MS`], with the user as its partition key.
pub fn click(sequence_number: u64, user: &str, ms: u64) -> Sent {
    click_at(sequence_number, user, BEGIN_MS + ms)
}

/// A click of `user` at `ms` (Unix milliseconds), with the user as its partition key.
pub fn click_at(sequence_number: u64, user: &str, ms: u64) -> Sent {
    let json = format!(r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"e{sequence_number}"}}"#);
    Sent { arrival_ms: ARRIVAL_MS, ..record(sequence_number, user, json.as_bytes()) }
}

/// A click of `user` that arrives when it is made, `ms` milliseconds after [`BEGIN_MS`].
pub fn live(sequence_number: u64, user: &str, ms: u64) -> Sent {
    Sent { arrival_ms: BEGIN_MS + ms, ..click(sequence_number, user, ms) }
}

impl Sent {
    /// The same record, arriving `ms` milliseconds later.
    pub fn delayed(mut self, ms: u64) -> Self {
        self.arrival_ms += ms;
        self
    }
}

/// A record with these bytes.
pub fn record(sequence_number: u64, partition_key: &str, data: &[u8]) -> Sent {
    let (partition_key, data) = (partition_key.to_owned(), data.to_vec());
    Sent { sequence_number, partition_key, data, arrival_ms: ARRIVAL_MS }
}

impl World {
    /// With the template's settings.
    pub async fn start() -> Self {
        Self::start_with(None, &[]).await
    }

    /// With one bucket and a ring of `slots` slots.
    pub async fn with_ring(slots: u64) -> Self {
        Self::start_with(Some(slots), &[("STATE_BUCKETS", "1")]).await
    }

    /// With these variables overriding the template's.
    pub async fn start_with(slots: Option<u64>, variables: &[(&str, &str)]) -> Self {
        Self::start_on(LocalAwsOptions::default(), slots, variables).await
    }

    /// Like [`Self::start_with`], with shards that take any number of records.
    pub async fn unlimited(slots: Option<u64>, variables: &[(&str, &str)]) -> Self {
        let kinesis = KinesisServerOptions { enforce_limits: false };
        Self::start_on(LocalAwsOptions { kinesis, ..LocalAwsOptions::default() }, slots, variables).await
    }

    async fn start_on(services: LocalAwsOptions, slots: Option<u64>, variables: &[(&str, &str)]) -> Self {
        let embedded = LocalAws::start(services).await.unwrap();
        let template = Template::of_this_project().unwrap();
        embedded.create_resources(&template, Some(1)).await.unwrap();
        let mut all = template.function("SessionizerFunction").unwrap().environment.clone();
        all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { embedded, variables: all, slots }
    }

    pub fn config(&self, variables: &[(&str, &str)]) -> Config {
        let changed = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(self.variables.clone().into_iter().chain(changed)).unwrap()
    }

    pub fn options(&self, config: &Config) -> Options {
        let options = Options::from(config);
        let slots = self.slots.unwrap_or(options.slots);
        Options { slots, bounds: Bounds::new(slots, options.buckets, options.memory_bytes), ..options }
    }

    /// A new execution environment.
    pub fn sessionizer(&self) -> Sessionizer {
        self.sessionizer_with(&[])
    }

    /// A new execution environment with these variables overriding the world's.
    pub fn sessionizer_with(&self, variables: &[(&str, &str)]) -> Sessionizer {
        self.sessionizer_over(self.embedded.client_config(), variables)
    }

    /// A new execution environment whose calls fail according to `plan`, which is told how many calls of that kind
    /// there were before.
    pub fn faulty(&self, plan: impl FnMut(Kind, usize, &Call) -> Fault + Send + 'static) -> (Sessionizer, Calls) {
        self.faulty_with(&[], plan)
    }

    /// Like [`Self::faulty`], with these variables overriding the world's.
    pub fn faulty_with(
        &self,
        variables: &[(&str, &str)],
        mut plan: impl FnMut(Kind, usize, &Call) -> Fault + Send + 'static,
    ) -> (Sessionizer, Calls) {
        let calls = Calls::default();
        let (counted, config) = (calls.clone(), self.embedded.client_config());
        let http = FaultyHttpClient::new(config.http_client().unwrap(), move |call| {
            let (kind, number) = counted.count(call);
            plan(kind, number, call)
        });
        let config = config.to_builder().http_client(http).build();
        (self.sessionizer_over(&config, variables), calls)
    }

    /// A new execution environment whose calls are counted.
    pub fn counted(&self) -> (Sessionizer, Calls) {
        self.faulty(|_, _, _| Fault::None)
    }

    fn sessionizer_over(&self, sdk: &SdkConfig, variables: &[(&str, &str)]) -> Sessionizer {
        let config = self.config(variables);
        let options = self.options(&config);
        let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_kinesis::Client::new(sdk));
        Sessionizer::with_options(config, options, &dynamodb, &kinesis)
    }
}

/// A sessionizer with the deployed client configuration and a `plan` that lets no call through.
pub fn offline(plan: impl FnMut(&Call) -> Fault + Send + 'static) -> Sessionizer {
    let variables =
        ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.to_owned(), "x".to_owned()));
    let sdk = kinesis_function::aws::sdk_config(variables).unwrap();
    let http = FaultyHttpClient::new(sdk.http_client().unwrap(), plan);
    let sdk = sdk.to_builder().http_client(http).build();
    let template = Template::of_this_project().unwrap();
    let config = Config::from_variables(template.function("SessionizerFunction").unwrap().environment.clone()).unwrap();
    Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &aws_sdk_kinesis::Client::new(&sdk))
}

/// Invokes the handler with `records` of `shard` at [`NOW_MS`].
pub async fn invoke(sessionizer: &Sessionizer, shard: &str, records: &[Sent]) -> HandlerOutput<Report> {
    invoke_for(BUDGET, sessionizer, shard, records).await
}

/// Invokes the handler at [`NOW_MS`] with a budget of `time`.
pub async fn invoke_for(
    time: Duration,
    sessionizer: &Sessionizer,
    shard: &str,
    records: &[Sent],
) -> HandlerOutput<Report> {
    invoke_within(TimeBudget::lasting(NOW_MS, time), sessionizer, shard, records).await
}

/// Invokes the handler `ms` milliseconds after [`BEGIN_MS`].
pub async fn invoke_at(ms: u64, sessionizer: &Sessionizer, shard: &str, records: &[Sent]) -> HandlerOutput<Report> {
    invoke_within(TimeBudget::lasting(BEGIN_MS + ms, BUDGET), sessionizer, shard, records).await
}

async fn invoke_within(
    time: TimeBudget,
    sessionizer: &Sessionizer,
    shard: &str,
    records: &[Sent],
) -> HandlerOutput<Report> {
    let records = records.iter().cloned().map(|record| HandMadeRecord {
        sequence_number: record.sequence_number.to_string(),
        partition_key: record.partition_key,
        data: record.data,
        arrival_ms: record.arrival_ms.try_into().unwrap(),
    });
    // "stream/shard" names another stream.
    let place = shard.split_once('/').unwrap_or(("click-stream", shard));
    // Boxed, because the compiler limits how deep futures may be nested.
    Box::pin(local_aws::invoke(sessionizer, time, place, records.collect())).await.unwrap()
}

/// Sweeps `ms` milliseconds after [`BEGIN_MS`].
pub async fn sweep_at(ms: u64, sessionizer: &Sessionizer) -> SweepOutput<Report> {
    sweep_for(BUDGET, ms, sessionizer).await
}

/// Sweeps `ms` milliseconds after [`BEGIN_MS`], with a budget of `time`.
pub async fn sweep_for(time: Duration, ms: u64, sessionizer: &Sessionizer) -> SweepOutput<Report> {
    Box::pin(handle_sweep(sessionizer, TimeBudget::lasting(BEGIN_MS + ms, time))).await.unwrap()
}

/// Long after everything that tests do, in milliseconds after [`BEGIN_MS`]: everybody is inactive then.
pub const IN_THE_END_MS: u64 = 2 * 86_400_000;
