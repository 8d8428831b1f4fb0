//! Hours of arrivals in one bucket, batch after batch and sweep after sweep, on a simulated clock.
//!
//! What a bucket consumes depends only on its own clicks and on how they are cut into batches, so one bucket stands for
//! all of its kind ([`Writers`]), whatever the number of buckets. It has reached its steady state when users become
//! inactive, leave the log and are repeated at the rate at which others begin.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;
use kinesis_function::time_budget::TimeBudget;
use sessionizer_fn::batch::{BatchClick, BucketClicks};
use sessionizer_fn::bucket::bounds::{Bounds, SLOTS, memory_for_buckets};
use sessionizer_fn::config::{Boundaries, FirstSession};
use sessionizer_fn::environment::{Environment, Options};
use sessionizer_fn::ledger::Ledger;
use sessionizer_fn::report::Report;
use sessionizer_fn::state_log_entry::{Position, ShardKey};
use sessionizer_fn::store::log_store::LogStore;
use sessionizer_fn::store::publisher::Publisher;
use sessionizer_fn::store::rest_store::RestStore;
use shared::attributes::Attributes;
use shared::click::Click;
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::WindowRule;
use shared::user_id::UserId;

use crate::error::BenchError;
use crate::event::{attributes, sequence_number, user_id};
use crate::population::{Population, Returns};
use crate::services::SHARDS;
use crate::shares::Writers;
use crate::typical_columns::Columns;
use crate::workload::{BEGIN_MS, CLICKS_PER_BATCH, CLICKS_PER_SESSION, SimulatedClick, Workload};

/// The template's buckets, as many as shards.
pub const BUCKETS: u32 = SHARDS;

/// The template's defaults.
const LATENESS_MS: u64 = 3_600_000;
const GRACE_MS: u64 = 10_000;
/// How much more than the batching window the grace is, in milliseconds: otherwise a sweep between two batches would
/// close sessions whose clicks wait in the next one. Source: design, section 6.
const GRACE_BEYOND_WINDOW_MS: u64 = 5_000;
const STREAM_RETENTION_MS: u64 = 86_400_000;
const FUNCTION_MEMORY_BYTES: u64 = 512 << 20;

/// Time between two sweeps, in milliseconds.
const SWEEP_EVERY_MS: u64 = 60_000;

/// The load of a bucket.
#[derive(Clone, Debug)]
pub struct Load {
    /// How users click, and the batching window.
    pub workload: Workload,
    /// Clicks per second.
    pub clicks_per_second: f64,
    /// When its users begin their next session.
    pub returns: Returns,
    /// The shards that write to it.
    pub writers: Writers,
    /// Buckets of the pipeline, which share the memory of an environment.
    pub buckets: u32,
    /// Execution environments, of which each batch takes any.
    pub environments: usize,
    /// Slots of the ring.
    pub slots: u64,
    /// Whether user ids are UUIDs of 36 characters, in place of a word and a number.
    pub uuids: bool,
    /// What clicks have for columns.
    pub columns: Columns,
}

/// Clicks and counts of a part of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretch {
    /// Clicks applied.
    pub clicks: u64,
    /// Batches.
    pub batches: u64,
    /// Simulated time, in milliseconds.
    pub ms: u64,
    /// The sum of the sessionizer's reports. Its gauges are the last ones.
    pub report: Report,
}

impl Load {
    /// `clicks_per_second` clicks of `workload` from one shard, of users who return the next day, in one environment.
    #[must_use]
    pub fn new(workload: Workload, clicks_per_second: f64) -> Self {
        Self {
            workload,
            clicks_per_second,
            returns: Returns::AfterMs(86_400_000),
            writers: Writers::one(),
            buckets: BUCKETS,
            environments: 1,
            slots: SLOTS,
            uuids: false,
            columns: Columns::None,
        }
    }

    /// The options of the environments: the template's defaults, with the workload's gap and the grace for its window.
    #[must_use]
    pub fn options(&self) -> Options {
        let memory_bytes = memory_for_buckets(FUNCTION_MEMORY_BYTES);
        Options {
            window: WindowRule {
                gap: SessionGap::from_ms(self.workload.gap_ms),
                lateness_ms: LATENESS_MS,
                cut: SessionCut::None,
            },
            boundaries: Boundaries::All,
            first_session: FirstSession::Emit,
            grace_ms: self.grace_ms(),
            stream_retention_ms: STREAM_RETENTION_MS,
            buckets: 1,
            slots: self.slots,
            bounds: Bounds::new(self.slots, self.buckets, memory_bytes),
            memory_bytes,
        }
    }

    /// How long after the gap inactivity is reported, in milliseconds: the default, or what the window needs.
    fn grace_ms(&self) -> u64 {
        GRACE_MS.max(self.workload.window_ms + GRACE_BEYOND_WINDOW_MS)
    }

