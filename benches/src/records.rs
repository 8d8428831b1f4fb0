//! The cost of a click without calls: parsing the event, decoding clicks, deciding, encoding boundaries and commits.
//!
//! One thread, CPU time, no I/O. The clicks and states are those of a workload.

use std::time::Duration;

use kinesis_function::records::Records;
use sessionizer_fn::batch::{Batch, BatchClick};
use sessionizer_fn::bucket::bounds::{Bounds, Packing, SLOTS};
use sessionizer_fn::bucket::memory::BucketMemory;
use sessionizer_fn::bucket::plan::{Plan, Planned, Rules, UsersAtRest};
use sessionizer_fn::config::{Boundaries, FirstSession};
use sessionizer_fn::ring_log::ring::Ring;
use sessionizer_fn::state_log_codec::encode_entries;
use sessionizer_fn::state_log_entry::{Origin, ShardKey};
use sessionizer_fn::store::log_store::LogCommit;
use shared::click_format::ClickFormat;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::WindowRule;

use crate::cpu::process_cpu;
use crate::error::BenchError;
use crate::event::{click_event, parse};
use crate::stored::{self, FIRST_COMMIT, State};
use crate::typical_columns::Columns;
use crate::workload::{BEGIN_MS, Shard, Workload, users_per_click};

/// The stages of the work, in order. A bucket's memory takes in its own commits as part of deciding.
pub const STAGES: [&str; 5] = ["read the event", "decode clicks", "decide", "encode boundaries", "encode commits"];

const MAX_CLOCK_SKEW_MS: u64 = 900_000;

/// Batch after batch, and the state of their bucket.
#[derive(Debug)]
pub struct Input {
    shard: Shard,
    columns: Columns,
    /// The batch, as an event.
    json: String,
    /// The place of its first record in the shard.
    place: u64,
    /// The arrival of its last record, in Unix milliseconds.
    arrival_ms: u64,
    log: Vec<LogCommit>,
    at_rest: UsersAtRest,
    rules: Rules,
    format: ClickFormat,
    /// Its number of clicks.
    pub clicks: usize,
    /// Distinct users per click.
    pub users_per_click: f64,
}

impl Input {
    /// A first batch of `users` users of `workload`, half of whom click; clicks and sessions have `columns`.
    ///
    /// # Errors
    /// None in practice.
    pub fn of(workload: Workload, users: usize, columns: Columns) -> Result<Self, BenchError> {
        let shard = Shard::new(workload, users, 17);
        let State { log, at_rest } = stored::state(workload, &shard, columns)?;
        let mut input = Self {
            shard,
            columns,
            json: String::new(),
            place: 1,
            arrival_ms: BEGIN_MS,
            log,
            at_rest: at_rest.into_iter().map(|user| (user.user_id, Some(user.entry))).collect(),
            rules: Rules {
                window: WindowRule {
                    gap: SessionGap::from_ms(workload.gap_ms),
                    lateness_ms: 3_600_000,
                    cut: SessionCut::None,
                },
                boundaries: Boundaries::All,
                first_session: FirstSession::Emit,
                grace_ms: 10_000,
                stream_retention_ms: 86_400_000,
                ring: Ring::new(SLOTS, FIRST_COMMIT),
                bounds: Bounds::new(SLOTS, 1, u64::MAX),
            },
            format: ClickFormat::default().with_columns(columns.declared()?),
            clicks: 0,
            users_per_click: 0.0,
        };
        input.advance()?;
        Ok(input)
    }

    /// Goes on to the next batch.
    ///
    /// # Errors
    /// None in practice.
    pub fn advance(&mut self) -> Result<(), BenchError> {
        self.place += self.clicks as u64;
        let clicks = self.shard.next_batch();
        self.json = click_event(&clicks, self.place, self.columns)?;
        self.arrival_ms = clicks.last().map_or(self.arrival_ms, |click| click.ms);
        self.clicks = clicks.len();
        self.users_per_click = users_per_click(&clicks);
        Ok(())
    }

