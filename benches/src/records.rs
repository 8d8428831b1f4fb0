//! The cost of a click without calls: parsing the event, decoding clicks, deciding, encoding states and boundaries.
//!
//! One thread, CPU time, no I/O. The clicks and states are those of a workload.

use std::collections::HashMap;
use std::time::Duration;

use kinesis_function::records::Records;
use sessionizer_fn::batch::{Batch, UserClicks};
use sessionizer_fn::config::FirstSession;
use sessionizer_fn::outbox::{ProposedCommit, Published};
use sessionizer_fn::state::UserState;
use sessionizer_fn::state_item;
use sessionizer_fn::step::{NextStep, Rule, next_step};
use shared::boundary::Boundary;
use shared::session_rule::SessionGap;

use crate::cpu::process_cpu;
use crate::error::BenchError;
use crate::event::{click_event, parse, user_id};
use crate::stored;
use crate::workload::{BEGIN_MS, Shard, Workload, users_per_click};

/// The stages of the work, in order.
pub const STAGES: [&str; 5] = ["read the event", "decode clicks", "decide", "encode boundaries", "encode states"];

const MAX_CLOCK_SKEW_MS: u64 = 3_600_000;

/// A batch and the states of its users.
#[derive(Debug)]
pub struct Input {
    json: String,
    states: HashMap<String, UserState>,
    rule: Rule,
    /// Number of clicks.
    pub clicks: usize,
    /// Distinct users per click.
    pub users_per_click: f64,
}

impl Input {
    /// A full batch of `workload`.
    ///
    /// # Errors
    /// None in practice.
    pub fn of(workload: Workload) -> Result<Self, BenchError> {
        let mut shard = Shard::new(workload, 2 * workload.users_of_full_batches(), 17);
        let clicks = shard.next_batch();
        let mut states = HashMap::new();
        for click in &clicks {
            let before = shard.before()[click.user];
            states.insert(user_id(click.user), stored::state(workload, click.user, before)?);
        }
        Ok(Self {
            json: click_event(&clicks, 1)?,
            states,
            rule: Rule { gap: SessionGap::from_ms(workload.gap_ms), first_session: FirstSession::Emit },
            clicks: clicks.len(),
            users_per_click: users_per_click(&clicks),
        })
    }

    /// Does all of the work once and calls `between` with each stage's number after it.
    ///
    /// # Errors
    /// If the result is not the expected one.
    pub fn process(&self, mut between: impl FnMut(usize)) -> Result<(), BenchError> {
        let records = Records::of(parse(&self.json)?).map_err(BenchError::failed)?;
        between(0);
        let batch = Batch::decode(&records, MAX_CLOCK_SKEW_MS, 1);
        between(1);
        let decided = batch.users.iter().map(|user| self.decide(user)).collect::<Result<Vec<_>, _>>()?;
        between(2);
        for (user, commit) in batch.users.iter().zip(&decided) {
            for entry in commit.state.outbox(&commit.outbox()) {
                let boundary = Boundary::of(&user.user_id, entry.session.clone(), entry.version);
                std::hint::black_box(boundary.encode()?);
            }
        }
        between(3);
        for commit in &decided {
            std::hint::black_box(state_item::encode(&commit.state));
        }
        between(4);
        let applied: u64 = decided.iter().map(|commit| commit.report.applied).sum();
        if applied == self.clicks as u64 { Ok(()) } else { Err(BenchError::failed("clicks were not applied")) }
    }

    fn decide(&self, user: &UserClicks) -> Result<ProposedCommit, BenchError> {
        let stored = self.states.get(user.user_id.as_str());
        match next_step(stored, &user.clicks, &Published::default(), self.rule, BEGIN_MS + 1_000_000) {
            NextStep::Commit(commit) if commit.settles == user.clicks.len() => Ok(*commit),
            other => Err(BenchError::failed(format!("expected one commit, got {other:?}"))),
        }
    }

    /// CPU time of each stage: the minimum of `rounds` rounds, because disturbances only add to it.
    ///
    /// # Errors
    /// Like [`Self::process`].
    pub fn cpu(&self, rounds: u32) -> Result<[Duration; STAGES.len()], BenchError> {
        let mut least = [Duration::MAX; STAGES.len()];
        for _ in 0..rounds {
            let mut before = process_cpu();
            self.process(|stage| {
                let now = process_cpu();
                least[stage] = least[stage].min(now - before);
                before = process_cpu();
            })?;
        }
        Ok(least)
    }
}
