//! A bucket's part of an invocation: its clicks of one shard, or its part of a sweep.
//!
//! Each commit is decided over all commits before it, written, and then published. A lost race is no error: the worker
//! reads on and decides again. So is an answer that never came: if the commit was written, reading on shows it, its
//! cursor skips the clicks, and its outbox is published.

use std::collections::HashSet;

use kinesis_function::backoff::Backoff;
use kinesis_function::done_records::DoneRecords;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::batch::BatchClick;
use crate::bucket::bounds::Packing;
use crate::bucket::clock::{batch_clock, sweep_clock};
use crate::bucket::memory::BucketMemory;
use crate::bucket::plan::{Plan, Planned, Rules, UsersAtRest};
use crate::ledger::Ledger;
use crate::report::Report;
use crate::state_log_entry::{Cursor, Origin, ShardKey};
use crate::state_log_weight::user_entry_bytes;
use crate::store::log_store::{LogStore, StoreError, WriteResult};
use crate::store::publisher::Publisher;
use crate::store::rest_store::{RestResult, RestStore, RestingUser};
use crate::work::error::BucketError;
use crate::work::publishing::publish;
use crate::work::reading::Reader;

/// How much later than the last record applied a record with an earlier sequence number must have arrived to belong to
/// a stream that was begun again under its old name, in milliseconds. Source: design, section 5.
const BEGUN_AGAIN_AFTER_MS: u64 = 60_000;

/// How old a shard's last commit may be before its batch counts as one that is never redelivered, in milliseconds: five minutes.
/// The next commit of the shard then publishes the old outbox once more.
const REDELIVERED_WITHIN_MS: u64 = 300_000;

/// Users read at once: eight requests of 100, which are made side by side.
const USERS_PER_READ: usize = 800;

/// Works on one bucket.
#[derive(Debug)]
pub struct Worker<'w, S, R, P> {
    /// The bucket.
    pub bucket: u32,
    /// Reads its log.
    pub reader: Reader<'w, S>,
    /// The users at rest.
    pub rest: &'w R,
    /// The stream to publish to.
    pub publisher: &'w P,
    /// The names of the columns of what is published.
    pub columns: &'w SessionColumns,
    /// The settings of commits.
    pub rules: &'w Rules,
    /// The counts and failures.
    pub ledger: &'w Ledger<'w>,
}

/// A plan after the items of those who leave the log were written.
#[derive(Debug)]
enum Completed {
    /// The commit can be written. These users leave with it.
    Ready(Box<Planned>, Vec<UserId>),
    /// An item of a later commit shows that the log has moved on.
    LogHasMovedOn,
    /// The commit would overwrite what still counts, because too few items could be written.
    LogIsFull,
}

/// How the first clicks of a batch stand to their shard's cursor.
#[derive(Clone, Copy, Debug)]
struct Passed {
    /// How many of them were applied before.
    applied: usize,
    /// Whether the next one has a position that the cursor has passed, but belongs to a stream that was begun again.
    begun_again: bool,
}

/// Whether users can leave the log in the rest of this work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    /// Their items can be written.
    Possible,
    /// Some could not, because the table is throttled or out of reach. Users stay in the log, which needs no table, as
    /// long as it has room.
    Throttled,
}

/// The outcome of one attempt to commit.
#[derive(Debug)]
enum Attempt {
    /// It is stored, and taken in. These users have left the log with it.
    Committed(Vec<UserId>),
    /// Another commit was faster, or nobody knows. What there is to know has been read.
    DecideAgain,
    /// It does not fit into an item: it must change less.
    TooLarge,
}

