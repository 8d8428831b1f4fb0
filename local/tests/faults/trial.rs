//! Runs one stream through both functions under a script of faults and compares the resulting tables and stream.

use kinesis_function::config::Settings;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::streams::KinesisEventResponse;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use kinesis_function::event::Event;
use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;
use local::chaos::expected::Expected;
use local::chaos::verdict::{Found, compare};
use local_aws::faults::{Call, Fault, FaultyHttpClient, Hold};
use local_aws::{HandMadeRecord, hand_made_event, with_time_scaled};
use sessionizer_fn::handler::Sessionizer;
use sessionizer_fn::state_item;
use shared::boundary::Boundary;
use shared::click::{Click, LatestBelievable};
use shared::session_rule::{SessionGap, Status};
use shared::user_id::UserId;
use sink_fn::handler::Sink;
use tokio::sync::{mpsc, oneshot};

use crate::scenarios::{Content, Scenario, Sent};
use crate::world::{Published, World};

const ARRIVAL_MS: i64 = 1_721_390_500_000;
/// Time zero of the scenarios, in Unix milliseconds.
const BEGIN_MS: u64 = 1_721_390_000_000;
const GAP: SessionGap = SessionGap::from_ms(10_000);

/// How much faster than the clock the time-outs of calls run: a call without a response fails after half a second.
const SPEED_OF_TIMEOUTS: f64 = 10.0;

/// More attempts than the faults of any script.
const MOST_ATTEMPTS: usize = 30;

/// A fault to inject into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    Throttled,
    InternalError,
    NotSent,
    ReplyLost,
    NoAnswer,
    Slow,
    /// One part is rejected; only for calls with parts.
    Part(usize),
    AllParts,
    DieBefore,
    DieAfter,
}

impl Injection {
    /// Every fault that `call` can meet.
    pub fn all_for(call: &Call) -> Vec<Self> {
        let whole = [
            Self::Throttled,
            Self::InternalError,
            Self::NotSent,
            Self::ReplyLost,
            Self::NoAnswer,
            Self::Slow,
            Self::DieBefore,
            Self::DieAfter,
        ];
        let parts = (0..call.parts).map(Self::Part);
        let all_parts = (call.parts > 1).then_some(Self::AllParts);
        whole.into_iter().chain(parts).chain(all_parts).collect()
    }
}

/// Faults by the number of the call, counted over the whole trial.
pub type Script = BTreeMap<usize, Injection>;

/// Reports that a call is held, and releases it.
type Held = (oneshot::Receiver<()>, oneshot::Sender<()>);

/// A record of click-stream.
#[derive(Clone, Debug)]
pub struct Record {
    pub shard: String,
    pub number: u64,
    pub key: String,
    pub data: Vec<u8>,
}

pub struct Trial<'w> {
    world: &'w World,
    pub name: String,
    pub sessionizer: Sessionizer,
    pub sink: Sink,
    calls: Arc<Mutex<Vec<Call>>>,
    deaths: mpsc::UnboundedReceiver<Held>,
    now_ms: u64,
    /// The observed versions of users' states.
    committed: BTreeMap<UserId, BTreeSet<u64>>,
    users: BTreeSet<UserId>,
    records: Vec<Record>,
    published: Vec<Boundary>,
}

/// Runs a scenario under a script and returns the calls.
pub async fn run(world: &World, scenario: &Scenario, script: Script) -> Vec<Call> {
    let mut trial = Trial::new(world, script.clone());
    for batch in scenario.batches {
        let batch = trial.records_of(batch);
        trial.deliver_clicks(&batch).await;
    }
    trial.deliver_boundaries(|_| ()).await;
    let outcome = trial.check().await.and_then(|()| trial.check_versions());
    outcome.unwrap_or_else(|difference| panic!("{}, {script:?}: {difference}", scenario.name));
    let calls = trial.calls.lock().unwrap();
    calls.clone()
}

impl<'w> Trial<'w> {
    pub fn new(world: &'w World, script: Script) -> Self {
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (deaths_sender, deaths) = mpsc::unbounded_channel();
        let made = Arc::clone(&calls);
        let sdk = faulty(world.sdk(), SPEED_OF_TIMEOUTS, move |call| {
            let mut made = made.lock().unwrap();
            made.push(call.clone());
            let held = |fault: fn(Hold) -> Fault| {
                let (hold, is_there, let_go) = Hold::new();
                deaths_sender.send((is_there, let_go)).unwrap();
                fault(hold)
            };
            match script.get(&(made.len() - 1)) {
                None => Fault::None,
                Some(Injection::Throttled) => Fault::Throttled,
                Some(Injection::InternalError) => Fault::InternalError,
                Some(Injection::NotSent) => Fault::NotSent,
                Some(Injection::ReplyLost) => Fault::ReplyLost,
                Some(Injection::NoAnswer) => Fault::NoAnswer,
                Some(Injection::Slow) => Fault::Slow(Duration::from_millis(20)),
                Some(Injection::Part(_) | Injection::AllParts) if call.parts == 0 => Fault::None,
                Some(Injection::Part(part)) => Fault::PartsThrottled(vec![*part]),
                Some(Injection::AllParts) => Fault::PartsThrottled((0..call.parts).collect()),
                Some(Injection::DieBefore) => held(Fault::Held),
                Some(Injection::DieAfter) => held(Fault::ReplyHeld),
            }
        });
        let (sessionizer, sink) = functions(world, &sdk);
        Self {
            world,
            name: world.next_name(),
            sessionizer,
            sink,
            calls,
            deaths,
            now_ms: 1_721_390_600_000,
            committed: BTreeMap::new(),
            users: BTreeSet::new(),
            records: Vec::new(),
            published: Vec::new(),
        }
    }

