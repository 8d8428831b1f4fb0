//! Runs one stream through both functions under a script of faults and compares the resulting tables and stream.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::time::Duration;

use kinesis_function::invocation::handle;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::aggregated_record;
use local_aws::faults::{Call, Fault};
use sessionizer_fn::handler::Sessionizer;
use shared::user_id::UserId;
use sink_fn::handler::Sink;
use tokio::sync::mpsc;

use crate::forgetting::forget;
use crate::injection::{Held, Script, Scripted};
use crate::scenarios::{Content, Scenario, Sent, Step};
use crate::setup::{SPEED_OF_TIMEOUTS, Setup, operator, sessionizer, sink};
use crate::stream::{Record, boundary_event, check, click_event, done};
use crate::world::World;

/// Time zero of the scenarios, and the time of the first invocation, in Unix milliseconds.
const BEGIN_MS: u64 = 1_721_390_000_000;
const FIRST_INVOCATION_MS: u64 = BEGIN_MS + 200_000;

/// How much later the last sweep is: everybody is inactive.
const A_YEAR_MS: u64 = 365 * 86_400_000;

/// More attempts than the faults of any script.
const MOST_ATTEMPTS: usize = 30;

/// Nothing else writes meanwhile.
const SETTLING: Duration = Duration::from_millis(1);

/// The time of an invocation.
const TIME: Duration = Duration::from_secs(5);

pub struct Trial<'w> {
    world: &'w World,
    setup: Setup,
    sessionizer: Sessionizer,
    sink: Sink,
    scripted: Scripted,
    deaths: mpsc::UnboundedReceiver<Held>,
    now_ms: u64,
    records: Vec<Record>,
    published: Vec<Vec<u8>>,
    by_forget: Range<usize>,
    forgotten: BTreeSet<UserId>,
}

/// The calls of a run.
pub struct Made {
    pub calls: Vec<Call>,
    /// Those of the command `forget`, by number.
    pub by_forget: Range<usize>,
}

/// Runs a scenario under a script.
pub async fn run(world: &World, scenario: &Scenario, script: Script) -> Made {
    let mut trial = Trial::new(world, scenario.setup, script.clone()).await;
    for step in scenario.steps {
        trial.step(step).await;
    }
    let outcome = trial.end(scenario.is_within_lateness).await;
    outcome.unwrap_or_else(|difference| panic!("{}, {script:?}: {difference}", scenario.name));
    Made { calls: trial.scripted.calls(), by_forget: trial.by_forget }
}

impl<'w> Trial<'w> {
    pub async fn new(world: &'w World, setup: Setup, script: Script) -> Self {
        world.reset().await;
        let (scripted, deaths) = Scripted::new(script);
        let plan = || {
            let scripted = scripted.clone();
            move |call: &Call| scripted.fault_for(call)
        };
        Self {
            world,
            setup,
            sessionizer: sessionizer(world, setup, SPEED_OF_TIMEOUTS, plan()),
            sink: sink(world, setup, plan()),
            scripted,
            deaths,
            now_ms: FIRST_INVOCATION_MS,
            records: Vec::new(),
            published: Vec::new(),
            by_forget: 0..0,
            forgotten: BTreeSet::new(),
        }
    }

    /// Takes a step until it succeeds.
    pub async fn step(&mut self, step: &Step) {
        match step {
            Step::Batch(batch) => {
                let records = self.records_of(batch);
                self.deliver_clicks(&records).await;
            }
            Step::Sweep(ahead) => self.sweep_until_it_succeeds(ahead * 1_000).await,
            Step::Store => self.deliver_boundaries().await,
            Step::Forget(user) => self.forget_until_it_succeeds(&UserId::new(*user).unwrap()).await,
        }
    }

    /// A scenario's records, added to the stream. They arrive now.
    pub fn records_of(&mut self, batch: &[Sent]) -> Vec<Record> {
        let arrival_ms = self.now_ms;
        let record = |sent: &Sent| {
            let Sent { shard, number, content } = *sent;
            let (key, data) = bytes_of(content, &format!("{shard}{number}"));
            Record { shard: shard.to_owned(), number, key, data, arrival_ms: arrival_ms + number }
        };
        let records: Vec<_> = batch.iter().map(record).collect();
        for record in &records {
            let is_known = |known: &Record| (&known.shard, known.number) == (&record.shard, record.number);
            if !self.records.iter().any(is_known) {
                self.records.push(record.clone());
            }
        }
        records
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
        panic!("not done after {MOST_ATTEMPTS} attempts: {rest:?}");
    }

    /// Delivers a batch once and returns how many of its first records are done.
    pub async fn attempt_clicks(&mut self, batch: &[Record]) -> usize {
        let (event, time) = (click_event(batch), self.next_invocation());
        let sessionizer = self.sessionizer.clone();
        let answer = self.survive(async move { handle(&sessionizer, event, time).await.unwrap().response }).await;
        answer.map_or(0, |answer| done(&answer, batch.iter().map(|record| record.number.to_string())))
    }

    async fn sweep_until_it_succeeds(&mut self, ahead_ms: i64) {
        for _ in 0..MOST_ATTEMPTS {
            if self.attempt_sweep(ahead_ms).await {
                return;
            }
        }
        panic!("no sweep succeeded in {MOST_ATTEMPTS} attempts");
    }

