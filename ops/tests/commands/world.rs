//! The template's resources, the functions that fill them, and `sessionctl` as an operator runs it.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesis::types::ShardIteratorType;
use aws_types::SdkConfig;
use kinesis_function::config::Settings as _;
use kinesis_function::statements::Item;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::{HandMadeRecord, LocalAws, LocalAwsOptions, Template};
use ops::time_text::now_ms;
use serde_json::json;
use sessionizer_fn::bucket::bounds::Bounds;
use sessionizer_fn::environment::Options;
use sessionizer_fn::handler::Sessionizer;
use sink_fn::handler::Sink;

const BUDGET: Duration = Duration::from_secs(10);

/// One bucket's ring.
pub const SLOTS: u64 = 8;

pub struct World {
    pub embedded: LocalAws,
    /// Seconds of clicks count from here, in Unix milliseconds: an hour ago.
    pub begin_ms: u64,
    next_record: AtomicU64,
}

/// A click: user, second, name of the event.
pub type Second<'a> = (&'a str, u64, &'a str);

impl World {
    pub async fn start() -> Self {
        Self::with_shards(1).await
    }

    /// The same with so many shards in each stream.
    pub async fn with_shards(shards: u32) -> Self {
        let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        embedded.create_resources(&Template::of_this_project().unwrap(), Some(shards)).await.unwrap();
        Self { embedded, begin_ms: (now_ms() - 3_600_000) / 1_000 * 1_000, next_record: AtomicU64::new(1) }
    }

    /// A new environment of the sessionizer, with one bucket and a short ring.
    pub fn sessionizer(&self) -> Sessionizer {
        self.sessionizer_over(self.embedded.client_config())
    }

    /// The same, whose calls fail according to `plan`.
    pub fn faulty_sessionizer(&self, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> Sessionizer {
        self.sessionizer_over(&self.faulty(plan))
    }

    fn sessionizer_over(&self, sdk: &SdkConfig) -> Sessionizer {
        let mut variables =
            Template::of_this_project().unwrap().function("SessionizerFunction").unwrap().environment.clone();
        variables.insert("STATE_BUCKETS".to_owned(), "1".to_owned());
        let config = sessionizer_fn::config::Config::from_variables(variables).unwrap();
        let options = Options::from(&config);
        let options = Options { slots: SLOTS, bounds: Bounds::new(SLOTS, 1, options.memory_bytes), ..options };
        let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_kinesis::Client::new(sdk));
        Sessionizer::with_options(config, options, &dynamodb, &kinesis)
    }