    /// A scenario's records under this trial's names, added to the stream.
    pub fn records_of(&mut self, batch: &[Sent]) -> Vec<Record> {
        let records = batch.iter().map(|sent| {
            let shard = format!("{}-{}", self.name, sent.shard);
            match sent.content {
                Content::Poison => {
                    let data = format!("poison {}", sent.number).into_bytes();
                    Record { shard, number: sent.number, key: "none".to_owned(), data }
                }
                Content::Click(user, ms) => {
                    let (user, ms) = (format!("{}-{user}", self.name), BEGIN_MS + ms);
                    let json = format!(
                        r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"{}{}"}}"#,
                        sent.shard, sent.number
                    );
                    Record { shard, number: sent.number, key: user, data: json.into_bytes() }
                }
            }
        });
        let records: Vec<_> = records.collect();
        records.iter().for_each(|record| self.note(record));
        records
    }

    /// Adds a record to the stream.
    pub fn note(&mut self, record: &Record) {
        if let Ok(click) = decoded(&record.data) {
            self.users.insert(click.user_id);
        }
        self.records.push(record.clone());
    }

    /// Delivers a batch until it is done, as the event source mapping would.
    pub async fn deliver_clicks(&mut self, batch: &[Record]) {
        let mut rest = batch;
        for _ in 0..MOST_ATTEMPTS {
            rest = &rest[self.attempt_clicks(rest).await..];
            if rest.is_empty() {
                return;
            }
        }
        panic!("{}: not done after {MOST_ATTEMPTS} attempts: {rest:?}", self.name);
    }

    /// Delivers a batch once and returns how many of its first records are done.
    pub async fn attempt_clicks(&mut self, batch: &[Record]) -> usize {
        let (event, time) = (click_event(batch), self.next_invocation());
        let sessionizer = self.sessionizer.clone();
        let answer = self.survive(async move { handle(&sessionizer, event, time).await.unwrap().response }).await;
        self.note_versions().await;
        answer.map_or(0, |answer| done(&answer, batch.iter().map(|record| record.number.to_string())))
    }

    /// Delivers new records of session-stream, reordered by `shuffle`, until they are done.
    pub async fn deliver_boundaries(&mut self, shuffle: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let mut published: Vec<_> = self.world.published_since().await.into_iter().map(data_of).collect();
        shuffle(&mut published);
        self.published.extend(published.iter().map(|data| Boundary::decode(data).unwrap()));
        let mut rest: VecDeque<_> = published.into_iter().enumerate().collect();
        for _ in 0..MOST_ATTEMPTS {
            if rest.is_empty() {
                return;
            }
            let records = rest.iter().map(|(number, data)| HandMadeRecord {
                sequence_number: number.to_string(),
                partition_key: "any".to_owned(),
                data: data.clone(),
                arrival_ms: ARRIVAL_MS,
            });
            let event = hand_made_event("session-stream", "shardId-000000000000", records.collect()).unwrap();
            let (event, time) = (serde_json::from_str(&event).unwrap(), self.next_invocation());
            let sink = self.sink.clone();
            let answer = self.survive(async move { handle(&sink, event, time).await.unwrap().response }).await;
            let finished = answer.map_or(0, |answer| done(&answer, rest.iter().map(|(number, _)| number.to_string())));
            rest.drain(..finished);
        }
        panic!("{}: boundaries not done after {MOST_ATTEMPTS} attempts: {rest:?}", self.name);
    }

    /// Compares tables and stream with the result of the clicks sorted by time.
    pub async fn check(&self) -> Result<(), String> {
        let (mut clicks, mut rejected) = (Vec::new(), Vec::new());
        for record in &self.records {
            match decoded(&record.data) {
                Ok(click) => clicks.push(click),
                Err(_) => rejected.push(record.data.clone()),
            }
        }
        let mut found = Found { published: self.published.clone(), ..Found::default() };
        for user in &self.users {
            let state = self.state_item(user).await.ok_or_else(|| format!("{user} has no state"))?;
            found.states.insert(user.clone(), state_item::decode(&state).unwrap());
            found.sessions.extend(self.sessions_of(user).await);
        }
        let shards: BTreeSet<_> = self.records.iter().map(|record| &record.shard).collect();
        for shard in shards {
            found.rejected.extend(self.rejected_of(shard).await);
        }
        compare(&Expected::of_sorted(clicks, GAP), &rejected, &found)
    }

    /// Looks for a boundary with a version that no state was observed to have. Only for streams in which a state
    /// changes at most once between two observations.
    pub fn check_versions(&self) -> Result<(), String> {
        let was_seen = |boundary: &&Boundary| {
            let versions = self.committed.get(&boundary.user_id);
            versions.is_some_and(|versions| versions.contains(&boundary.version.number()))
        };
        match self.published.iter().find(|boundary| !was_seen(boundary)) {
            Some(boundary) => Err(format!("published but never committed: {boundary:?}")),
            None => Ok(()),
        }
    }

    /// Waits for `work`, but drops it if it reaches a call at which it must crash.
    async fn survive<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let mut work = tokio::spawn(work);
        loop {
            tokio::select! {
                biased;
                answer = &mut work => return Some(answer.unwrap()),
                Some((is_there, let_go)) = self.deaths.recv() => {
                    if is_there.await.is_ok() {
                        work.abort();
                        assert!(work.await.is_err(), "it was to die");
                        drop(let_go);
                        return None;
                    }
                }
            }
        }
    }

    pub fn next_invocation(&mut self) -> TimeBudget {
        self.now_ms += 1_000;
        TimeBudget::lasting(self.now_ms, Duration::from_secs(5))
    }

    /// Records the current versions of the users' states.
    pub async fn note_versions(&mut self) {
        for user in &self.users {
            if let Some(item) = self.state_item(user).await {
                let version = state_item::decode(&item).unwrap().version.number();
                self.committed.entry(user.clone()).or_default().insert(version);
            }
        }
    }

    async fn state_item(&self, user: &UserId) -> Option<kinesis_function::statements::Item> {
        let key = AttributeValue::S(user.as_str().to_owned());
        let get = self.world.embedded.dynamodb().get_item().table_name("session-state").key("user_id", key);
        get.consistent_read(true).send().await.unwrap().item
    }

    async fn sessions_of(&self, user: &UserId) -> Vec<Boundary> {
        let query = self.world.embedded.dynamodb().query().table_name("sessions").index_name("by-user");
        let query = query.key_condition_expression("user_id = :user");
        let query = query.expression_attribute_values(":user", AttributeValue::S(user.as_str().to_owned()));
        let items = query.send().await.unwrap().items.unwrap();
        let sessions = items.iter().map(|item| sink_fn::session_item::decode(item).unwrap());
        sessions.filter(|session| session.status != Some(Status::Retracted)).collect()
    }

    async fn rejected_of(&self, shard: &str) -> Vec<Vec<u8>> {
        let scan = self.world.embedded.dynamodb().scan().table_name("rejected-records").consistent_read(true);
        let scan = scan.filter_expression("#source = :source").expression_attribute_names("#source", "source");
        let scan = scan.expression_attribute_values(":source", AttributeValue::S(format!("click-stream/{shard}")));
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await.unwrap();
        items.iter().map(|item| item["data"].as_b().unwrap().as_ref().to_vec()).collect()
    }
}

