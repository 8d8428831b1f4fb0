//! Random streams, randomly split, redelivered, scattered over shards and reordered, some with several clicks in a
//! record, sweeps of any clock in between, with random faults at random calls, in several environments.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::join_all;
use kinesis_function::invocation::handle;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local::chaos::columns::DECLARATION;
use local::chaos::packing::packed;
use local::chaos::stream::{self, Disorder, Phase, Sent, Size};
use shared::user_id::UserId;
use sink_fn::handler::Sink;

use crate::environments::{Environments, Plan};
use crate::forgetting::Forgetting;
use crate::setup::{Setup, USUAL, sink};
use crate::stream::{Record, boundary_event, check, click_event, done};
use crate::trial::close_everybody;
use crate::world::World;

const SEEDS: u64 = 200;
const SEEDS_OF_FORGETTING: u64 = 24;
const TASKS: usize = 8;
const SIZE: Size = Size { phases: 3, records: 8, users: 4 };

/// More steps than any run needs.
const MOST_STEPS: usize = 1_000;

const DAY_MS: u64 = 86_400_000;

/// Longer than any run: an overtaken invocation goes on.
const LONG: Duration = Duration::from_secs(600);

/// How far the clocks of sweeps are ahead, in milliseconds.
const CLOCKS_MS: [i64; 6] = [0, 0, 60_000, -300_000, 3_600_000, 365 * 86_400_000];

/// The same where users are forgotten, which the log keeps for an hour.
const LONGEST_AHEAD_MS: i64 = 600_000;

/// A shard: its records, and how many of them are checkpointed.
struct Shard {
    name: String,
    records: Vec<Record>,
    checkpoint: usize,
}

struct Run<'w> {
    world: &'w World,
    rng: Rng,
    setup: Setup,
    disorder: Disorder,
    environments: Environments<'w>,
    /// If users are forgotten.
    forgetting: Option<Forgetting<'w>>,
    sink: Sink,
    shards: Vec<Shard>,
    /// When the last record arrived, in Unix milliseconds.
    arrival_ms: u64,
    /// How late the functions are, in milliseconds.
    behind_ms: u64,
    numbers: u64,
    /// What was published since tombstones have expired.
    delivered: Vec<Vec<u8>>,
    published: Vec<Vec<u8>>,
}

fn setup(rng: &mut Rng) -> Setup {
    let (lateness_seconds, skew_seconds) =
        rng.choice([(0, 0), (20, 10), (60, 30), (3_600, 900), (3_600, 900)]).unwrap();
    Setup {
        slots: rng.choice([3, 3, 4, 7]).unwrap(),
        cut_offset_minutes: cut_offset_minutes(rng),
        buckets: rng.choice([1, 1, 2, 4]).unwrap(),
        lateness_seconds,
        skew_seconds,
        grace_seconds: rng.choice([0, 10]).unwrap(),
        is_cramped: rng.u8(..3) == 0,
        columns: rng.choice(["", DECLARATION]).unwrap(),
        ..USUAL
    }
}

/// Streams begin shortly before noon UTC. Half of the setups cut sessions then, or a minute later.
fn cut_offset_minutes(rng: &mut Rng) -> Option<i64> {
    rng.choice([None, None, Some(720), Some(719)]).unwrap()
}

/// The settings of a later deployment: whatever may change while the tables stay.
fn changed(rng: &mut Rng, before: Setup) -> Setup {
    let (lateness_seconds, skew_seconds) = rng.choice([(0, 0), (20, 10), (3_600, 900)]).unwrap();
    Setup {
        gap_seconds: rng.choice([3, 10, 40]).unwrap(),
        cut_offset_minutes: cut_offset_minutes(rng),
        lateness_seconds,
        skew_seconds,
        is_cramped: rng.bool(),
        ..before
    }
}

impl<'w> Run<'w> {
    async fn new(world: &'w World, seed: u64, forgets: bool) -> Self {
        world.reset().await;
        let mut rng = Rng::with_seed(seed);
        let setup = setup(&mut rng);
        let mut plan = Plan::new(rng.u64(..));
        let shards = (0..rng.usize(1..=3)).map(|number| Shard {
            name: format!("shardId-{number}"),
            records: Vec::new(),
            checkpoint: 0,
        });
        Self {
            world,
            setup,
            disorder: if rng.u8(..3) == 0 { Disorder::BeyondLateness } else { Disorder::WithinLateness },
            environments: Environments::new(world, rng.fork(), setup, rng.usize(1..=3), !forgets),
            forgetting: forgets.then(|| Forgetting::new(world, rng.fork())),
            sink: sink(world, setup, move |call| plan.fault_for(call)),
            shards: shards.collect(),
            arrival_ms: 0,
            behind_ms: 1_000,
            numbers: 0,
            delivered: Vec::new(),
            published: Vec::new(),
            rng,
        }
    }

