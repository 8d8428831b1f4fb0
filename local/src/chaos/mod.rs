//! Runs streams while injecting faults and checks that the final tables are the same as without faults.
//!
//! Uses the real handlers, SDK clients and embedded services. An [`adversary`] decides about every call, invocation,
//! batch and sweep. Every commit is recorded ([`commits`]) and replayed with the rule ([`replay`]); a [`verdict`]
//! compares whole tables with that, and with the sorted stream. The seed determines everything except the timing.

pub mod adversary;
pub mod columns;
pub mod commits;
pub mod expected;
pub mod fault_kind;
mod forgetter;
mod forgotten;
pub mod mortal;
pub mod packing;
pub mod replay;
mod script;
mod stage;
pub mod stream;
pub mod sweeper;
pub mod verdict;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use futures_util::stream::{StreamExt, iter};
use indicatif::{ProgressBar, ProgressStyle};

use crate::chaos::adversary::Adversary;
use crate::chaos::commits::Recorder;
use crate::chaos::fault_kind::{FaultKind, Tally};
use crate::chaos::forgetter::Forgetter;
use crate::chaos::mortal::Zombies;
use crate::chaos::packing::packed;
use crate::chaos::replay::replay;
use crate::chaos::script::{Script, contents};
use crate::chaos::stage::Stage;
use crate::chaos::verdict::Found;
use crate::error::LocalError;
use crate::pipeline::{Options, Pipeline};
use crate::producer::Producer;

/// The slots of a small ring.
const SMALL_RING: std::ops::RangeInclusive<u64> = 3..=6;

/// Partition keys over which a user's clicks are scattered, and the maximum number of reshards of a stream.
const KEYS_PER_USER: u32 = 3;
const MOST_RESHARDS: u32 = 4;

/// A run that takes longer than this is considered stuck.
const LONGEST_RUN: Duration = Duration::from_secs(900);

/// What to run.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// NDJSON of clicks to use instead of random streams.
    pub input: Option<PathBuf>,
    /// The first run's seed; each further run uses the next number.
    pub seed: u64,
    /// Number of runs.
    pub runs: u64,
    /// Number of concurrent runs; a run mostly waits.
    pub jobs: usize,
    /// The kinds of faults to inject.
    pub kinds: Vec<FaultKind>,
}

/// How the runs ended.
#[derive(Debug)]
pub struct Verdict {
    /// Number of finished runs, including the failed one.
    pub runs: u64,
    /// The injected faults.
    pub tally: Arc<Tally>,
    /// The seed of the failed run, and the first difference between its tables and the expected ones or its error.
    pub failure: Option<(u64, String)>,
}

/// Runs until a run fails or all runs are done.
///
/// # Errors
/// If the input file cannot be read.
pub async fn run(chaos: Chaos) -> Result<Verdict, LocalError> {
    let tally = Arc::new(Tally::default());
    let from_file = match &chaos.input {
        Some(path) => Some(Script::of_file(path).await?),
        None => None,
    };
    let bar = progress_bar(chaos.runs);
    let seeds = (0..chaos.runs).map(|number| chaos.seed.wrapping_add(number));
    let runs = seeds.map(|seed| {
        let mut rng = Rng::with_seed(seed);
        let is_late = chaos.kinds.contains(&FaultKind::Late) && rng.u8(..3) == 0;
        let script = from_file.clone().unwrap_or_else(|| Script::random(&mut rng, is_late));
        if is_late && from_file.is_none() {
            tally.add(FaultKind::Late);
        }
        let (kinds, tally) = (&chaos.kinds, Arc::clone(&tally));
        async move { (seed, to_its_end(&script, &mut rng, kinds, tally).await) }
    });
    let mut ended = pin!(iter(runs).buffer_unordered(chaos.jobs.max(1)));
    let mut done = 0;
    while let Some((seed, outcome)) = ended.next().await {
        done += 1;
        bar.inc(1);
        bar.set_message(format!("{} faults survived", tally.total()));
        if let Err(difference) = outcome {
            bar.finish_and_clear();
            return Ok(Verdict { runs: done, tally: Arc::clone(&tally), failure: Some((seed, difference)) });
        }
    }
    bar.finish_and_clear();
    Ok(Verdict { runs: done, tally: Arc::clone(&tally), failure: None })
}

/// One run, with a time limit. The error says what differs or why the run failed.
async fn to_its_end(script: &Script, rng: &mut Rng, kinds: &[FaultKind], tally: Arc<Tally>) -> Result<(), String> {
    match tokio::time::timeout(LONGEST_RUN, one_run(script, rng, kinds, tally)).await {
        Ok(Ok(compared)) => compared,
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("not finished after {} s", LONGEST_RUN.as_secs())),
    }
}

