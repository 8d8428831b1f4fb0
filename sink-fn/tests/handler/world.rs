//! The template's tables, sinks that use them, and access to the results.

use kinesis_function::config::Settings;
use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::handler::HandlerOutput;
use kinesis_function::statements::Item;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
pub use local_aws::redelivered_from as named;
use local_aws::{HandMadeRecord, LocalAws, LocalAwsOptions, Template};
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::columns::declaration::SessionColumns;
use shared::columns::published::PublishedColumns;
use shared::event_time::EventTime;
use shared::session::{Status, TouchedSession};
use shared::user_id::UserId;
use sink_fn::config::Config;
use sink_fn::handler::Sink;
use sink_fn::report::Report;
use sink_fn::session_item;

pub const NOW_MS: u64 = 1_721_390_600_000;

pub struct World {
    pub embedded: LocalAws,
    config: Config,
}

pub const OPEN: Status = Status::Open;

pub fn closed(end_ms: u64, event_count: u64) -> Status {
    Status::Closed { end: EventTime::from_ms(end_ms).unwrap(), event_count }
}

/// Session `ordinal` of user `u`, started at 100 000 ms, at `version`.
pub fn boundary(ordinal: u64, status: Status, version: u64) -> Boundary {
    let attributes = Attributes { event_name: Some(format!("at {version}").into()), ..Attributes::default() };
    let start = EventTime::from_ms(100_000).unwrap();
    let session = TouchedSession { ordinal, start, attributes, columns: PublishedColumns::default(), status };
    Boundary::of(&UserId::new("u").unwrap(), session, &SessionColumns::default(), Version::new(version))
}

fn key(ordinal: u64) -> Item {
    let user_id = AttributeValue::S("u".to_owned());
    [("user_id".to_owned(), user_id), ("ordinal".to_owned(), AttributeValue::N(ordinal.to_string()))].into()
}

pub fn bytes(boundaries: &[Boundary]) -> Vec<Vec<u8>> {
    boundaries.iter().map(|boundary| boundary.encode().unwrap()).collect()
}

impl World {
    pub async fn start() -> Self {
        let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        let template = Template::of_this_project().unwrap();
        embedded.create_resources(&template, Some(1)).await.unwrap();
        let config = Config::from_variables(template.function("SinkFunction").unwrap().environment.clone()).unwrap();
        Self { embedded, config }
    }

    pub fn sink(&self) -> Sink {
        Sink::new(self.config.clone(), &self.embedded.dynamodb())
    }

    /// A sink that keeps sessions for `days` days after their last change, with streams that keep records for `hours`.
    pub fn sink_keeping_for(&self, days: u64, hours: u64) -> Sink {
        let config = Config { session_retention_days: days, stream_retention_hours: hours, ..self.config.clone() };
        Sink::new(config, &self.embedded.dynamodb())
    }

    /// A sink for sessions with these columns.
    pub fn sink_with_columns(&self, declaration: &str) -> Sink {
        let config = Config { columns: SessionColumns::parse(declaration).unwrap(), ..self.config.clone() };
        Sink::new(config, &self.embedded.dynamodb())
    }

    /// A sink whose calls fail according to `plan`.
    pub fn faulty(&self, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> (Sink, FaultyHttpClient) {
        let config = self.embedded.client_config();
        let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
        let config = config.to_builder().http_client(http.clone()).build();
        (Sink::new(self.config.clone(), &aws_sdk_dynamodb::Client::new(&config)), http)
    }

    /// The item of session `ordinal` of user `u`.
    pub async fn item(&self, ordinal: u64) -> Option<Item> {
        let get = self.embedded.dynamodb().get_item().table_name("sessions").set_key(Some(key(ordinal)));
        get.consistent_read(true).send().await.unwrap().item
    }

    /// Session `ordinal` of user `u`.
    pub async fn session(&self, ordinal: u64) -> Boundary {
        session_item::decode(&self.item(ordinal).await.expect("an item")).unwrap()
    }

    /// Puts an item that the sink did not write under the key of session `ordinal` of user `u`.
    pub async fn put_foreign(&self, ordinal: u64, version: Option<AttributeValue>) {
        let mut item = key(ordinal);
        item.extend(version.map(|version| ("version".to_owned(), version)));
        let put = self.embedded.dynamodb().put_item().table_name("sessions").set_item(Some(item));
        put.send().await.unwrap();
    }

    /// All items, tombstones included.
    pub async fn table(&self) -> BTreeMap<String, Boundary> {
        let items = self.embedded.dynamodb().scan().table_name("sessions").send().await.unwrap().items.unwrap();
        let sessions = items.iter().map(|item| session_item::decode(item).unwrap());
        sessions.map(|session| (session.session_id(), session)).collect()
    }
}

/// Invokes the handler with these records and a budget of ten seconds.
pub async fn invoke(sink: &Sink, records: &[Vec<u8>]) -> HandlerOutput<Report> {
    invoke_for(Duration::from_secs(10), sink, records).await
}

/// Invokes the handler with a budget of `time`. Sequence numbers count from 1.
pub async fn invoke_for(time: Duration, sink: &Sink, records: &[Vec<u8>]) -> HandlerOutput<Report> {
    let records = records.iter().enumerate().map(|(index, data)| HandMadeRecord {
        sequence_number: (index + 1).to_string(),
        partition_key: "u".to_owned(),
        data: data.clone(),
        arrival_ms: 1_721_390_500_000,
    });
    let time = TimeBudget::lasting(NOW_MS, time);
    local_aws::invoke(sink, time, ("session-stream", "s1"), records.collect()).await.unwrap()
}
