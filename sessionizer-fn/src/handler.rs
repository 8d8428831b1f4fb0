//! One invocation: rounds of read, decide, commit, publish, until every user of the batch is done or time is up.
//!
//! In each round a group of users takes one step: large enough to fill requests, small enough for the first ones to be
//! done long before the last ones when calls are slow. A user who was throttled waits until the others are through.
//! What is done is noted as it happens, and whatever is not done comes again.

use std::collections::VecDeque;

use aws_lambda_events::streams::KinesisEventResponse;
use futures_util::future::join_all;
use kinesis_function::event::Event;
use kinesis_function::event_error::EventError;
use kinesis_function::failures::Failures;
use kinesis_function::invocation::{Backoff, Invocation, WARM_UP_TIME};
use kinesis_function::metrics::Course;
use kinesis_function::records::{Extent, Progress, Records};
use kinesis_function::rejected_batch::RejectedBatch;
use kinesis_function::rejected_table::RejectedTable;
use tracing::{Instrument, Span};

use crate::batch::{Batch, UserClicks};
use crate::config::Config;
use crate::publisher::{Message, Publisher};
use crate::report::Report;
use crate::state_table::{Committed, StateTable};
use crate::step::{Commit, Rule};
use crate::user_work::{Ledger, Phase, UserWork};

/// Most users of a round: their boundaries fill one PutRecords request.
const USERS_PER_ROUND: usize = kinesis_function::limits::MAX_RECORDS_PER_PUT;

/// Rounds under way at once: one lane reads and decides while another commits or publishes. With calls that take 10 ms a
/// full batch is done in 0.6 of the time that one lane takes; a third one brings little more, and more connections.
const LANES: usize = 2;

/// The sessionizer with its clients; one for the life of an execution environment.
#[derive(Clone, Debug)]
pub struct Sessionizer {
    rule: Rule,
    max_clock_skew_ms: u64,
    parallelization_factor: u64,
    states: StateTable,
    publisher: Publisher,
    rejected: RejectedTable,
}

/// What an invocation answers, and what it did.
#[derive(Clone, Debug)]
pub struct Answer {
    /// For Lambda: the lowest sequence number that is not done, if any.
    pub response: KinesisEventResponse,
    /// For logs, metrics and the local run.
    pub report: Report,
    /// For logs and metrics: which batch, when, for how long.
    pub course: Course,
}

/// Deals `users` out to lanes, a round's users at a time.
fn lanes(users: Vec<UserClicks>) -> Vec<Vec<UserClicks>> {
    let count = users.len().div_ceil(USERS_PER_ROUND).clamp(1, LANES);
    let mut lanes = vec![Vec::new(); count];
    for (place, user) in users.into_iter().enumerate() {
        lanes[place / USERS_PER_ROUND % count].push(user);
    }
    lanes
}

