//! One invocation: rounds of read, decide, commit, publish, until every user of the batch is done or time is up.
//!
//! In each round a group of users takes one step: large enough to fill requests, small enough for the first ones to be
//! done long before the last ones when calls are slow. A user who was throttled waits until the others are through.
//! What is done is noted as it happens; whatever is not done is redelivered.

use std::collections::VecDeque;

use futures_util::future::join_all;
use kinesis_function::backoff::Backoff;
use kinesis_function::handler::{Decoded, Handler};
use kinesis_function::invocation::Invocation;
use kinesis_function::records::Records;
use kinesis_function::rejected_table::RejectedTable;

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

/// A batch: its users who are not done yet, and what was counted so far.
#[derive(Debug)]
pub struct SessionizerWork {
    lanes: Vec<Lane>,
    /// What decoding counted.
    decoded: Report,
}

/// Users whose rounds follow each other, and what was done for them so far.
#[derive(Debug, Default)]
struct Lane {
    users: Vec<UserClicks>,
    report: Report,
}

/// Deals `users` out to lanes, a round's users at a time.
fn lanes(users: Vec<UserClicks>) -> Vec<Lane> {
    let count = users.len().div_ceil(USERS_PER_ROUND).clamp(1, LANES);
    let mut lanes: Vec<_> = (0..count).map(|_| Lane::default()).collect();
    for (place, user) in users.into_iter().enumerate() {
        lanes[place / USERS_PER_ROUND % count].users.push(user);
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
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected),
        }
    }

    async fn sessionize(&self, lane: &mut Lane, invocation: &Invocation<'_>) {
        let users = std::mem::take(&mut lane.users);
        let ledger = &mut Ledger { done: &invocation.done, failures: &invocation.failures, report: &mut lane.report };
        let mut waiting: VecDeque<_> = users.into_iter().map(UserWork::new).collect();
        let mut held_up = Vec::new();
        let mut backoff = Backoff::new();
        while !waiting.is_empty() || !held_up.is_empty() {
            if waiting.is_empty() {
                backoff.pause().await;
                waiting.extend(held_up.drain(..));
            }
            let mut group: Vec<_> = waiting.drain(..waiting.len().min(USERS_PER_ROUND)).collect();
            self.round(&mut group, invocation.time.now_ms, ledger).await;
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
    async fn round(&self, users: &mut [UserWork], now_ms: u64, ledger: &mut Ledger<'_>) {
        self.read(users, ledger).await;
        for user in &mut *users {
            user.decide(self.rule, now_ms, ledger);
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

impl Handler for Sessionizer {
    const LONGEST_WAIT: &'static str = "ClickToBoundary";

    type Work = SessionizerWork;
    type Report = Report;

    fn rejected_table(&self) -> &RejectedTable {
        &self.rejected
    }

    async fn warm_up(&self) {
        tokio::join!(self.states.warm_up(), self.publisher.warm_up());
    }

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, SessionizerWork> {
        let batch = Batch::decode(records, self.max_clock_skew_ms, self.parallelization_factor);
        let Batch { users, rejected, adjusted_attributes } = batch;
        let decoded = Report { users: users.len() as u64, adjusted_attributes, ..Report::default() };
        Decoded { work: SessionizerWork { lanes: lanes(users), decoded }, rejected }
    }

    async fn work(&self, work: &mut SessionizerWork, invocation: &Invocation<'_>) {
        join_all(work.lanes.iter_mut().map(|lane| self.sessionize(lane, invocation))).await;
    }

    fn report(work: SessionizerWork) -> Report {
        let mut report = work.decoded;
        work.lanes.into_iter().for_each(|lane| report += lane.report);
        report
    }

    fn counts(report: &Report) -> Vec<(&'static str, u64)> {
        vec![
            ("Users", report.users),
            ("ClicksApplied", report.applied),
            ("ClicksLate", report.late),
            ("ClicksAlreadyApplied", report.already_applied),
            ("AttributesAdjusted", report.adjusted_attributes),
            ("SessionsStarted", report.started),
            ("SessionsClosed", report.closed),
            ("SessionsRetracted", report.merged),
            ("BoundariesPublished", report.published),
            ("ShardMoves", report.moved),
            ("StateConflicts", report.lost_races),
        ]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use shared::user_id::UserId;

    use super::*;

    fn sizes(users: usize) -> Vec<usize> {
        let clicks = |user: usize| UserClicks { user_id: UserId::new(user.to_string()).unwrap(), clicks: Vec::new() };
        lanes((0..users).map(clicks).collect()).iter().map(|lane| lane.users.len()).collect()
    }

    #[test]
    fn users_are_dealt_out_in_whole_rounds_so_that_requests_fill() {
        assert_eq!(sizes(0), [0]);
        assert_eq!(sizes(500), [500]);
        assert_eq!(sizes(501), [500, 1]);
        assert_eq!(sizes(1_700), [1_000, 700]);
    }
}