/// Runs the script under faults. The inner error says what differs.
async fn one_run(
    script: &Script,
    rng: &mut Rng,
    kinds: &[FaultKind],
    tally: Arc<Tally>,
) -> Result<Result<(), String>, LocalError> {
    // In half of the runs, because clocks are less wrong where users are forgotten.
    let kinds: Vec<_> = kinds.iter().copied().filter(|kind| *kind != FaultKind::Forget || rng.bool()).collect();
    let adversary = Adversary::new(rng.u64(..), &kinds, tally);
    let slots = adversary.injects(FaultKind::SmallRing).then(|| rng.u64(SMALL_RING));
    if slots.is_some() {
        adversary.count(FaultKind::SmallRing);
    }
    let stage = Stage {
        adversary: adversary.clone(),
        zombies: Zombies::default(),
        slots,
        recorder: Recorder::default(),
        columns: script.format.columns().clone(),
    };
    let options = Options {
        parameters: BTreeMap::from([("SessionColumns".to_owned(), script.declaration.to_owned())]),
        shards: Some(rng.u32(1..=3)),
        batch_size: Some(rng.u32(1..=100)),
        ..Options::default()
    };
    let pipeline = Pipeline::start_with(options, &stage).await?;
    let sweeping = adversary.injects(FaultKind::Sweep).then(|| stage.sweep(&pipeline)).transpose()?;
    let may_be_forgotten = if adversary.injects(FaultKind::Forget) { script.users() } else { Vec::new() };
    let mut forgetter = Forgetter::new(&stage, &pipeline, may_be_forgotten);
    tokio::select! {
        put = put(script, rng, &adversary, &pipeline) => put?,
        never = forgetter.forget_at_any_time() => match never {},
    }
    if let Some(sweeping) = sweeping {
        sweeping.abort();
        let _ = sweeping.await; // always an error, because it was aborted
    }
    stage.zombies.rest().await;
    stage.recorder.quiet().await;
    pipeline.sweeps.close_all().await?;
    let stored = everything_stored(&pipeline, &stage.zombies).await?;
    if let Err(failure) = forgetter.finish().await {
        return Ok(Err(failure));
    }
    let mut found = pipeline.found(stored.published).await?;
    let records = pipeline.put_records().await?;
    let buckets = stage.config(&pipeline)?.state_buckets;
    let compared = stage.recorder.take().and_then(|commits| {
        let (shards, rejected) = contents(&pipeline.click_stream, &script.format, records)?;
        let replayed = replay(BTreeMap::new(), commits, &shards, buckets, script.format.columns())?;
        verdict::compare_with_commits(&replayed, &found)?;
        verdict::compare_rejected(&rejected, &found)?;
        let Some(mut expected) = script.expected.clone() else { return Ok(()) };
        expected.leave_out(&forgetter.begun);
        found.leave_out(&forgetter.begun);
        verdict::compare(&expected, &found)
    });
    pipeline.stop().await?;
    Ok(compared)
}

/// Puts the stream, phase by phase, and waits until each phase is done.
async fn put(script: &Script, rng: &mut Rng, adversary: &Adversary, pipeline: &Pipeline) -> Result<(), LocalError> {
    let scatter = script.any_order && adversary.injects(FaultKind::Scatter) && rng.bool();
    if scatter {
        adversary.count(FaultKind::Scatter);
    }
    let packs = script.any_order && adversary.injects(FaultKind::Pack);
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await?;
    let mut reshards = 0;
    for phase in &script.phases {
        let mut order: Vec<_> = phase.iter().collect();
        if script.any_order {
            rng.shuffle(&mut order);
        }
        let keyed = order.into_iter().map(|sent| {
            let key = match &sent.click {
                Some((user, _)) if scatter => format!("{user}/{}", rng.u32(..KEYS_PER_USER)),
                Some((user, _)) => user.clone(),
                None => format!("none {}", rng.u32(..)),
            };
            (key, sent.data.clone())
        });
        let mut records: Vec<_> = keyed.collect();
        if packs && rng.bool() {
            let before = records.len();
            records = packed(rng, records);
            (records.len()..before).for_each(|_| adversary.count(FaultKind::Pack));
        }
        for (key, data) in records {
            producer.take(key, data).await?;
        }
        producer.flush().await?;
        if adversary.injects(FaultKind::Reshard) && reshards < MOST_RESHARDS && rng.u8(..4) == 0 {
            pipeline.reshard(rng.bool()).await?;
            producer.learn_shards().await?;
            adversary.count(FaultKind::Reshard);
            reshards += 1;
        }
        pipeline.clicks().wait_until_done(producer.records_put()).await?;
    }
    Ok(())
}

/// Waits until the sink has stored everything in session-stream, including records that zombies put late.
async fn everything_stored(pipeline: &Pipeline, zombies: &Zombies) -> Result<Found, LocalError> {
    loop {
        let published = pipeline.published().await?;
        pipeline.boundaries().wait_until_done(published.len() as u64).await?;
        zombies.rest().await;
        if pipeline.published().await?.len() == published.len() {
            return pipeline.found(published).await;
        }
    }
}

fn progress_bar(runs: u64) -> ProgressBar {
    let bar = ProgressBar::new(runs);
    // The template is a constant. If it were invalid, the bar would keep its default style.
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} runs  {elapsed}  {msg}") {
        bar.set_style(style);
    }
    bar
}