    /// How long an entry stays in the log before it is repeated or leaves, in milliseconds, approximately.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub fn log_ms(&self) -> u64 {
        // A window begins with the first click after the last one's end.
        let shares = &self.writers.shares;
        let clicks_per_ms = self.clicks_per_second / 1_000.0 / shares.iter().sum::<u64>() as f64;
        let batches = |share: &u64| 1.0 / (self.workload.window_ms as f64 + 1.0 / (clicks_per_ms * *share as f64));
        let batches_per_ms: f64 = shares.iter().map(batches).sum();
        ((self.slots / 2) as f64 / batches_per_ms).min(self.options().bounds.longest_memory_ms as f64) as u64
    }

    /// Simulated time until the steady state, in milliseconds: the first users have become inactive and left the log,
    /// and a margin. Users who return within the allowed lateness keep earlier sessions, which takes longer.
    #[must_use]
    pub fn warm_up_ms(&self) -> u64 {
        let session_ms = u64::from(CLICKS_PER_SESSION) * self.workload.spacing_ms;
        let to_leave_ms = session_ms + self.workload.gap_ms + self.grace_ms() + self.log_ms();
        let returns = if self.return_after_ms() < LATENESS_MS { LATENESS_MS } else { 0 };
        to_leave_ms + self.log_ms() / 4 + returns
    }

    /// Time from the end of a user's session to the next one, in milliseconds, approximately.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn return_after_ms(&self) -> u64 {
        match self.returns {
            Returns::AfterMs(ms) => ms,
            Returns::InTurn(users) => {
                (users as f64 * f64::from(CLICKS_PER_SESSION) * 1_000.0 / self.clicks_per_second) as u64
            }
        }
    }

    /// Simulated time to measure, in milliseconds: several minutes and many batches.
    #[must_use]
    pub fn measured_ms(&self) -> u64 {
        (self.log_ms() / 2).max(300_000).max(20 * self.workload.window_ms)
    }
}

/// A run of one bucket.
#[derive(Debug)]
pub struct Simulation<S, R, P> {
    load: Load,
    environments: Vec<Environment<S, R, P>>,
    population: Population,
    rng: Rng,
    users: Vec<Option<UserId>>,
    shards: Vec<Shard>,
    now_ms: u64,
    next_sweep_ms: u64,
}

#[derive(Debug)]
struct Shard {
    key: ShardKey,
    pending: Vec<SimulatedClick>,
    /// The index of the next record.
    place: u64,
}

