//! One invocation: decodes a batch and takes its users through rounds until all are done.

use std::sync::{Mutex, PoisonError};

use kinesis_function::handler::{Decoded, Handler};
use kinesis_function::invocation::Invocation;
use kinesis_function::records::Records;
use kinesis_function::rejected_records::RejectedRecord;
use kinesis_function::rejected_table::RejectedTable;

use crate::batch::{Batch, UserClicks};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::outbox::{SessionStream, StateTable};
use crate::report::Report;
use crate::rounds::Rounds;
use crate::step::Rule;

/// The sessionizer with its clients, created once per execution environment.
#[derive(Clone, Debug)]
pub struct Sessionizer {
    max_clock_skew_ms: u64,
    parallelization_factor: u64,
    rounds: Rounds<StateTable, SessionStream>,
    rejected: RejectedTable,
}

/// A batch in progress: its users, and the counts so far.
#[derive(Debug)]
pub struct SessionizerWork {
    users: Vec<UserClicks>,
    report: Mutex<Report>,
}

impl Sessionizer {
    /// A sessionizer with these settings and clients.
    #[must_use]
    pub fn new(config: Config, dynamodb: &aws_sdk_dynamodb::Client, kinesis: &aws_sdk_kinesis::Client) -> Self {
        Self {
            max_clock_skew_ms: config.max_clock_skew_ms,
            parallelization_factor: config.parallelization_factor,
            rounds: Rounds {
                store: StateTable::new(dynamodb.clone(), config.state_table),
                publisher: SessionStream::new(kinesis.clone(), config.session_stream),
                rule: Rule { gap: config.session_gap, first_session: config.first_session },
            },
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected),
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
        tokio::join!(self.rounds.store.warm_up(), self.rounds.publisher.warm_up());
    }

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, SessionizerWork> {
        let batch = Batch::decode(records, self.max_clock_skew_ms, self.parallelization_factor);
        let Batch { users, rejected, adjusted_attributes } = batch;
        let report = Report { users: users.len() as u64, adjusted_attributes, ..Report::default() };
        Decoded { work: SessionizerWork { users, report: Mutex::new(report) }, rejected }
    }

    async fn work<'r>(&self, work: &mut SessionizerWork, invocation: &Invocation<'r>) -> Vec<RejectedRecord<'r>> {
        let users = std::mem::take(&mut work.users);
        let ledger = Ledger { done: &invocation.done, failures: &invocation.failures, report: &work.report };
        self.rounds.run(users, invocation.time.now_ms, &ledger).await;
        Vec::new() // a click that was decoded is applied or late
    }

    fn report(work: SessionizerWork) -> Report {
        work.report.into_inner().unwrap_or_else(PoisonError::into_inner)
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
            ("ShardSwitches", report.shard_switches),
            ("StateConflicts", report.lost_races),
        ]
    }
}
