//! One invocation: rounds over the sessions of the batch until each is stored, superseded, rejected or given up.
//!
//! Idempotent and independent of order: a redelivered or older boundary is superseded.

use kinesis_function::backoff::Backoff;
use kinesis_function::done_records::DoneRecords;
use kinesis_function::handler::{Decoded, Handler};
use kinesis_function::invocation::Invocation;
use kinesis_function::metrics::Metric;
use kinesis_function::records::Records;
use kinesis_function::rejected_records::RejectedRecord;
use kinesis_function::rejected_table::RejectedTable;
use shared::rejection::{Reason, Rejection};
use shared::shown;

use crate::batch::{Batch, Newest};
use crate::config::Config;
use crate::first_attempt::{FirstAttempt, StoredEnds};
use crate::report::Report;
use crate::session_item::{Retention, SessionItemError};
use crate::sessions_table::{SessionsTable, Stored};

/// The sink with its client, created once per execution environment.
#[derive(Clone, Debug)]
pub struct Sink {
    sessions: SessionsTable,
    rejected: RejectedTable,
    first_attempt: FirstAttempt,
}

/// A batch in progress: the sessions not written yet, and the counts so far.
#[derive(Debug)]
pub struct SinkWork {
    sessions: Vec<Newest>,
    report: Report,
}

impl Sink {
    /// A sink with these settings and client.
    #[must_use]
    pub fn new(config: Config, dynamodb: &aws_sdk_dynamodb::Client) -> Self {
        let Config { session_retention_days: session_days, stream_retention_hours: stream_hours, .. } = config;
        let retention = Retention { session_days, stream_hours };
        Self {
            sessions: SessionsTable::new(dynamodb.clone(), config.sessions_table, retention, config.columns),
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected),
            first_attempt: FirstAttempt::default(),
        }
    }
}

impl Handler for Sink {
    const LONGEST_WAIT: &'static str = "BoundaryToSession";

    type Work = SinkWork;
    type Report = Report;

    fn rejected_table(&self) -> &RejectedTable {
        &self.rejected
    }

    async fn warm_up(&self) {
        self.sessions.warm_up().await;
    }

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, SinkWork> {
        let Batch { sessions, rejected } = Batch::decode(records);
        let done = DoneRecords::none_of(records.len());
        Decoded { work: SinkWork { sessions, report: Report::default() }, rejected, done }
    }

    async fn work<'r>(&self, work: &mut SinkWork, invocation: &Invocation<'r>) -> Vec<RejectedRecord<'r>> {
        let SinkWork { sessions, report } = work;
        let first_attempt = |newest: Newest| (self.first_attempt.of(&newest.boundary), newest);
        let mut waiting: Vec<_> = sessions.drain(..).map(first_attempt).collect();
        let (mut foreign, mut backoff, mut ends) = (Vec::new(), Backoff::new(), StoredEnds::default());
        while !waiting.is_empty() {
            let boundaries: Vec<_> = waiting.iter().map(|(attempt, newest)| (&newest.boundary, *attempt)).collect();
            let results = self.sessions.write(&boundaries, invocation.time.now_ms).await;
            let tried = waiting.len();
            let mut throttled = false;
            let mut again = Vec::new();
            for ((attempt, newest), stored) in waiting.into_iter().zip(results) {
                match stored {
                    Stored::Written => {
                        report.written += 1;
                        ends.count(&newest.boundary, attempt);
                        newest.indexes.iter().for_each(|index| invocation.done.set_done(*index));
                    }
                    Stored::Superseded => {
                        report.superseded += 1;
                        newest.indexes.iter().for_each(|index| invocation.done.set_done(*index));
                    }
                    Stored::Foreign(error) => foreign.extend(rejected(&newest, invocation.records, &error)),
                    Stored::Instead(other) => again.push((other, newest)),
                    Stored::Failed(error) if error.is_transient() => {
                        invocation.failures.retried(&error);
                        throttled = true;
                        again.push((attempt, newest));
                    }
                    Stored::Failed(error) => {
                        let position = newest.indexes.first().and_then(|index| invocation.records.get(*index));
                        let position = position.map(|record| record.sequence_number());
                        invocation.failures.given_up(&error, position.as_ref());
                    }
                }
            }
            // Results may contradict each other from one attempt to the next. If no session made progress, an immediate
            // retry would not help.
            if throttled || again.len() == tried {
                backoff.pause().await;
            } else {
                backoff.reset();
            }
            waiting = again;
        }
        self.first_attempt.learn(ends);
        foreign
    }

    fn report(work: SinkWork) -> Report {
        work.report
    }

    fn metrics(report: &Report) -> Vec<Metric> {
        vec![Metric::count("SessionsWritten", report.written), Metric::count("BoundariesSuperseded", report.superseded)]
    }
}

/// The rejected records of a session whose key belongs to an item that the sink did not write.
fn rejected<'r>(
    newest: &Newest,
    records: &'r Records,
    error: &SessionItemError,
) -> impl Iterator<Item = RejectedRecord<'r>> {
    let message = format!(
        "the sessions table already contains an item with user_id {} and ordinal {} that the sink did not write \
         ({error}); move or delete that item, then redrive this record",
        shown::string(newest.boundary.user_id.as_str()),
        newest.boundary.ordinal
    );
    let rejection = Rejection::of_record(Reason::SessionItemForeign, message);
    newest
        .indexes
        .iter()
        .filter_map(move |index| Some(RejectedRecord::whole(*index, records.get(*index)?, rejection.clone())))
}