    /// A client configuration whose calls fail according to `plan`.
    pub fn faulty(&self, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> SdkConfig {
        let config = self.embedded.client_config();
        let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
        config.to_builder().http_client(http).build()
    }

    /// Invokes the sessionizer with these clicks, which arrive when they are made.
    pub async fn click(&self, sessionizer: &Sessionizer, clicks: &[Second<'_>]) {
        let output = self.click_once(sessionizer, clicks).await;
        assert_eq!(output, None, "all records are done");
    }

    /// The same; returns where Lambda would redeliver from.
    pub async fn click_once(&self, sessionizer: &Sessionizer, clicks: &[Second<'_>]) -> Option<String> {
        let first = self.next_record.fetch_add(clicks.len() as u64, Ordering::Relaxed);
        self.deliver(sessionizer, first, clicks).await
    }

    /// Delivers the last `clicks` again.
    pub async fn redeliver(&self, sessionizer: &Sessionizer, clicks: &[Second<'_>]) {
        let first = self.next_record.load(Ordering::Relaxed) - clicks.len() as u64;
        assert_eq!(self.deliver(sessionizer, first, clicks).await, None, "all records are done");
    }

    async fn deliver(&self, sessionizer: &Sessionizer, first: u64, clicks: &[Second<'_>]) -> Option<String> {
        let record = |(number, (user, second, event)): (u64, &Second<'_>)| {
            let ms = self.begin_ms + second * 1_000;
            HandMadeRecord {
                sequence_number: number.to_string(),
                partition_key: (*user).to_owned(),
                data: json!({ "user_id": user, "event_timestamp": ms, "event_name": event }).to_string().into_bytes(),
                arrival_ms: ms.try_into().unwrap(),
            }
        };
        let records = (first..).zip(clicks).map(record).collect();
        let place = ("click-stream", "shardId-000000000000");
        let time = TimeBudget::lasting(now_ms(), BUDGET);
        let output = Box::pin(local_aws::invoke(sessionizer, time, place, records)).await.unwrap();
        local_aws::redelivered_from(&output).map(str::to_owned)
    }

    /// Sweeps ten minutes from now: everybody who has clicked is inactive, and no shard is catching up.
    pub async fn sweep(&self, sessionizer: &Sessionizer) {
        let time = TimeBudget::lasting(now_ms() + 600_000, BUDGET);
        Box::pin(handle_sweep(sessionizer, time)).await.unwrap();
    }

    /// All that was published, oldest first.
    pub async fn published(&self) -> Vec<Vec<u8>> {
        let kinesis = self.embedded.kinesis();
        let iterator = kinesis.get_shard_iterator().stream_name("session-stream").shard_id("shardId-000000000000");
        let iterator = iterator.shard_iterator_type(ShardIteratorType::TrimHorizon).send().await.unwrap();
        let page = kinesis.get_records().set_shard_iterator(iterator.shard_iterator).send().await.unwrap();
        page.records.into_iter().map(|record| record.data.into_inner()).collect()
    }

    /// Puts a record into session-stream.
    pub async fn publish(&self, partition_key: &str, data: &str) {
        let put = self.embedded.kinesis().put_record().stream_name("session-stream").partition_key(partition_key);
        put.data(Blob::new(data)).send().await.unwrap();
    }

    /// Delivers these records to the sink.
    pub async fn store(&self, boundaries: &[Vec<u8>]) {
        let variables = Template::of_this_project().unwrap().function("SinkFunction").unwrap().environment.clone();
        let config = sink_fn::config::Config::from_variables(variables).unwrap();
        let sink = Sink::new(config, &self.embedded.dynamodb());
        let records = boundaries.iter().enumerate().map(|(index, data)| HandMadeRecord {
            sequence_number: (index + 1).to_string(),
            partition_key: "any".to_owned(),
            data: data.clone(),
            arrival_ms: now_ms().try_into().unwrap(),
        });
        let time = TimeBudget::lasting(now_ms(), BUDGET);
        let output = local_aws::invoke(&sink, time, ("session-stream", "s"), records.collect()).await.unwrap();
        assert_eq!(local_aws::redelivered_from(&output), None);
    }

    /// Delivers all that was published to the sink.
    pub async fn store_published(&self) {
        self.store(&self.published().await).await;
    }

    pub async fn put(&self, table: &str, item: &[(&str, AttributeValue)]) {
        let item = item.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.embedded.dynamodb().put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
    }

    /// Puts a rejected record at `number`.
    pub async fn reject(&self, number: u64, partition_key: &str, data: &str) {
        let shard = "click-stream/shardId-000000000000";
        let item = [
            ("position", text(&format!("{shard}/{number}"))),
            ("source", text(shard)),
            ("sequence_number", text(&number.to_string())),
            ("partition_key", text(partition_key)),
            ("reason", text("not_json")),
            ("message", text("expected value")),
            ("arrival_time", digits(number)),
            ("data_length", digits(data.len() as u64)),
            ("data", AttributeValue::B(aws_sdk_dynamodb::primitives::Blob::new(data))),
        ];
        self.put("rejected-records", &item).await;
    }

    /// The number of the newest commit.
    pub async fn head(&self) -> u64 {
        let numbers = self.items("state-log").await.into_values();
        numbers.filter_map(|item| item.get("commit")?.as_n().ok()?.parse().ok()).max().unwrap()
    }

    /// All items of a table, by key.
    pub async fn items(&self, table: &str) -> BTreeMap<String, Item> {
        let items = self.embedded.dynamodb().scan().table_name(table).send().await.unwrap().items.unwrap();
        let key = |item: &Item| {
            let part = |name: &str| match item.get(name) {
                Some(AttributeValue::S(text)) => text.clone(),
                Some(AttributeValue::N(digits)) => digits.clone(),
                _ => String::new(),
            };
            match table {
                "sessions" => format!("{}_{}", part("user_id"), part("ordinal")),
                "session-state" => part("user_id"),
                "rejected-records" => part("position"),
                _ => part("slot"),
            }
        };
        items.into_iter().map(|item| (key(&item), item)).collect()
    }

    /// Id, status and first event of each session in the table, without tombstones; `of` selects users.
    pub async fn sessions(&self, of: impl Fn(&str) -> bool) -> Vec<String> {
        let items = self.items("sessions").await;
        let sessions = items.values().map(|item| sink_fn::session_item::decode(item).unwrap());
        let sessions = sessions.filter(|it| it.status != Some(shared::session::Status::Retracted));
        let row = |it: shared::boundary::Boundary| {
            let event = it.attributes.event_name.clone().unwrap_or_default();
            format!("{} {} {event}", it.session_id(), it.status.unwrap().word())
        };
        sessions.filter(|it| of(it.user_id.as_str())).map(row).collect()
    }

    /// `sessionctl` with `arguments` and only the variables that point it to these services.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sessionctl"));
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env("AWS_ENDPOINT_URL_DYNAMODB", self.embedded.dynamodb_url());
        command.env("AWS_ENDPOINT_URL_KINESIS", self.embedded.kinesis_url());
        command
    }

    /// Exit status, standard output and standard error of a command.
    pub fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// The objects that a command writes with `--json`.
    pub fn json(&self, arguments: &[&str]) -> Vec<serde_json::Value> {
        let (status, stdout, stderr) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(status, Some(0), "{stderr}");
        assert!(stderr.starts_with("account 000000000000, region us-east-1\n"), "{stderr}");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

pub fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub fn digits(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
