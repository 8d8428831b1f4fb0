//! Owns the state of one shard: the records read, assigned to lanes by partition key, and the checkpoint up to which
//! all are done. Pure and synchronous: the shell around it reads, invokes and keeps time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use shared::sequence_number::SequenceNumber;

use super::answer::{self, BatchResult};
use super::delivery_policy::DeliveryPolicy;
use super::event::EventRecord;
use super::function::InvocationResult;
use super::lane::{BatchRules, Lane, NextDelivery};
use super::limits::READ_AHEAD_BATCHES_PER_LANE;

/// The state of one shard between two events: records arrived, an invocation ended, time passed.
pub(crate) struct ShardCursor {
    rules: BatchRules,
    policy: Arc<dyn DeliveryPolicy>,
    lanes: Vec<Lane>,
    /// Records read that the checkpoint has not passed, done or not, in the shard's order.
    open: VecDeque<SequenceNumber>,
    /// The index of the first open record, which is the number of records that the checkpoint has passed.
    first_open: u64,
    checkpoint: Option<SequenceNumber>,
    ended: bool,
}

/// The effect of an outcome.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    pub(crate) verdict: BatchResult,
    /// How many records the checkpoint has advanced.
    pub(crate) checkpointed: u64,
}

impl ShardCursor {
    /// An unread shard, with `lanes` ≥ 1.
    pub(crate) fn new(rules: BatchRules, lanes: usize, policy: Arc<dyn DeliveryPolicy>) -> Self {
        Self {
            rules,
            policy,
            lanes: (0..lanes.max(1)).map(|_| Lane::default()).collect(),
            open: VecDeque::new(),
            first_open: 0,
            checkpoint: None,
            ended: false,
        }
    }

    /// How many records can be read now. Zero until batches are done: this is how a slow function slows down reading.
    pub(crate) fn room(&self) -> usize {
        let batches = READ_AHEAD_BATCHES_PER_LANE * self.lanes.len();
        let bytes: usize = self.lanes.iter().map(Lane::queued_bytes).sum();
        if self.ended || bytes >= batches * self.rules.max_event_bytes {
            return 0;
        }
        (batches * self.rules.max_records).saturating_sub(self.open.len())
    }

    /// Adds the next records, in the shard's order.
    pub(crate) fn read(&mut self, records: Vec<EventRecord>, now: Duration) {
        for record in records {
            let place = self.first_open + self.open.len() as u64;
            let lane = lane_of(&record.partition_key, self.lanes.len());
            self.open.push_back(record.sequence_number.clone());
            self.lanes[lane].push(place, record, now);
        }
    }

    /// Notes that the shard is closed and was read to its end.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether every record of a closed shard is done.
    pub(crate) fn is_finished(&self) -> bool {
        self.ended && self.open.is_empty()
    }

    /// Puts every ready batch in flight and returns the lanes.
    pub(crate) fn deliver_ready(&mut self, now: Duration) -> Vec<usize> {
        let mut delivered = Vec::new();
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if let NextDelivery::Deliver(fitting) = lane.next_step(now, self.ended, &self.rules) {
                lane.deliver(self.policy.cut(fitting).clamp(1, fitting));
                delivered.push(index);
            }
        }
        delivered
    }

    /// The records of a lane that are in flight.
    pub(crate) fn in_flight(&self, lane: usize) -> impl ExactSizeIterator<Item = &EventRecord> {
        self.lanes[lane].in_flight()
    }

    /// When a lane has something to do even if nothing else happens.
    pub(crate) fn wake_at(&self, now: Duration) -> Option<Duration> {
        let wait = |lane: &Lane| match lane.next_step(now, self.ended, &self.rules) {
            NextDelivery::Deliver(_) => Some(now),
            NextDelivery::WaitUntil(time) => Some(time),
            NextDelivery::Rest => None,
        };
        self.lanes.iter().filter_map(wait).min()
    }

    /// Applies the outcome of a lane's invocation.
    pub(crate) fn settle(&mut self, lane: usize, outcome: &InvocationResult, now: Duration) -> Settled {
        let batch: Vec<_> = self.in_flight(lane).map(|record| &record.sequence_number).collect();
        let verdict = answer::judge(outcome, &batch);
        self.lanes[lane].settle(&verdict, now, &self.rules, &*self.policy);
        Settled { verdict, checkpointed: self.move_checkpoint() }
    }

    /// The sequence number up to and including which every record is done; `None` if no record is.
    pub(crate) fn checkpoint(&self) -> Option<&SequenceNumber> {
        self.checkpoint.as_ref()
    }

    /// Advances the checkpoint to the oldest record that is not done in any lane.
    fn move_checkpoint(&mut self) -> u64 {
        let end = self.first_open + self.open.len() as u64;
        let first_undone = self.lanes.iter().filter_map(Lane::first_undone).min().unwrap_or(end);
        let before = self.first_open;
        while self.first_open < first_undone {
            self.checkpoint = self.open.pop_front();
            self.first_open += 1;
        }
        self.first_open - before
    }
}

/// The lane of a partition key: FNV-1a, which is the same in every run.
fn lane_of(partition_key: &str, lanes: usize) -> usize {
    let hash = partition_key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // The remainder is less than `lanes`, so it fits.
    (hash % lanes as u64) as usize
}

#[cfg(test)]
#[path = "shard_cursor_tests.rs"]
mod tests;