impl<S, R, P> Simulation<S, R, P>
where
    S: LogStore + Clone,
    R: RestStore + Clone,
    P: Publisher + Clone,
{
    /// A run of `load` with these stores, which are empty.
    ///
    /// # Errors
    /// None in practice: the declaration of columns is valid.
    pub fn new(load: Load, log: &S, rest: &R, publisher: &P) -> Result<Self, BenchError> {
        let columns = load.columns.declared()?;
        let environment =
            || Environment::new(load.options(), columns.clone(), log.clone(), rest.clone(), publisher.clone());
        let population = Population::new(load.workload, load.clicks_per_second, load.returns, 17);
        let shard = |number| Shard {
            key: ShardKey::new(format!("click-stream/shardId-{number:012}")),
            pending: Vec::new(),
            place: 1,
        };
        Ok(Self {
            environments: (0..load.environments.max(1)).map(|_| environment()).collect(),
            population,
            rng: Rng::with_seed(23),
            users: Vec::new(),
            shards: (0..load.writers.shares.len()).map(shard).collect(),
            now_ms: BEGIN_MS,
            next_sweep_ms: BEGIN_MS + SWEEP_EVERY_MS,
            load,
        })
    }

    /// Goes on for `ms` of simulated time.
    ///
    /// # Errors
    /// If a batch or a sweep is not done.
    pub async fn run(&mut self, ms: u64) -> Result<Stretch, BenchError> {
        let mut stretch = Stretch { ms, ..Stretch::default() };
        let end_ms = self.now_ms + ms;
        loop {
            let click_ms = self.population.next_ms();
            let window_ends = |shard: &Shard| Some(shard.pending.first()?.ms + self.load.workload.window_ms);
            let windows =
                self.shards.iter().enumerate().filter_map(|(place, shard)| Some((window_ends(shard)?, place)));
            let (window_ms, shard) = windows.min().unwrap_or((u64::MAX, 0));
            let next_ms = click_ms.min(window_ms).min(self.next_sweep_ms);
            if next_ms >= end_ms {
                self.now_ms = end_ms;
                return Ok(stretch);
            }
            self.now_ms = next_ms;
            if window_ms == next_ms {
                self.batch(shard, &mut stretch).await?;
            } else if self.next_sweep_ms == next_ms {
                self.sweep(&mut stretch).await?;
            } else if let Some(click) = self.population.next_click() {
                let shard = self.load.writers.shard_of(click.user, &mut self.rng);
                self.shards[shard].pending.push(click);
                if self.shards[shard].pending.len() >= CLICKS_PER_BATCH {
                    self.batch(shard, &mut stretch).await?;
                }
            }
        }
    }

    /// The next batch of the first shard, which is the only one, without applying it; and its first record's place.
    pub fn next_batch(&mut self) -> (Vec<SimulatedClick>, u64) {
        let shard = &mut self.shards[0];
        let (mut clicks, place) = (std::mem::take(&mut shard.pending), shard.place);
        let first_ms = clicks.first().map_or(self.population.next_ms(), |click| click.ms);
        let end_ms = first_ms.saturating_add(self.load.workload.window_ms);
        while clicks.len() < CLICKS_PER_BATCH && self.population.next_ms() < end_ms {
            clicks.extend(self.population.next_click());
        }
        shard.place += clicks.len() as u64;
        (clicks, place)
    }

    async fn batch(&mut self, shard: usize, stretch: &mut Stretch) -> Result<(), BenchError> {
        let pending = std::mem::take(&mut self.shards[shard].pending);
        let mut clicks = Vec::with_capacity(pending.len());
        for (index, click) in pending.into_iter().enumerate() {
            let place = self.shards[shard].place;
            self.shards[shard].place += 1;
            clicks.push(self.batch_click(index, place, click)?);
        }
        let (count, done) = (clicks.len(), DoneRecords::none_of(clicks.len()));
        let buckets = [(0, BucketClicks::from([(self.shards[shard].key.clone(), clicks)]))];
        let environment = &self.environments[self.rng.usize(0..self.environments.len())];
        let (failures, report) = (Failures::default(), Mutex::default());
        let ledger = Ledger { failures: &failures, report: &report, time: self.time() };
        environment.batch(&buckets, &done, &ledger).await;
        if done.count_undone() > 0 {
            return Err(BenchError::failed(format!("{} clicks of a batch undone: {failures:?}", done.count_undone())));
        }
        stretch.clicks += count as u64;
        stretch.batches += 1;
        add(&mut stretch.report, report);
        Ok(())
    }

    async fn sweep(&mut self, stretch: &mut Stretch) -> Result<(), BenchError> {
        self.next_sweep_ms += SWEEP_EVERY_MS;
        let environment = &self.environments[self.rng.usize(0..self.environments.len())];
        let (failures, report) = (Failures::default(), Mutex::default());
        let ledger = Ledger { failures: &failures, report: &report, time: self.time() };
        environment.sweep(&ledger).await;
        if let Some(kinds) = failures.given_up_kinds() {
            return Err(BenchError::failed(format!("a sweep failed: {kinds}")));
        }
        add(&mut stretch.report, report);
        Ok(())
    }

    fn time(&self) -> TimeBudget {
        TimeBudget::lasting(self.now_ms, Duration::from_secs(600))
    }

    fn batch_click(&mut self, index: usize, place: u64, click: SimulatedClick) -> Result<BatchClick, BenchError> {
        let SimulatedClick { user, ms } = click;
        if self.users.len() <= user {
            self.users.resize(user + 1, None);
        }
        let user_id = match &self.users[user] {
            Some(known) => known.clone(),
            None => {
                let id = if self.load.uuids { uuid(user) } else { user_id(user) };
                let id = UserId::new(id).map_err(|_| BenchError::failed("an invalid user id"))?;
                self.users[user].insert(id).clone()
            }
        };
        let [event_name, event_type, device_type] = attributes(user, ms).map(|text| Some(text.into()));
        let time = EventTime::from_ms(ms).ok_or_else(|| BenchError::failed("a time after the year 9999"))?;
        let sequence_number = SequenceNumber::parse(sequence_number(place)).map_err(BenchError::failed)?;
        Ok(BatchClick {
            index,
            position: Position { sequence_number, place: 0 },
            arrival_ms: ms,
            click: Click {
                user_id,
                time,
                attributes: Attributes { event_name, event_type, device_type },
                columns: self.load.columns.of_click(user, time),
            },
        })
    }
}

/// A random UUID (version 4), the same for the same user.
fn uuid(user: usize) -> String {
    let bits = Rng::with_seed(user as u64).u128(..);
    let [time_low, time_mid, version, variant, node] = [
        bits >> 96,
        bits >> 80 & 0xFFFF,
        bits >> 64 & 0x0FFF | 0x4000,
        bits >> 48 & 0x3FFF | 0x8000,
        bits & ((1 << 48) - 1),
    ];
    format!("{time_low:08x}-{time_mid:04x}-{version:04x}-{variant:04x}-{node:012x}")
}

fn add(sum: &mut Report, report: Mutex<Report>) {
    let report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
    *sum += report;
    sum.gauges = report.gauges;
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
