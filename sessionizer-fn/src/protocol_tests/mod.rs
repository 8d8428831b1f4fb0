//! The exactly-once protocol under an adversarial scheduler: real environments over tables and a stream in memory.
//!
//! Rings of a few slots, one or two buckets, up to five users and three shards, records of several clicks. Batches are redelivered, cut elsewhere
//! and checkpointed in part; sweeps come at any time with any clock; invocations die or outlive their successors at any
//! call; environments with different memories alternate; calls fail, lose their replies or are denied; commits have
//! room for a few users only, and users are told closed ahead of time. In the end every click must have been applied
//! exactly once, and the sessions table must be what the rule gives for the clicks in commit order, whatever the order
//! and the repetitions of the boundaries, even if tombstones expire before the last sweep.

mod scenario;
mod verdict;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;
use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;
use kinesis_function::time_budget::TimeBudget;

use crate::batch::{BatchClick, BucketClicks};
use crate::bucket::id::bucket_of;
use crate::environment::Environment;
use crate::ledger::Ledger;
use crate::protocol_tests::scenario::{Record, Scenario};
use crate::report::Report;
use crate::state_log_entry::ShardKey;
use crate::store::memory::{FaultRates, Memory, MemoryClient};

const SEEDS: u64 = 20_000;

/// Longer than any pause between attempts.
const A_WHILE: Duration = Duration::from_secs(3);

/// More time than an invocation uses here.
const ENOUGH_TIME: Duration = Duration::from_secs(900);

/// Most invocations of a run. A run that needs more makes no progress.
const MAX_INVOCATIONS: usize = 1_500;

type MemoryEnvironment<'m> = Environment<MemoryClient<'m>, MemoryClient<'m>, MemoryClient<'m>>;

/// An execution environment, and how to tell whether one of its calls was denied.
struct Place<'m> {
    environment: Arc<MemoryEnvironment<'m>>,
}

/// An invocation in progress.
struct Invocation<'m> {
    work: Pin<Box<dyn Future<Output = Outcome> + 'm>>,
    done: Arc<DoneRecords>,
    records: usize,
}

/// How an invocation ended.
struct Outcome {
    report: Report,
    has_failed: bool,
}

/// Records whether a pending future wants to be polled again immediately.
#[derive(Default)]
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<'m> Place<'m> {
    fn new(memory: &'m Memory, scenario: &Scenario, rng: &mut Rng, rates: Option<FaultRates>) -> Self {
        let mut client = || match rates {
            Some(rates) => memory.strict_client(rng.fork(), rates),
            None => memory.client(),
        };
        let (log, rest, publisher) = (client(), client(), client());
        Self {
            environment: Arc::new(Environment::new(
                scenario.options,
                scenario.format.columns().clone(),
                log,
                rest,
                publisher,
            )),
        }
    }

    /// An invocation with these records of `shard`.
    fn batch(&self, scenario: &Scenario, shard: usize, records: &[Record], now_ms: u64) -> Invocation<'m> {
        let mut buckets: Vec<(u32, BucketClicks)> = Vec::new();
        let done = Arc::new(DoneRecords::of_parts(records.iter().map(Vec::len)));
        let clicks =
            records.iter().enumerate().flat_map(|(index, record)| record.iter().map(move |click| (index, click)));
        for (index, click) in clicks {
            let click = BatchClick { index, ..click.clone() };
            let bucket = bucket_of(&click.click.user_id, scenario.options.buckets);
            let place = buckets.iter().position(|(number, _)| *number == bucket).unwrap_or_else(|| {
                buckets.push((bucket, BucketClicks::new()));
                buckets.len() - 1
            });
            buckets[place].1.entry(shard_key(shard)).or_default().push(click);
        }
        let (environment, noted) = (Arc::clone(&self.environment), Arc::clone(&done));
        let work = async move {
            let (failures, report) = (Failures::default(), Mutex::default());
            let time = TimeBudget::lasting(now_ms, ENOUGH_TIME);
            let ledger = Ledger { failures: &failures, report: &report, time };
            environment.batch(&buckets, &noted, &ledger).await;
            Outcome { report: report.into_inner().unwrap(), has_failed: failures.given_up_kinds().is_some() }
        };
        Invocation { work: Box::pin(tokio::task::unconstrained(work)), done, records: records.len() }
    }

    fn sweep(&self, now_ms: u64) -> Invocation<'m> {
        let environment = Arc::clone(&self.environment);
        let work = async move {
            let (failures, report) = (Failures::default(), Mutex::default());
            let time = TimeBudget::lasting(now_ms, ENOUGH_TIME);
            let ledger = Ledger { failures: &failures, report: &report, time };
            environment.sweep(&ledger).await;
            Outcome { report: report.into_inner().unwrap(), has_failed: failures.given_up_kinds().is_some() }
        };
        let done = Arc::new(DoneRecords::none_of(0));
        Invocation { work: Box::pin(tokio::task::unconstrained(work)), done, records: 0 }
    }
}

