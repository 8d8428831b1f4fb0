//! Owns the state of one shard: the queue of its records, and the checkpoint up to which all are done. Pure and
//! synchronous: the shell around it reads, invokes and keeps time.

use std::sync::Arc;
use std::time::Duration;

use shared::sequence_number::SequenceNumber;

use super::answer::{self, BatchResult};
use super::batch_queue::{BatchQueue, BatchRules, NextDelivery};
use super::delivery_policy::DeliveryPolicy;
use super::event::EventRecord;
use super::function::InvocationResult;
use super::limits::READ_AHEAD_BATCHES;

/// The state of one shard between two events: records arrived, an invocation ended, time passed.
pub(crate) struct ShardCursor {
    rules: BatchRules,
    policy: Arc<dyn DeliveryPolicy>,
    queue: BatchQueue,
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
    /// An unread shard.
    pub(crate) fn new(rules: BatchRules, policy: Arc<dyn DeliveryPolicy>) -> Self {
        Self { rules, policy, queue: BatchQueue::default(), checkpoint: None, ended: false }
    }

    /// How many records can be read now. Zero until batches are done: this is how a slow function slows down reading.
    pub(crate) fn room(&self) -> usize {
        if self.ended || self.queue.queued_bytes() >= READ_AHEAD_BATCHES * self.rules.max_event_bytes {
            return 0;
        }
        (READ_AHEAD_BATCHES * self.rules.max_records).saturating_sub(self.queue.len())
    }

    /// Adds the next records, in the shard's order.
    pub(crate) fn read(&mut self, records: Vec<EventRecord>, now: Duration) {
        for record in records {
            self.queue.push(record, now);
        }
    }

    /// Notes that the shard is closed and was read to its end.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether every record of a closed shard is done.
    pub(crate) fn is_finished(&self) -> bool {
        self.ended && self.queue.len() == 0
    }

    /// Puts the next batch in flight if it is ready. Returns whether it was.
    pub(crate) fn deliver_ready(&mut self, now: Duration) -> bool {
        let NextDelivery::Deliver(fitting) = self.queue.next_step(now, self.ended, &self.rules) else { return false };
        self.queue.deliver(self.policy.cut(fitting).clamp(1, fitting));
        true
    }

    /// The records in flight.
    pub(crate) fn in_flight(&self) -> impl ExactSizeIterator<Item = &EventRecord> {
        self.queue.in_flight()
    }

    /// When there is something to do even if nothing else happens.
    pub(crate) fn wake_at(&self, now: Duration) -> Option<Duration> {
        match self.queue.next_step(now, self.ended, &self.rules) {
            NextDelivery::Deliver(_) => Some(now),
            NextDelivery::WaitUntil(time) => Some(time),
            NextDelivery::Rest => None,
        }
    }

    /// Applies the outcome of the invocation.
    pub(crate) fn settle(&mut self, outcome: &InvocationResult, now: Duration) -> Settled {
        let batch: Vec<_> = self.in_flight().map(|record| &record.sequence_number).collect();
        let verdict = answer::judge(outcome, &batch);
        let mut done = self.queue.settle(&verdict, now, &self.rules, &*self.policy);
        let checkpointed = done.len() as u64;
        if let Some(last) = done.pop() {
            self.checkpoint = Some(last.sequence_number);
        }
        Settled { verdict, checkpointed }
    }

    /// The sequence number up to and including which every record is done; `None` if no record is.
    pub(crate) fn checkpoint(&self) -> Option<&SequenceNumber> {
        self.checkpoint.as_ref()
    }
}

#[cfg(test)]
#[path = "shard_cursor_tests.rs"]
mod tests;