    async fn take(mut self) -> Result<(), String> {
        let phases = stream::random(&mut self.rng, SIZE, self.setup.rule(), self.disorder);
        for phase in phases {
            self.put(phase);
            if self.disorder == Disorder::BeyondLateness && self.rng.bool() {
                self.setup = changed(&mut self.rng, self.setup);
            }
            self.apply().await?;
            if self.forgetting.is_some() {
                self.catch_up_with_commands(None).await?;
            }
            if self.rng.u8(..4) == 0 {
                self.wait_for_days().await?;
            }
        }
        self.wait_for_days().await?;
        close_everybody(self.world, self.setup, self.now_ms()).await?;
        let commits = self.world.recorder.count();
        close_everybody(self.world, self.setup, self.now_ms()).await?;
        if self.world.recorder.count() > commits {
            return Err("the second of two sweeps has committed something".to_owned());
        }
        self.deliver_boundaries().await;
        let records: Vec<_> = self.shards.iter().flat_map(|shard| shard.records.clone()).collect();
        let is_within_lateness = self.disorder == Disorder::WithinLateness;
        let forgotten = self.forgetting.as_ref().map(|it| it.begun.clone()).unwrap_or_default();
        check(self.world, self.setup, &records, &self.published, is_within_lateness, &forgotten).await?;
        if let Some(forgetting) = &mut self.forgetting {
            for user_id in forgotten {
                forgetting.forget_when_quiet(self.setup, Some(user_id), self.arrival_ms).await?;
            }
        }
        Ok(())
    }