impl Invocation<'_> {
    /// Advances to the next call or part of a call; returns the outcome at the end. If it is pausing before a retry, the
    /// clock advances past the pause.
    async fn advance(&mut self) -> Option<Outcome> {
        let flag = Arc::new(WakeFlag::default());
        match self.work.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&flag)))) {
            Poll::Ready(outcome) => return Some(outcome),
            Poll::Pending if flag.0.load(Relaxed) => {}
            Poll::Pending => tokio::time::advance(A_WHILE).await,
        }
        None
    }

    async fn finish(mut self) -> Outcome {
        loop {
            if let Some(outcome) = self.advance().await {
                return outcome;
            }
        }
    }

    /// How many records are done, counted from the first.
    fn done(&self) -> usize {
        (0..self.records).take_while(|index| self.done.is_done(*index)).count()
    }
}

fn shard_key(shard: usize) -> ShardKey {
    ShardKey::new(format!("shard{shard}"))
}

/// Runs `invocation` while zombies act. `None` if it dies, or goes on as a zombie; `true` inside if it ran to its end.
async fn run_among<'m>(
    rng: &mut Rng,
    mut invocation: Invocation<'m>,
    zombies: &mut Vec<Invocation<'m>>,
    counted: &mut Report,
) -> Option<(Invocation<'m>, bool)> {
    loop {
        if !zombies.is_empty() && rng.bool() {
            let zombie = rng.usize(..zombies.len());
            if zombies[zombie].advance().await.is_some() || rng.u8(..32) == 0 {
                zombies.swap_remove(zombie);
            }
        }
        match rng.u8(..48) {
            0 => return Some((invocation, false)), // it runs out of time and reports what is done
            1 => return None,                      // it dies
            2 => {
                zombies.push(invocation);
                return None;
            }
            _ => {}
        }
        if let Some(Outcome { report, has_failed }) = invocation.advance().await {
            let undone = invocation.done.count_undone();
            assert!(undone == 0 || has_failed, "{undone} of {} records are not done", invocation.records);
            *counted += report;
            return Some((invocation, true));
        }
    }
}