impl Sessionizer {
    /// A sessionizer with these settings and clients.
    #[must_use]
    pub fn new(config: Config, dynamodb: &aws_sdk_dynamodb::Client, kinesis: &aws_sdk_kinesis::Client) -> Self {
        Self {
            rule: Rule { gap: config.session_gap, first_session: config.first_session },
            max_clock_skew_ms: config.max_clock_skew_ms,
            parallelization_factor: config.parallelization_factor,
            states: StateTable::new(dynamodb.clone(), config.state_table),
            publisher: Publisher::new(kinesis.clone(), config.session_stream),
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected_table, config.rejected_retention_days),
        }
    }

    /// Makes a call to both services that changes nothing, while the environment starts.
    ///
    /// Names are then looked up, connections open and TLS agreed upon before the first event. That takes the longest of
    /// all, and Lambda gives a starting environment more CPU than its memory stands for. Failures are ignored; the time is bounded.
    pub async fn warm_up(&self) {
        let _ =
            tokio::time::timeout(WARM_UP_TIME, async { tokio::join!(self.states.warm_up(), self.publisher.warm_up()) })
                .await;
    }

    /// Processes one batch.
    ///
    /// # Errors
    /// Only when the event is not what Lambda sends for a Kinesis stream. Everything else, and running out of time,
    /// is told by the answer.
    pub async fn handle(&self, event: Event, invocation: Invocation) -> Result<Answer, EventError> {
        let records = Records::of(event)?;
        let (progress, failures) = (Progress::of(records.len()), Failures::default());
        let extent = records.extent();
        let batch = Batch::decode(&records, self.max_clock_skew_ms, self.parallelization_factor);

        let mut report = Report {
            records: records.len() as u64,
            users: batch.users.len() as u64,
            adjusted_attributes: batch.adjusted_attributes,
            ..Report::default()
        };
        let rejected = RejectedBatch::new(batch.rejected);
        let lanes = lanes(batch.users);
        let mut reports = vec![Report::default(); lanes.len()];
        let work = async {
            let ledger = |report| Ledger { progress: &progress, failures: &failures, report };
            let lanes = lanes.into_iter().zip(&mut reports);
            tokio::join!(self.rejected.write(&rejected, invocation, &progress), async {
                join_all(lanes.map(|(users, report)| self.sessionize(users, invocation, ledger(report)))).await;
                rejected.good_records_are_done();
            })
        };
        let span = extent.as_ref().map_or_else(Span::none, Extent::span);
        let in_time = tokio::time::timeout_at(invocation.stop_at, work.instrument(span.clone())).await.is_ok();
        span.in_scope(|| failures.log());
        reports.into_iter().for_each(|of_lane| report += of_lane);
        report.rejected = span.in_scope(|| rejected.log(&progress));
        report.undone = progress.count_undone() as u64;
        let duration_ms = invocation.elapsed_ms();
        let course = Course { extent, began_ms: invocation.now_ms, duration_ms, in_time };
        Ok(Answer { response: progress.answer(&records), report, course })
    }

    async fn sessionize(&self, users: Vec<UserClicks>, invocation: Invocation, mut ledger: Ledger<'_>) {
        let ledger = &mut ledger;
        let mut waiting: VecDeque<_> = users.into_iter().map(UserWork::new).collect();
        let mut held_up = Vec::new();
        let mut backoff = Backoff::new();
        while !waiting.is_empty() || !held_up.is_empty() {
            if waiting.is_empty() {
                backoff.pause().await;
                waiting.extend(held_up.drain(..));
            }
            let mut group: Vec<_> = waiting.drain(..waiting.len().min(USERS_PER_ROUND)).collect();
            self.round(&mut group, invocation, ledger).await;
            if !group.iter().any(|user| user.held_up) {
                backoff.reset();
            }
            group.retain(|user| !user.is_over());
            // A user with more steps to take goes on with the next round; nobody waits for those held up.
            for mut user in group.into_iter().rev() {
                if std::mem::take(&mut user.held_up) {
                    held_up.push(user);
                } else {
                    waiting.push_front(user);
                }
            }
        }
    }

    /// Takes every user one step further.
    async fn round(&self, users: &mut [UserWork], invocation: Invocation, ledger: &mut Ledger<'_>) {
        self.read(users, ledger).await;
        for user in &mut *users {
            user.decide(self.rule, invocation.now_ms, ledger);
        }
        self.commit(users, ledger).await;
        self.publish(users, ledger).await;
        for user in users {
            user.settle(ledger);
        }
    }

    async fn read(&self, users: &mut [UserWork], ledger: &mut Ledger<'_>) {
        let unread: Vec<_> = users.iter_mut().filter(|user| matches!(user.phase, Phase::Unread)).collect();
        let ids: Vec<_> = unread.iter().map(|user| &user.user_id).collect();
        let states = self.states.read(&ids).await;
        for (user, state) in unread.into_iter().zip(states) {
            match state {
                Ok(known) => user.learn(known, ledger),
                Err(error) => user.hold_or_give_up(&error, ledger),
            }
        }
    }

    async fn commit(&self, users: &mut [UserWork], ledger: &mut Ledger<'_>) {
        let ready: Vec<_> = users.iter_mut().filter(|user| matches!(user.phase, Phase::Committing(_))).collect();
        let commits: Vec<(_, &Commit)> = ready
            .iter()
            .filter_map(|user| match &user.phase {
                Phase::Committing(commit) => Some((&user.user_id, &**commit)),
                _ => None,
            })
            .collect();
        let outcomes = self.states.commit(&commits).await;
        for (user, outcome) in ready.into_iter().zip(outcomes) {
            match outcome {
                Committed::Yes => user.committed(ledger),
                Committed::LostRace(known) => user.lost_race(known, ledger),
                Committed::Failed(error) => user.hold_or_give_up(&error, ledger),
            }
        }
    }

    async fn publish(&self, users: &mut [UserWork], ledger: &mut Ledger<'_>) {
        let messages: Vec<&Message> = users.iter().flat_map(UserWork::messages).collect();
        let mut results = self.publisher.publish(&messages).await.into_iter();
        for user in users {
            let own: Vec<_> = results.by_ref().take(user.messages().len()).collect();
            ledger.report.published += own.iter().filter(|result| result.is_ok()).count() as u64;
            user.published(own, ledger);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use shared::user_id::UserId;

    use super::*;

    fn sizes(users: usize) -> Vec<usize> {
        let clicks = |user: usize| UserClicks { user_id: UserId::new(user.to_string()).unwrap(), clicks: Vec::new() };
        lanes((0..users).map(clicks).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn users_are_dealt_out_in_whole_rounds_so_that_requests_fill() {
        assert_eq!(sizes(0), [0]);
        assert_eq!(sizes(500), [500]);
        assert_eq!(sizes(501), [500, 1]);
        assert_eq!(sizes(1_700), [1_000, 700]);
    }
}
