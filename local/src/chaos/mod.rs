//! Runs streams while injecting faults and checks that the final tables are the same as without faults.
//!
//! Uses the real handlers, SDK clients and embedded services. An [`adversary`] decides about every call, invocation and
//! batch; a [`verdict`] compares whole tables. The seed determines everything except the timing.

pub mod adversary;
pub mod expected;
pub mod fault_kind;
pub mod mortal;
pub mod stream;
pub mod verdict;

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_types::SdkConfig;
use fastrand::Rng;
use futures_util::stream::{StreamExt, iter};
use indicatif::{ProgressBar, ProgressStyle};
use local_aws::event_source_mapping::Function;
use shared::click::{Click, LatestBelievable};
use shared::session_rule::SessionGap;

use crate::chaos::adversary::Adversary;
use crate::chaos::expected::Expected;
use crate::chaos::fault_kind::{FaultKind, Tally};
use crate::chaos::mortal::{Mortal, Zombies};
use crate::chaos::stream::{Phase, Sent, Size};
use crate::chaos::verdict::Found;
use crate::error::LocalError;
use crate::input::Input;
use crate::lines::Content;
use crate::pipeline::{Options, Pipeline};
use crate::producer::{Producer, Route};
use crate::run::parameters;
use crate::staging::Staging;

/// The template's session gap and clock skew, which these runs do not change.
const GAP: SessionGap = SessionGap::from_ms(10_000);
const MAX_CLOCK_SKEW_MS: u64 = 3_600_000;

/// The size of a random stream.
const SIZE: Size = Size { phases: 6, records: 40, users: 6 };

/// Partition keys over which a user's clicks are scattered, and the maximum number of reshards of a stream: together
/// they need fewer than the 16 cursors in a user's state.
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

/// A stream and its expected result.
#[derive(Clone, Debug)]
struct Script {
    phases: Vec<Phase>,
    /// Whether the records of a phase may be put in any order, under any partition key.
    any_order: bool,
    expected: Expected,
    rejected: Vec<Vec<u8>>,
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
        let script = from_file.clone().unwrap_or_else(|| Script::random(&mut rng));
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

impl Script {
    fn random(rng: &mut Rng) -> Self {
        let phases = stream::random(rng, "user", SIZE, GAP);
        let (clicks, rejected) = decoded(phases.iter().flatten().map(|sent| &sent.data));
        Self { expected: Expected::of_sorted(clicks, GAP), rejected, phases, any_order: true }
    }

    /// The file's records in order. The session rule itself computes the expected result.
    async fn of_file(path: &std::path::Path) -> Result<Self, LocalError> {
        let mut lines = Input::open(path)?.into_lines()?;
        let mut phase = Phase::new();
        while let Some(line) = lines.recv().await {
            let line = line?;
            // Lines too long for a Kinesis record are left out: they cannot be put.
            if let Content::Record(data) = line.content {
                let route = Route::of(line.number, &data, 0, MAX_CLOCK_SKEW_MS);
                phase.push(Sent { user: Some(route.partition_key), data });
            }
        }
        let (clicks, rejected) = decoded(phase.iter().map(|sent| &sent.data));
        Ok(Self { expected: Expected::in_order(&clicks, GAP), rejected, phases: vec![phase], any_order: false })
    }
}

fn decoded<'d>(records: impl Iterator<Item = &'d Vec<u8>>) -> (Vec<Click>, Vec<Vec<u8>>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let latest = LatestBelievable::after_arrival(u64::try_from(now).unwrap_or(u64::MAX), MAX_CLOCK_SKEW_MS);
    let (mut clicks, mut rejected) = (Vec::new(), Vec::new());
    for data in records {
        match Click::decode(data, latest) {
            Ok(decoded) => clicks.push(decoded.click),
            Err(_) => rejected.push(data.clone()),
        }
    }
    (clicks, rejected)
}

/// Runs the script under faults. The inner error says what differs.
async fn one_run(
    script: &Script,
    rng: &mut Rng,
    kinds: &[FaultKind],
    tally: Arc<Tally>,
) -> Result<Result<(), String>, LocalError> {
    let adversary = Adversary::new(rng.u64(..), kinds, tally);
    let stage = Stage { adversary: adversary.clone(), zombies: Zombies::default() };
    let options = Options {
        parameters: parameters(None, None, Some(rng.u32(1..=4))),
        shards: Some(rng.u32(1..=3)),
        batch_size: Some(rng.u32(1..=100)),
        data_dir: None,
    };
    let pipeline = Pipeline::start_with(options, &stage).await?;
    put(script, rng, &adversary, &pipeline).await?;
    stage.zombies.rest().await;
    let found = everything_stored(&pipeline, &stage.zombies).await?;
    pipeline.stop().await?;
    Ok(verdict::compare(&script.expected, &script.rejected, &found))
}

/// Puts the stream, phase by phase, and waits until each phase is done.
async fn put(script: &Script, rng: &mut Rng, adversary: &Adversary, pipeline: &Pipeline) -> Result<(), LocalError> {
    let scatter = script.any_order && adversary.injects(FaultKind::Scatter) && rng.bool();
    if scatter {
        adversary.count(FaultKind::Scatter);
    }
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream).await?;
    let mut reshards = 0;
    for phase in &script.phases {
        let mut order: Vec<_> = phase.iter().collect();
        if script.any_order {
            rng.shuffle(&mut order);
        }
        for sent in order {
            let key = match &sent.user {
                Some(user) if scatter => format!("{user}/{}", rng.u32(..KEYS_PER_USER)),
                Some(user) => user.clone(),
                None => format!("none {}", rng.u32(..)),
            };
            producer.take(key, sent.data.clone()).await?;
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

/// Runs the functions under the adversary.
#[derive(Clone, Debug)]
struct Stage {
    adversary: Adversary,
    zombies: Zombies,
}

impl Staging for Stage {
    type Policy = Adversary;

    fn policy(&self) -> Adversary {
        self.adversary.clone()
    }

    fn function<F: Function>(
        &self,
        sdk: &SdkConfig,
        make: impl Fn(&SdkConfig) -> F + Send + Sync + 'static,
    ) -> impl Function {
        Mortal::new(make, sdk, self.adversary.clone(), self.zombies.clone())
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
