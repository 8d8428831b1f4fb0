//! The template's streams and tables, sessionizers that use them, and access to the results.

use kinesis_function::config::Settings;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use kinesis_function::handler::HandlerOutput;
use kinesis_function::statements::Item;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
pub use local_aws::redelivered_from as named;
use local_aws::{HandMadeRecord, LocalAws, LocalAwsOptions, Template};
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;
use sessionizer_fn::report::Report;
use sessionizer_fn::state::UserState;
use sessionizer_fn::state_item;
use shared::boundary::Boundary;

pub const ARRIVAL_MS: i64 = 1_721_390_500_000;
pub const NOW_MS: u64 = 1_721_390_600_000;

/// The origin of most tests' times, in Unix milliseconds: a day before the records arrive, so that none is in the
/// future.
pub const BEGIN_MS: u64 = ARRIVAL_MS.unsigned_abs() - 86_400_000;

pub struct World {
    pub embedded: LocalAws,
    environment: BTreeMap<String, String>,
}

/// A record of click-stream: sequence number, partition key, bytes.
pub type Sent = (u64, String, Vec<u8>);

/// A click of `user`, `ms` milliseconds after [`BEGIN_MS`], with the user as its partition key.
pub fn click(sequence_number: u64, user: &str, ms: u64) -> Sent {
    click_at(sequence_number, user, BEGIN_MS + ms)
}

/// A click of `user` at `ms` (Unix milliseconds), with the user as its partition key.
pub fn click_at(sequence_number: u64, user: &str, ms: u64) -> Sent {
    let json = format!(r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"e{sequence_number}"}}"#);
    (sequence_number, user.to_owned(), json.into_bytes())
}

impl World {
    pub async fn start() -> Self {
        let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        let template = Template::of_this_project().unwrap();
        embedded.create_resources(&template, Some(1)).await.unwrap();
        let environment = template.function("SessionizerFunction").unwrap().environment.clone();
        Self { embedded, environment }
    }

    pub fn sessionizer(&self) -> Sessionizer {
        self.sessionizer_with(&[])
    }

    /// A sessionizer with these variables overriding the template's.
    pub fn sessionizer_with(&self, variables: &[(&str, &str)]) -> Sessionizer {
        Sessionizer::new(self.config(variables), &self.embedded.dynamodb(), &self.embedded.kinesis())
    }

    /// A sessionizer whose calls fail according to `plan`.
    pub fn faulty(&self, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> (Sessionizer, FaultyHttpClient) {
        let config = self.embedded.client_config();
        let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
        let config = config.to_builder().http_client(http.clone()).build();
        let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&config), aws_sdk_kinesis::Client::new(&config));
        (Sessionizer::new(self.config(&[]), &dynamodb, &kinesis), http)
    }

    fn config(&self, variables: &[(&str, &str)]) -> Config {
        let changed = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_variables(self.environment.clone().into_iter().chain(changed)).unwrap()
    }

    /// All boundaries in session-stream.
    pub async fn published(&self) -> Vec<Boundary> {
        let kinesis = self.embedded.kinesis();
        let shard = "shardId-000000000000";
        let iterator = kinesis
            .get_shard_iterator()
            .stream_name("session-stream")
            .shard_id(shard)
            .shard_iterator_type(aws_sdk_kinesis::types::ShardIteratorType::TrimHorizon);
        let mut iterator = iterator.send().await.unwrap().shard_iterator;
        let mut boundaries = Vec::new();
        loop {
            let page = kinesis.get_records().set_shard_iterator(iterator).send().await.unwrap();
            boundaries.extend(page.records.iter().map(|record| Boundary::decode(record.data.as_ref()).unwrap()));
            if page.records.is_empty() && page.millis_behind_latest.unwrap_or(0) == 0 {
                return boundaries;
            }
            iterator = page.next_shard_iterator;
        }
    }

    /// The published boundaries as session id and status, sorted.
    pub async fn told(&self) -> Vec<(String, &'static str)> {
        let boundaries = self.published().await;
        let mut told: Vec<_> = boundaries.into_iter().map(|b| (b.session_id, b.status.unwrap().word())).collect();
        told.sort();
        told
    }

    pub async fn state_item(&self, user: &str) -> Option<Item> {
        let key = AttributeValue::S(user.to_owned());
        let get = self.embedded.dynamodb().get_item().table_name("session-state").key("user_id", key);
        get.send().await.unwrap().item
    }

    pub async fn state(&self, user: &str) -> UserState {
        state_item::decode(&self.state_item(user).await.expect("a state")).unwrap()
    }

    pub async fn rejected(&self) -> Vec<Item> {
        let scan = self.embedded.dynamodb().scan().table_name("rejected-records");
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }
}

/// The deployed client configuration, for a `plan` that lets no call through.
pub fn offline(plan: impl FnMut(&Call) -> Fault + Send + 'static) -> SdkConfig {
    let variables =
        ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.to_owned(), "x".to_owned()));
    let sdk = kinesis_function::aws::sdk_config(variables).unwrap();
    let http = FaultyHttpClient::new(sdk.http_client().unwrap(), plan);
    sdk.to_builder().http_client(http).build()
}

/// The template's settings.
pub fn config() -> Config {
    let template = Template::of_this_project().unwrap();
    Config::from_variables(template.function("SessionizerFunction").unwrap().environment.clone()).unwrap()
}

/// Invokes the handler with `records` of `shard` and a budget of ten seconds.
pub async fn invoke(sessionizer: &Sessionizer, shard: &str, records: &[Sent]) -> HandlerOutput<Report> {
    invoke_for(Duration::from_secs(10), sessionizer, shard, records).await
}

/// Invokes the handler with a budget of `time`.
pub async fn invoke_for(
    time: Duration,
    sessionizer: &Sessionizer,
    shard: &str,
    records: &[Sent],
) -> HandlerOutput<Report> {
    let records = records.iter().map(|(sequence_number, partition_key, data)| HandMadeRecord {
        sequence_number: sequence_number.to_string(),
        partition_key: partition_key.clone(),
        data: data.clone(),
        arrival_ms: ARRIVAL_MS,
    });
    // "stream/shard" names another stream.
    let place = shard.split_once('/').unwrap_or(("click-stream", shard));
    local_aws::invoke(sessionizer, TimeBudget::lasting(NOW_MS, time), place, records.collect()).await.unwrap()
}
