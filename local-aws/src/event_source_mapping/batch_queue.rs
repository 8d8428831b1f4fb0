//! Owns the queue of one shard: which of its records form the next batch, when, and which remain after an outcome. Pure
//! and synchronous; time is an argument, counted from the mapping's start. At most one batch is in flight, so the
//! queue's order is the order of delivery. It must not drop a record that is not done.

use std::collections::VecDeque;
use std::time::Duration;

use super::answer::BatchResult;
use super::backoff::RetryBackoff;
use super::delivery_policy::DeliveryPolicy;
use super::event::{EventRecord, event_bytes};

/// The limits and settings of batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchRules {
    pub(crate) max_records: usize,
    pub(crate) max_event_bytes: usize,
    pub(crate) window: Duration,
    pub(crate) bisect_on_error: bool,
    pub(crate) backoff: RetryBackoff,
}

/// What a queue does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NextDelivery {
    /// A batch with this many records is ready.
    Deliver(usize),
    /// Nothing before this time, unless records arrive.
    WaitUntil(Duration),
    /// Nothing until a record or an outcome arrives.
    Rest,
}

/// The records read from one shard that are not done, oldest first.
#[derive(Debug, Default)]
pub(crate) struct BatchQueue {
    records: VecDeque<Queued>,
    /// Bytes that the queue adds to an event.
    queued_bytes: usize,
    /// How many of the queue's first records are in flight; zero if none.
    in_flight: usize,
    /// Sizes of the next batches, if an earlier attempt determined them.
    settled_sizes: VecDeque<usize>,
    /// Whether the first records were delivered before: then they do not wait for the batching window.
    delivered_before: bool,
    failures_in_a_row: u32,
    /// No attempt before this time.
    not_before: Duration,
}

#[derive(Debug)]
struct Queued {
    read_at: Duration,
    record: EventRecord,
}

impl BatchQueue {
    pub(crate) fn push(&mut self, record: EventRecord, now: Duration) {
        self.queued_bytes += record.event_bytes();
        self.records.push_back(Queued { read_at: now, record });
    }

    /// How many records are not done.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// The records in flight.
    pub(crate) fn in_flight(&self) -> impl ExactSizeIterator<Item = &EventRecord> {
        self.records.range(..self.in_flight).map(|queued| &queued.record)
    }

    /// What to do now. `shard_ended`: no more records follow, so there is nothing to wait for.
    pub(crate) fn next_step(&self, now: Duration, shard_ended: bool, rules: &BatchRules) -> NextDelivery {
        let Some(front) = self.records.front().filter(|_| self.in_flight == 0) else {
            return NextDelivery::Rest;
        };
        if now < self.not_before {
            return NextDelivery::WaitUntil(self.not_before);
        }
        let fitting = self.fitting(rules);
        if let Some(size) = self.settled_sizes.front() {
            return NextDelivery::Deliver(fitting.min(*size).max(1));
        }
        let full = fitting < self.records.len() || fitting >= rules.max_records;
        let window_ends = front.read_at.saturating_add(rules.window);
        if full || self.delivered_before || shard_ended || window_ends <= now {
            NextDelivery::Deliver(fitting)
        } else {
            NextDelivery::WaitUntil(window_ends)
        }
    }

    /// How many records fit into one batch: at least one, because a record too large for any batch must not be skipped.
    fn fitting(&self, rules: &BatchRules) -> usize {
        // Usually the whole queue fits, and there is nothing to count.
        if self.records.len() <= rules.max_records && event_bytes(self.queued_bytes) <= rules.max_event_bytes {
            return self.records.len();
        }
        let mut bytes = 0;
        let within = self.records.iter().take(rules.max_records).take_while(|queued| {
            bytes += queued.record.event_bytes();
            event_bytes(bytes) <= rules.max_event_bytes
        });
        within.count().max(1)
    }

    /// Puts the first records in flight.
    pub(crate) fn deliver(&mut self, records: usize) {
        debug_assert!(self.in_flight == 0 && (1..=self.records.len()).contains(&records));
        self.settled_sizes.pop_front();
        self.in_flight = records;
    }

    /// Applies the outcome of the batch in flight. Returns the records that are done; the others stay at the front.
    pub(crate) fn settle(
        &mut self,
        verdict: &BatchResult,
        now: Duration,
        rules: &BatchRules,
        policy: &dyn DeliveryPolicy,
    ) -> Vec<EventRecord> {
        let batch = std::mem::take(&mut self.in_flight);
        let succeeded = match verdict {
            BatchResult::Succeeded => batch,
            BatchResult::FailedFrom(lowest) => (*lowest).min(batch),
            BatchResult::Unusable(_) | BatchResult::Errored(_) => 0,
        };
        let done = if succeeded == 0 { 0 } else { policy.checkpoint(succeeded).min(succeeded) };
        let done_records: Vec<_> = self.records.drain(..done).map(|queued| queued.record).collect();
        self.queued_bytes -= done_records.iter().map(EventRecord::event_bytes).sum::<usize>();
        self.delivered_before = done < batch;
        self.settle_sizes(verdict, batch, batch - done, rules);
        self.back_off(verdict, done, now, rules.backoff);
        done_records
    }

    /// Determines how the `left` records of a batch are redelivered.
    fn settle_sizes(&mut self, verdict: &BatchResult, batch: usize, left: usize, rules: &BatchRules) {
        match verdict {
            // In two halves; a single record cannot be split.
            BatchResult::Errored(_) if rules.bisect_on_error && batch > 1 => {
                self.settled_sizes.push_front(batch - batch.div_ceil(2));
                self.settled_sizes.push_front(batch.div_ceil(2));
            }
            // The same batch again.
            BatchResult::Errored(_) | BatchResult::Unusable(_) => self.settled_sizes.push_front(batch),
            // With bisecting, the batch is split at the returned number; otherwise newer records fill it up.
            BatchResult::FailedFrom(_) if rules.bisect_on_error && left > 0 => self.settled_sizes.push_front(left),
            BatchResult::FailedFrom(_) | BatchResult::Succeeded => {}
        }
    }

    /// Waits after a failure, longer with each consecutive attempt without progress.
    fn back_off(&mut self, verdict: &BatchResult, done: usize, now: Duration, backoff: RetryBackoff) {
        if done > 0 || *verdict == BatchResult::Succeeded {
            self.failures_in_a_row = 0;
        }
        if *verdict != BatchResult::Succeeded {
            self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
            self.not_before = now.saturating_add(backoff.delay(self.failures_in_a_row));
        }
    }
}

#[cfg(test)]
#[path = "batch_queue_tests.rs"]
mod tests;