    /// Sweeps once, with a clock so far ahead. Returns whether the sweep has succeeded.
    pub async fn attempt_sweep(&mut self, ahead_ms: i64) -> bool {
        let now_ms = self.next_invocation().now_ms;
        let time = TimeBudget::lasting(now_ms.saturating_add_signed(ahead_ms), TIME);
        let sessionizer = self.sessionizer.clone();
        let swept = self.survive(async move { handle_sweep(&sessionizer, time).await.unwrap() }).await;
        swept.is_some_and(|swept| swept.outcome.is_ok() && swept.timing.in_time)
    }

    /// Repeats the command until it succeeds; if it has failed before, once more when the sink has caught up.
    async fn forget_until_it_succeeds(&mut self, user_id: &UserId) {
        let others = self.world.items_of_others(user_id).await;
        let begin = self.scripted.calls().len();
        self.forgotten.insert(user_id.clone());
        let mut has_failed = false;
        for _ in 0..MOST_ATTEMPTS {
            if self.attempt_to_forget(user_id).await {
                assert_eq!(self.world.items_of_others(user_id).await, others, "items of others");
                if has_failed {
                    self.deliver_boundaries().await;
                    assert!(self.attempt_to_forget(user_id).await, "nothing is left to fail");
                }
                assert_eq!(self.world.left_of(user_id).await, [""; 0]);
                self.by_forget = begin..self.scripted.calls().len();
                return;
            }
            has_failed = true;
        }
        panic!("not forgotten after {MOST_ATTEMPTS} attempts");
    }

    async fn attempt_to_forget(&mut self, user_id: &UserId) -> bool {
        let scripted = self.scripted.clone();
        let dynamodb = operator(self.world, self.setup, move |call| scripted.fault_for(call));
        let now_ms = self.next_invocation().now_ms;
        let removed = self.survive(forget(dynamodb, user_id.clone(), now_ms, SETTLING)).await;
        removed.is_some_and(|removed| removed.is_ok())
    }

    /// Delivers new records of session-stream until they are done.
    pub async fn deliver_boundaries(&mut self) {
        let published = self.world.published_since().await;
        self.published.extend(published.iter().cloned());
        let mut rest: VecDeque<_> = published.into_iter().enumerate().collect();
        for _ in 0..MOST_ATTEMPTS {
            if rest.is_empty() {
                return;
            }
            let time = self.next_invocation();
            let event = boundary_event(rest.iter().map(|(number, data)| (*number, data)), time.now_ms);
            let sink = self.sink.clone();
            let answer = self.survive(async move { handle(&sink, event, time).await.unwrap().response }).await;
            let finished = answer.map_or(0, |answer| done(&answer, rest.iter().map(|(number, _)| number.to_string())));
            rest.drain(..finished);
        }
        panic!("boundaries not done after {MOST_ATTEMPTS} attempts: {rest:?}");
    }

    /// Closes everybody. Compares tables and stream with what they must be.
    pub async fn end(&mut self, is_within_lateness: bool) -> Result<(), String> {
        self.world.recorder.quiet().await;
        self.deliver_boundaries().await;
        self.world.expire_tombstones().await;
        close_everybody(self.world, self.setup, self.now_ms).await?;
        self.deliver_boundaries().await;
        check(self.world, self.setup, &self.records, &self.published, is_within_lateness, &self.forgotten).await
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
        TimeBudget::lasting(self.now_ms, TIME)
    }
}

/// The partition key and the bytes of a record with this content, which has this `name`.
fn bytes_of(content: Content, name: &str) -> (String, Vec<u8>) {
    let each = |contents: &[Content]| {
        let contents = contents.iter().enumerate();
        contents.map(|(place, content)| bytes_of(*content, &format!("{name}.{place}"))).collect::<Vec<_>>()
    };
    match content {
        Content::Poison => ("none".to_owned(), format!("poison {name}").into_bytes()),
        Content::Rejected(user) => {
            (user.to_owned(), format!(r#"{{"user_id":"{user}","event_name":"{name}"}}"#).into_bytes())
        }
        Content::Click(user, ms) => {
            let ms = BEGIN_MS + ms;
            let json = format!(r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"{name}"}}"#);
            (user.to_owned(), json.into_bytes())
        }
        Content::Aggregated(contents) => {
            let records = each(contents);
            let data = aggregated_record(records.iter().map(|(key, data)| (key.as_str(), data.as_slice())));
            ("any".to_owned(), data)
        }
        Content::Lines(contents) => {
            let lines: Vec<_> = each(contents).into_iter().map(|(_, data)| data).collect();
            ("any".to_owned(), lines.join(&b'\n'))
        }
    }
}

/// A year later, an environment that knows nothing yet tells everybody closed.
pub async fn close_everybody(world: &World, setup: Setup, now_ms: u64) -> Result<(), String> {
    let another = sessionizer(world, setup, SPEED_OF_TIMEOUTS, |_| Fault::None);
    let time = TimeBudget::lasting(now_ms + A_YEAR_MS, Duration::from_secs(60));
    let swept = handle_sweep(&another, time).await.map_err(|error| error.to_string())?;
    swept.outcome.map_err(|error| error.to_string())
}