impl<S: LogStore, R: RestStore, P: Publisher> Worker<'_, S, R, P> {
    /// Applies `clicks` of `shard`, in order, and publishes what they make. Each is done once what was committed for it
    /// is published.
    ///
    /// # Errors
    /// What ended the work. Some of the records may be done.
    pub async fn batch(
        &self,
        memory: &mut BucketMemory,
        shard: &ShardKey,
        clicks: &[BatchClick],
        done: &DoneRecords,
    ) -> Result<(), BucketError> {
        let origin = Origin::Shard(shard.clone());
        // The states of users who are not in the log, for as long as all commits since they were read are this worker's.
        let mut at_rest = UsersAtRest::new();
        let mut todo = clicks;
        let (mut backoff, mut leaving, mut packing) = (Backoff::new(), Leaving::Possible, Packing::Tight);
        self.reader.catch_up(self.bucket, memory).await?;
        loop {
            let Passed { applied, begun_again } = self.count_passed(memory, shard, todo);
            let now_ms = self.ledger.now_ms();
            let is_old = |cursor: &Cursor| now_ms.saturating_sub(cursor.made_ms) > REDELIVERED_WITHIN_MS;
            if applied > 0 || begun_again || memory.cursor(shard).is_some_and(is_old) {
                // Redelivered, or an answer was lost: nobody knows whether that commit's outbox was published. Of a
                // stream that is gone, and of records that have expired, nothing is redelivered, so their last outbox
                // must not be replaced unpublished.
                publish(self.publisher, memory, &origin, self.columns, self.ledger).await?;
                let (before, rest) = todo.split_at(applied);
                before.iter().for_each(|click| done.set_done(click.index));
                todo = rest;
            }
            if todo.is_empty() {
                return Ok(());
            }
            publish(self.publisher, memory, &Origin::Sweep, self.columns, self.ledger).await?;
            self.read_users(memory, todo, &mut at_rest).await?;

            let mut plan = Plan::new(memory, self.rules, origin.clone(), now_ms, packing);
            let taken = plan.apply(todo, &at_rest);
            if let Some(arrival_ms) = plan.arrival_ms() {
                let clock_ms = batch_clock(memory.cursors(), shard, arrival_ms, now_ms, self.rules.grace_ms);
                plan.close_inactive(clock_ms);
            }
            let planned = self.let_leave(plan, &mut leaving).await?;
            let known = memory.log().head();
            match self.write(memory, planned).await? {
                Attempt::Committed(left) => {
                    publish(self.publisher, memory, &origin, self.columns, self.ledger).await?;
                    let (applied, rest) = todo.split_at(taken);
                    applied.iter().for_each(|click| done.set_done(click.index));
                    applied.iter().map(|click| &click.click.user_id).chain(&left).for_each(|user_id| {
                        at_rest.remove(user_id);
                    });
                    todo = rest;
                    backoff.reset();
                }
                Attempt::TooLarge => packing = self.looser(packing)?,
                Attempt::DecideAgain => {
                    if memory.log().head() != known {
                        at_rest.clear();
                    }
                    backoff.pause().await;
                }
            }
        }
    }

    /// Tells users closed who have become inactive, and publishes what an earlier sweep may have left unpublished.
    ///
    /// # Errors
    /// What ended the work. What is left is for the next sweep.
    pub async fn sweep(&self, memory: &mut BucketMemory) -> Result<(), BucketError> {
        let (mut backoff, mut leaving, mut packing) = (Backoff::new(), Leaving::Possible, Packing::Tight);
        let mut was_catching_up = false;
        self.reader.catch_up(self.bucket, memory).await?;
        loop {
            publish(self.publisher, memory, &Origin::Sweep, self.columns, self.ledger).await?;
            let now_ms = self.ledger.now_ms();
            let cursors: Vec<_> = memory.cursors().collect();
            let clock = sweep_clock(cursors.iter().copied(), now_ms, self.rules.grace_ms);
            if clock.catching_up && !was_catching_up {
                was_catching_up = true;
                self.ledger.count(Report { buckets_catching_up: 1, ..Report::default() });
            }
            let mut plan = Plan::new(memory, self.rules, Origin::Sweep, now_ms, packing);
            if let Some(clock_ms) = clock.ms {
                plan.close_inactive(clock_ms);
            }
            if !plan.changes_something() {
                return Ok(());
            }
            let planned = self.let_leave(plan, &mut leaving).await?;
            match self.write(memory, planned).await? {
                Attempt::Committed(_) => backoff.reset(),
                Attempt::TooLarge => packing = self.looser(packing)?,
                Attempt::DecideAgain => backoff.pause().await,
            }
        }
    }

    /// Compares the first `clicks` with the shard's cursor.
    fn count_passed(&self, memory: &BucketMemory, shard: &ShardKey, clicks: &[BatchClick]) -> Passed {
        let Some(cursor) = memory.cursor(shard) else { return Passed { applied: 0, begun_again: false } };
        let passed = clicks.iter().take_while(|click| click.position <= cursor.position);
        let begun_again_ms = cursor.arrival_ms.saturating_add(BEGUN_AGAIN_AFTER_MS);
        let applied = passed.clone().take_while(|click| click.arrival_ms <= begun_again_ms).count();
        let begun_again = passed.count() > applied;
        self.ledger.count(Report {
            already_applied: applied as u64,
            streams_begun_again: u64::from(begun_again),
            ..Report::default()
        });
        Passed { applied, begun_again }
    }

    /// Reads the states of the users of the first `clicks` who are not in the log: as many as a commit may need, and at
    /// least the first one's.
    async fn read_users(
        &self,
        memory: &BucketMemory,
        clicks: &[BatchClick],
        at_rest: &mut UsersAtRest,
    ) -> Result<(), BucketError> {
        let bounds = &self.rules.bounds;
        let mut seen = HashSet::new();
        let users = clicks.iter().map(|click| &click.click.user_id).filter(|user_id| seen.insert(*user_id));
        let first = users.take(bounds.users);
        let unread: Vec<UserId> =
            first.filter(|id| memory.user(id).is_none() && !at_rest.contains_key(*id)).cloned().collect();
        for users in unread.chunks(USERS_PER_READ) {
            let is_needed = clicks.first().is_some_and(|click| users.contains(&click.click.user_id));
            if is_needed || bytes_of(at_rest) < bounds.read_bytes {
                self.read_all(users.to_vec(), at_rest).await?;
            }
        }
        Ok(())
    }

    async fn read_all(&self, mut unread: Vec<UserId>, at_rest: &mut UsersAtRest) -> Result<(), BucketError> {
        let mut backoff = Backoff::new();
        while !unread.is_empty() {
            let results = self.rest.read(&unread).await;
            let before = unread.len();
            let mut failed = Vec::new();
            for (user_id, result) in unread.into_iter().zip(results) {
                match result {
                    Ok(entry) => {
                        at_rest.insert(user_id, entry);
                    }
                    Err(StoreError::Call(error)) if error.is_transient() => {
                        self.ledger.failures.retried(&error);
                        failed.push(user_id);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            self.ledger.count(Report { users_read: (before - failed.len()) as u64, ..Report::default() });
            unread = failed;
            if !unread.is_empty() {
                backoff.pause().await;
            }
        }
        Ok(())
    }

    /// Completes a plan: writes the items of those who leave the log.
    async fn let_leave(&self, mut plan: Plan<'_>, leaving: &mut Leaving) -> Result<Completed, BucketError> {
        let users = plan.empty_oldest();
        let are_written = *leaving == Leaving::Possible && !users.is_empty();
        let results = if are_written { self.rest.write(users).await } else { Vec::new() };
        let mut left = Vec::new();
        let mut has_left = Vec::with_capacity(users.len());
        for (RestingUser { user_id, .. }, result) in users.iter().zip(results) {
            has_left.push(matches!(result, RestResult::Written));
            match result {
                RestResult::Written => left.push(user_id.clone()),
                RestResult::LaterCommit => return Ok(Completed::LogHasMovedOn),
                RestResult::Unreadable(error) => return Err(error.into()),
                RestResult::Failed(error) if error.is_transient() => {
                    self.ledger.failures.retried(&error);
                    *leaving = Leaving::Throttled;
                }
                RestResult::Failed(error) => return Err(BucketError::Call(error)),
            }
        }
        if let Some(planned) = plan.commit(&has_left) {
            return Ok(Completed::Ready(Box::new(planned), left));
        }
        *leaving = Leaving::Possible; // the commit waits for it, so it is tried again after a pause
        Ok(Completed::LogIsFull)
    }

    /// Tries once to write a commit.
    async fn write(&self, memory: &mut BucketMemory, completed: Completed) -> Result<Attempt, BucketError> {
        let (Planned { commit, report }, left) = match completed {
            Completed::Ready(planned, left) => (*planned, left),
            Completed::LogHasMovedOn => {
                self.reader.read_on_after_losing(self.bucket, memory).await?;
                return Ok(Attempt::DecideAgain);
            }
            Completed::LogIsFull => {
                self.reader.catch_up(self.bucket, memory).await?;
                return Ok(Attempt::DecideAgain);
            }
        };
        let ring = self.rules.ring;
        let (slot, expected) = (ring.slot_of(commit.number), ring.expected(commit.number));
        memory.set_committing(true);
        let result = self.reader.store.write(self.bucket, slot, expected, &commit).await;
        let attempt = match result {
            WriteResult::Written => {
                let inconsistent = |source| BucketError::Inconsistent { bucket: self.bucket, source };
                memory.take_in(commit).map_err(inconsistent)?;
                self.ledger.count(report);
                Attempt::Committed(left)
            }
            WriteResult::TooLarge => Attempt::TooLarge,
            WriteResult::LostRace => {
                memory.set_committing(false);
                self.ledger.count(Report { lost_races: 1, ..Report::default() });
                self.reader.read_on_after_losing(self.bucket, memory).await?;
                Attempt::DecideAgain
            }
            WriteResult::Failed(error) if error.is_transient() => {
                self.ledger.failures.retried(&error);
                self.reader.catch_up(self.bucket, memory).await?;
                Attempt::DecideAgain
            }
            WriteResult::Failed(error) => {
                memory.set_committing(error.may_have_taken_effect());
                return Err(BucketError::Call(error));
            }
        };
        memory.set_committing(false);
        Ok(attempt)
    }

    /// How to pack a commit after one with `packing` was too large.
    fn looser(&self, packing: Packing) -> Result<Packing, BucketError> {
        match packing {
            Packing::Tight => Ok(Packing::Loose),
            Packing::Loose => Err(BucketError::TooLarge { bucket: self.bucket }),
        }
    }
}

/// What these states take, in bytes of a commit.
fn bytes_of(at_rest: &UsersAtRest) -> usize {
    let known = at_rest.iter().filter_map(|(user_id, entry)| Some((user_id, entry.as_ref()?)));
    known.map(|(user_id, entry)| user_entry_bytes(user_id, &entry.window, entry.arrival_ms)).sum()
}