/// The deployed configuration, with faults from `plan` and time-outs that run `speed` times as fast.
pub fn faulty(sdk: &SdkConfig, speed: f64, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> SdkConfig {
    let http = FaultyHttpClient::new(sdk.http_client().unwrap(), plan);
    with_time_scaled(&sdk.to_builder().http_client(http).build(), speed)
}

pub fn functions(world: &World, sdk: &SdkConfig) -> (Sessionizer, Sink) {
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(sdk), aws_sdk_kinesis::Client::new(sdk));
    let config = sessionizer_fn::config::Config::from_variables(world.sessionizer.clone()).unwrap();
    let sink_config = sink_fn::config::Config::from_variables(world.sink.clone()).unwrap();
    (Sessionizer::new(config, &dynamodb, &kinesis), Sink::new(sink_config, &dynamodb))
}

pub fn click_event(batch: &[Record]) -> Event {
    let records = batch.iter().map(|record| HandMadeRecord {
        sequence_number: record.number.to_string(),
        partition_key: record.key.clone(),
        data: record.data.clone(),
        arrival_ms: ARRIVAL_MS,
    });
    let event = hand_made_event("click-stream", &batch[0].shard, records.collect()).unwrap();
    serde_json::from_str(&event).unwrap()
}

/// How many of the first records with these sequence numbers are done.
fn done(answer: &KinesisEventResponse, mut sequence_numbers: impl ExactSizeIterator<Item = String>) -> usize {
    let count = sequence_numbers.len();
    match answer.batch_item_failures.first() {
        None => count,
        Some(failure) => {
            let named = failure.item_identifier.as_deref().unwrap();
            sequence_numbers.position(|number| number == named).expect("a record of the batch")
        }
    }
}

fn decoded(data: &[u8]) -> Result<Click, shared::rejection::Rejection> {
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS.unsigned_abs(), 3_600_000);
    Click::decode(data, latest).map(|decoded| decoded.click)
}

fn data_of((_, _, data): Published) -> Vec<u8> {
    data
}
