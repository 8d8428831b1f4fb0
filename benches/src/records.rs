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

/// A batch and the state of its bucket.
#[derive(Debug)]
pub struct Input {
    json: String,
    log: Vec<LogCommit>,
    at_rest: UsersAtRest,
    rules: Rules,
    format: ClickFormat,
    /// Number of clicks.
    pub clicks: usize,
    /// Distinct users per click.
    pub users_per_click: f64,
}

impl Input {
    /// A full batch of `workload`, whose clicks and sessions have `columns`.
    ///
    /// # Errors
    /// None in practice.
    pub fn of(workload: Workload, columns: Columns) -> Result<Self, BenchError> {
        let mut shard = Shard::new(workload, 2 * workload.users_of_full_batches(), 17);
        let State { log, at_rest } = stored::state(workload, &shard, columns)?;
        let clicks = shard.next_batch();
        Ok(Self {
            json: click_event(&clicks, 1, columns)?,
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
            clicks: clicks.len(),
            users_per_click: users_per_click(&clicks),
        })
    }

    /// The bucket's memory before the batch.
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

    /// Does all of the work once, on a `memory` made by [`Self::memory`], and calls `between` with each stage's number
    /// after it.
    ///
    /// # Errors
    /// If the result is not the expected one.
    pub fn process(&self, memory: &mut BucketMemory, mut between: impl FnMut(usize)) -> Result<(), BenchError> {
        let records = Records::of(parse(&self.json)?).map_err(BenchError::failed)?;
        between(0);
        let mut batch = Batch::decode(&records, &self.format, MAX_CLOCK_SKEW_MS, 1);
        between(1);
        let (mut commits, mut applied) = (Vec::new(), 0);
        for (shard, clicks) in batch.buckets.remove(&0).unwrap_or_default() {
            applied += self.decide(memory, &shard, &clicks, &mut commits)?;
        }
        between(2);
        for commit in &commits {
            for outbox in commit.entries.iter().filter_map(|(_, value)| value.outbox()) {
                for boundary in outbox.boundaries(self.format.columns()) {
                    std::hint::black_box(boundary.encode()?);
                }
            }
        }
        between(3);
        for commit in &commits {
            std::hint::black_box(
                encode_entries(&commit.entries, commit.made_ms, self.format.columns()).map_err(BenchError::failed)?,
            );
        }
        between(4);
        if applied == self.clicks as u64 { Ok(()) } else { Err(BenchError::failed("clicks were not applied")) }
    }

    /// Appends the commits of `clicks`; returns how many clicks they apply.
    fn decide(
        &self,
        memory: &mut BucketMemory,
        shard: &ShardKey,
        clicks: &[BatchClick],
        commits: &mut Vec<LogCommit>,
    ) -> Result<u64, BenchError> {
        let (mut todo, mut applied) = (clicks, 0);
        while let Some(last) = todo.last() {
            let mut plan =
                Plan::new(memory, &self.rules, Origin::Shard(shard.clone()), BEGIN_MS + 60_000, Packing::Tight);
            let taken = plan.apply(todo, &self.at_rest);
            plan.close_inactive(last.arrival_ms);
            let leaving = vec![true; plan.empty_oldest().len()];
            let Some(Planned { commit, report }) = plan.commit(&leaving).filter(|_| taken > 0) else {
                return Err(BenchError::failed(format!("{} clicks cannot be committed", todo.len())));
            };
            memory.take_in(commit.clone()).map_err(BenchError::failed)?;
            commits.push(commit);
            applied += report.applied;
            todo = &todo[taken..];
        }
        Ok(applied)
    }
}

/// CPU time of each stage of each of `inputs`, in turn: the minimum of `rounds` rounds, because disturbances only add to
/// it.
///
/// # Errors
/// Like [`Input::process`].
pub fn cpu<const N: usize>(inputs: [&Input; N], rounds: u32) -> Result<[[Duration; STAGES.len()]; N], BenchError> {
    let mut least = [[Duration::MAX; STAGES.len()]; N];
    for _ in 0..rounds {
        for (input, least) in inputs.iter().zip(&mut least) {
            let mut memory = input.memory()?;
            let mut before = process_cpu();
            input.process(&mut memory, |stage| {
                let now = process_cpu();
                least[stage] = least[stage].min(now - before);
                before = process_cpu();
            })?;
        }
    }
    Ok(least)
}