/// Delivers everything until each shard's last record is checkpointed, then lets some of the zombies finish. Returns the
/// counts of the invocations that finished.
async fn deliver(rng: &mut Rng, scenario: &Scenario, memory: &Memory) -> Report {
    let mut counted = Report::default();
    let mut checkpoints = vec![0; scenario.shards.len()];
    let place = |rng: &mut Rng| Place::new(memory, scenario, rng, Some(FaultRates::MANY));
    let mut places: Vec<_> = (0..rng.usize(1..=3)).map(|_| place(rng)).collect();
    let mut zombies: Vec<Invocation<'_>> = Vec::new();
    for _ in 0..MAX_INVOCATIONS {
        let unread: Vec<_> =
            (0..scenario.shards.len()).filter(|shard| checkpoints[*shard] < scenario.shards[*shard].len()).collect();
        let Some(shard) = rng.choice(unread) else {
            for zombie in zombies {
                if rng.bool() {
                    zombie.finish().await;
                }
            }
            return counted;
        };
        let at = rng.usize(..places.len());
        tokio::time::advance(Duration::from_millis(1)).await; // calls that failed before count as paused for
        if rng.u8(..4) == 0 {
            let clock_ms = if rng.bool() { scenario.any_time(rng) } else { scenario.long_after() };
            let sweep = places[at].sweep(clock_ms);
            if run_among(rng, sweep, &mut zombies, &mut counted).await.is_none() {
                places[at] = place(rng);
            }
            continue;
        }
        let from = checkpoints[shard];
        let longest = if rng.bool() { 5 } else { scenario.shards[shard].len() };
        let to = scenario.shards[shard].len().min(from + rng.usize(1..=longest));
        let now_ms = scenario.any_time(rng);
        let invocation = places[at].batch(scenario, shard, &scenario.shards[shard][from..to], now_ms);
        match run_among(rng, invocation, &mut zombies, &mut counted).await {
            // A checkpoint may lag behind the progress, or be lost.
            Some((invocation, _)) => {
                let done = from + invocation.done();
                checkpoints[shard] = [done, done, done, rng.usize(from..=done), from][rng.usize(..5)];
            }
            None => places[at] = place(rng),
        }
    }
    panic!("no progress after {MAX_INVOCATIONS} invocations");
}

/// Names the seed of a run that panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("with seed {}", self.0);
        }
    }
}

async fn run(seed: u64) -> Report {
    let _named = Seed(seed);
    let mut rng = Rng::with_seed(seed);
    let scenario = Scenario::random(&mut rng);
    let memory = Memory::of(scenario.format.columns().clone());
    let counted = deliver(&mut rng, &scenario, &memory).await;
    let early = std::mem::take(&mut memory.contents().stream);

    // Days later, when the tombstones in the sessions table have expired.
    let last = Place::new(&memory, &scenario, &mut rng, None);
    let swept = last.sweep(scenario.long_after()).finish().await;
    assert!(!swept.has_failed, "seed {seed}: the last sweep failed");
    let late = std::mem::take(&mut memory.contents().stream);
    verdict::check(seed, &mut rng, &scenario, &memory.contents(), early, late);
    counted
}

/// Runs the seeds that leave the remainder `thread` when divided by `threads`.
fn run_share(seeds: std::ops::Range<u64>, thread: u64, threads: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut counted = Report::default();
        for seed in seeds.filter(|seed| seed % threads == thread) {
            counted += run(seed).await;
        }
        counted
    })
}

#[test]
fn table_matches_the_commit_order_under_crashes_redeliveries_sweeps_and_races() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("FIRST_SEED").unwrap_or(0);
    let seeds = first..first + number("SEEDS").unwrap_or(SEEDS);
    let mut counted = Report::default();
    std::thread::scope(|scope| {
        let share = |thread| {
            let seeds = seeds.clone();
            scope.spawn(move || run_share(seeds, thread, threads))
        };
        let shares: Vec<_> = (0..threads).map(share).collect();
        for share in shares {
            counted += share.join().expect("a seed failed");
        }
    });
    let Report { applied, late, already_applied, started, closed, closed_by_inactivity, closed_early, .. } = counted;
    let Report { reopened, merged, lost_races, carried, users_read, users_at_rest, buckets_loaded, .. } = counted;
    let seen = [applied, late, already_applied, started, closed, closed_by_inactivity, closed_early];
    let seen =
        seen.into_iter().chain([reopened, merged, lost_races, carried, users_read, users_at_rest, buckets_loaded]);
    let runs = seeds.end - seeds.start;
    assert!(seen.min() > Some(runs / 100), "the seeds do not cover every case: {counted:?}");
}