    /// Puts a phase's records into any shard, in any order.
    fn put(&mut self, mut phase: Phase) {
        if self.forgetting.is_some() {
            let rejected = (0..self.rng.u64(..3)).map(|_| {
                self.numbers += 1;
                let (user_id, number) = (self.any_user(), self.numbers);
                let data = format!(r#"{{"user_id":"{user_id}","event_timestamp":"soon","n":{number}}}"#).into_bytes();
                Sent { click: None, data }
            });
            phase.extend(rejected.collect::<Vec<_>>());
        }
        self.rng.shuffle(&mut phase);
        let newest = phase.iter().filter_map(|sent| Some(sent.click.as_ref()?.1)).max();
        self.arrival_ms = self.arrival_ms.max(newest.unwrap_or(1_721_390_400_000));
        let key = |sent: Option<(String, u64)>| sent.map_or_else(|| "none".to_owned(), |(user, _)| user);
        let mut records: Vec<_> = phase.into_iter().map(|sent| (key(sent.click), sent.data)).collect();
        if self.rng.bool() {
            records = packed(&mut self.rng, records);
        }
        for (key, data) in records {
            self.numbers += 1;
            self.arrival_ms += self.rng.choice([0, 500, 3_000, 15_000, 40_000]).unwrap();
            let place = self.rng.usize(..self.shards.len());
            let shard = &mut self.shards[place];
            shard.records.push(Record {
                shard: shard.name.clone(),
                number: self.numbers,
                key,
                data,
                arrival_ms: self.arrival_ms,
            });
        }
    }

    fn any_user(&mut self) -> UserId {
        UserId::new(format!("user{}", self.rng.usize(..SIZE.users))).unwrap()
    }

    fn begin_to_forget(&mut self) {
        let (user_id, now_ms) = (self.any_user(), self.now_ms());
        if let Some(forgetting) = &mut self.forgetting {
            forgetting.begin(self.setup, user_id, now_ms);
        }
    }

    /// Delivers all records until all are done.
    async fn apply(&mut self) -> Result<(), String> {
        for _ in 0..MOST_STEPS {
            self.environments.release_some().await;
            if let Some(forgetting) = &mut self.forgetting {
                forgetting.release_some().await;
                if self.rng.u8(..8) == 0 {
                    self.begin_to_forget();
                }
            }
            let undone = self.shards.iter().enumerate().filter(|(_, it)| it.checkpoint < it.records.len());
            let Some((shard, _)) = self.rng.choice(undone.collect::<Vec<_>>()) else { return Ok(()) };
            match self.rng.u8(..20) {
                0 => self.environments.replace_one(self.setup),
                1 => self.deliver_boundaries().await,
                2..=5 => self.sweep().await,
                _ => self.batch(shard).await,
            }
        }
        Err(format!("not done after {MOST_STEPS} steps"))
    }

    async fn batch(&mut self, place: usize) {
        let now_ms = self.now_ms();
        let Shard { records, checkpoint, .. } = &self.shards[place];
        let batch = &records[*checkpoint..self.rng.usize(checkpoint + 1..=records.len())];
        let (event, time) = (click_event(batch), TimeBudget::lasting(now_ms, LONG));
        let numbers: Vec<_> = batch.iter().map(|record| record.number.to_string()).collect();
        let work = |sessionizer| async move { handle(&sessionizer, event, time).await.unwrap().response };
        let answer = self.environments.invoke(self.setup, work).await;
        let done = answer.map_or(0, |answer| done(&answer, numbers.into_iter()));
        // Sometimes a part of the records that succeeded is redelivered.
        let kept = if self.rng.u8(..4) == 0 { self.rng.usize(0..=done) } else { done };
        self.shards[place].checkpoint += kept;
    }

    async fn sweep(&mut self) {
        let mut ahead = self.rng.choice(CLOCKS_MS).unwrap();
        if self.forgetting.is_some() {
            ahead = ahead.min(LONGEST_AHEAD_MS);
        }
        let time = TimeBudget::lasting(self.now_ms().saturating_add_signed(ahead), LONG);
        let work = |sessionizer| async move { handle_sweep(&sessionizer, time).await.unwrap().outcome };
        let outcome = self.environments.invoke(self.setup, work).await;
        assert!(!matches!(outcome, Some(Err(_))), "{outcome:?}");
    }

    /// Now, by the clock of one of the environments.
    fn now_ms(&mut self) -> u64 {
        self.behind_ms = self.rng.choice([self.behind_ms, 1_000, 8_000, 30_000, 300_000]).unwrap();
        self.arrival_ms + self.behind_ms + self.rng.u64(..2_000)
    }

    /// Delivers what was published and some of what was delivered before, in any order, until it is done.
    async fn deliver_boundaries(&mut self) {
        let published = self.world.published_since().await;
        self.published.extend(published.iter().cloned());
        self.delivered.extend(published.iter().cloned());
        let mut batch = published;
        batch.extend(self.delivered.iter().filter(|_| self.rng.u8(..3) == 0).cloned());
        self.rng.shuffle(&mut batch);
        let mut rest: Vec<_> = batch.into_iter().enumerate().collect();
        while !rest.is_empty() {
            let now_ms = self.now_ms();
            let event = boundary_event(rest.iter().map(|(number, data)| (*number, data)), now_ms);
            let answer = handle(&self.sink, event, TimeBudget::lasting(now_ms, LONG)).await.unwrap().response;
            rest.drain(
                ..done(&answer, rest.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().into_iter()),
            );
        }
    }

    /// Until nothing runs any more, and everyone is forgotten whom a command has begun to forget, and this user. That
    /// takes less than the hour for which the log keeps that users were forgotten.
    async fn catch_up_with_commands(&mut self, one_more: Option<UserId>) -> Result<(), String> {
        self.environments.finish().await;
        if let Some(forgetting) = &mut self.forgetting {
            forgetting.finish().await;
            self.world.recorder.quiet().await;
        }
        self.deliver_boundaries().await;
        let now_ms = self.arrival_ms;
        match &mut self.forgetting {
            Some(forgetting) => forgetting.forget_when_quiet(self.setup, one_more, now_ms).await,
            None => Ok(()),
        }
    }

    /// Until nothing runs any more, and all tombstones have expired.
    async fn wait_for_days(&mut self) -> Result<(), String> {
        let is_one_more = self.forgetting.is_some() && self.rng.bool();
        let one_more = is_one_more.then(|| self.any_user());
        self.catch_up_with_commands(one_more).await?;
        self.world.expire_tombstones().await;
        self.delivered.clear();
        self.arrival_ms += 4 * DAY_MS;
        Ok(())
    }
}

/// A run that takes longer is stuck.
const LONGEST_RUN: Duration = Duration::from_secs(300);

/// To run a single seed: `SEED=17 cargo test --workspace --test faults random`; `SEEDS=1000` runs more of them.
#[tokio::test(flavor = "multi_thread")]
async fn random_faults_over_random_streams_do_not_change_the_tables() {
    run_seeds(SEEDS, false).await;
}

/// Users are forgotten at any time, by commands that meet faults, too.
#[tokio::test(flavor = "multi_thread")]
async fn users_forgotten_under_random_faults_leave_nothing_and_others_keep_everything() {
    run_seeds(SEEDS_OF_FORGETTING, true).await;
}

async fn run_seeds(seeds: u64, forgets: bool) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let first = number("SEED");
    let seeds = first.unwrap_or(0)..first.map_or(number("SEEDS").unwrap_or(seeds), |seed| seed + 1);
    // Each task takes every n-th seed and has its own services.
    let tasks = (0..TASKS).map(|first| {
        let seeds = seeds.clone().skip(first).step_by(TASKS);
        tokio::spawn(async move {
            let world = World::start().await;
            for seed in seeds {
                let run = async { Run::new(&world, seed, forgets).await.take().await };
                match tokio::time::timeout(LONGEST_RUN, run).await {
                    Ok(Ok(())) => {}
                    Ok(Err(difference)) => panic!("seed {seed}: {difference}"),
                    Err(_) => panic!("seed {seed}: not finished after {LONGEST_RUN:?}"),
                }
            }
        })
    });
    let ended = join_all(tasks.collect::<Vec<_>>()).await;
    assert!(ended.iter().all(Result::is_ok), "see above");
}