    /// The bucket's memory before the first batch.
    ///
    /// # Errors
    /// None in practice.
    pub fn memory(&self) -> Result<BucketMemory, BenchError> {
        let mut memory = BucketMemory::empty();
        for commit in &self.log {
            memory.take_in(commit.clone()).map_err(BenchError::failed)?;
        }
        Ok(memory)
    }

    /// Does all of the work once, on the `memory` after the last batch, and calls `after` with the number of each stage
    /// behind a part of it.
    ///
    /// # Errors
    /// If the result is not the expected one.
    pub fn process(&self, memory: &mut BucketMemory, mut after: impl FnMut(usize)) -> Result<(), BenchError> {
        let records = Records::of(parse(&self.json)?).map_err(BenchError::failed)?;
        after(0);
        let mut batch = Batch::decode(&records, &self.format, MAX_CLOCK_SKEW_MS, 1);
        after(1);
        let mut applied = 0;
        for (shard, clicks) in batch.buckets.remove(&0).unwrap_or_default() {
            applied += self.commit(memory, &shard, &clicks, &mut after)?;
        }
        if applied == self.clicks as u64 { Ok(()) } else { Err(BenchError::failed("clicks were not applied")) }
    }

    /// Makes, encodes and takes in the commits of `clicks`, and encodes their boundaries; returns how many clicks they
    /// apply.
    fn commit(
        &self,
        memory: &mut BucketMemory,
        shard: &ShardKey,
        clicks: &[BatchClick],
        after: &mut impl FnMut(usize),
    ) -> Result<u64, BenchError> {
        let (origin, columns) = (Origin::Shard(shard.clone()), self.format.columns());
        let (mut todo, mut applied) = (clicks, 0);
        while let Some(last) = todo.last() {
            let mut plan = Plan::new(memory, &self.rules, origin.clone(), self.arrival_ms, Packing::Tight);
            let taken = plan.apply(todo, &self.at_rest);
            plan.close_inactive(last.arrival_ms);
            let leaving = vec![true; plan.empty_oldest().len()];
            let Some(Planned { commit, report }) = plan.commit(&leaving).filter(|_| taken > 0) else {
                return Err(BenchError::failed(format!("{} clicks cannot be committed", todo.len())));
            };
            after(2);
            let bytes = encode_entries(&commit.entries, commit.made_ms, columns).map_err(BenchError::failed)?;
            std::hint::black_box(bytes);
            after(4);
            memory.take_in(commit).map_err(BenchError::failed)?;
            after(2);
            let outbox = memory.outbox(&origin).ok_or_else(|| BenchError::failed("a commit without an outbox"))?;
            for boundary in outbox.boundaries(columns) {
                std::hint::black_box(boundary.encode()?);
            }
            after(3);
            applied += report.applied;
            todo = &todo[taken..];
        }
        Ok(applied)
    }
}

/// CPU time of each stage of each of `inputs`, in turn, per click: the minimum of `rounds` batches, because disturbances
/// only add to it. One more batch comes before, and does not count.
///
/// # Errors
/// Like [`Input::process`].
#[allow(clippy::cast_precision_loss)]
pub fn cpu<const N: usize>(mut inputs: [Input; N], rounds: u32) -> Result<[[f64; STAGES.len()]; N], BenchError> {
    let mut least = [[f64::INFINITY; STAGES.len()]; N];
    let mut memories = Vec::with_capacity(N);
    for input in &inputs {
        memories.push(input.memory()?);
    }
    for round in 0..=rounds {
        for ((input, memory), least) in inputs.iter().zip(&mut memories).zip(&mut least) {
            let mut stages = [Duration::ZERO; STAGES.len()];
            let mut before = process_cpu();
            input.process(memory, |stage| {
                stages[stage] += process_cpu() - before;
                before = process_cpu();
            })?;
            for (least, stage) in least.iter_mut().zip(stages).filter(|_| round > 0) {
                *least = least.min(stage.as_secs_f64() / input.clicks as f64);
            }
        }
        inputs.iter_mut().try_for_each(Input::advance)?;
    }
    Ok(least)
}
