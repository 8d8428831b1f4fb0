//! One invocation: rounds over the sessions of the batch until each is stored, superseded, or time is up.
//!
//! Idempotent and indifferent to order: what a redelivery or an older boundary brings is found superseded.

use std::sync::OnceLock;

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_function::event::Event;
use kinesis_function::event_error::EventError;
use kinesis_function::failures::Failures;
use kinesis_function::invocation::{Backoff, Invocation, WARM_UP_TIME};
use kinesis_function::metrics::Course;
use kinesis_function::records::{Extent, Progress, Records};
use kinesis_function::rejected_batch::{RejectedBatch, RejectedRecord};
use kinesis_function::rejected_table::RejectedTable;
use shared::rejection::{Reason, Rejection};
use shared::shown;
use tracing::{Instrument, Span};

use crate::batch::{Batch, Newest};
use crate::config::Config;
use crate::report::Report;
use crate::session_item::SessionItemError;
use crate::sessions_table::{Attempt, SessionsTable, Stored};

/// The sink with its client; one for the life of an execution environment.
#[derive(Clone, Debug)]
pub struct Sink {
    sessions: SessionsTable,
    rejected: RejectedTable,
}

/// Where the outcomes of an invocation are noted.
struct Ledger<'i> {
    progress: &'i Progress,
    failures: &'i Failures,
    report: &'i mut Report,
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

impl Sink {
    /// A sink with these settings and client.
    #[must_use]
    pub fn new(config: Config, dynamodb: &aws_sdk_dynamodb::Client) -> Self {
        Self {
            sessions: SessionsTable::new(dynamodb.clone(), config.sessions_table, config.session_retention_days),
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected_table, config.rejected_retention_days),
        }
    }

    /// Makes a call to DynamoDB that changes nothing, while the environment starts.
    ///
    /// Names are then looked up, connections open and TLS agreed upon before the first event. That takes the longest of
    /// all, and Lambda gives a starting environment more CPU than its memory stands for. Failures are ignored; the time is bounded.
    pub async fn warm_up(&self) {
        let _ = tokio::time::timeout(WARM_UP_TIME, async { self.sessions.warm_up().await }).await;
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
        let batch = Batch::decode(&records);

        let mut report = Report { records: records.len() as u64, ..Report::default() };
        let (rejected, foreign) = (RejectedBatch::new(batch.rejected), OnceLock::new());
        let mut ledger = Ledger { progress: &progress, failures: &failures, report: &mut report };
        let work = async {
            tokio::join!(self.rejected.write(&rejected, invocation, &progress), async {
                let records = self.store(batch.sessions, &records, invocation, &mut ledger).await;
                rejected.good_records_are_done();
                let foreign = foreign.get_or_init(|| RejectedBatch::new(records));
                foreign.good_records_are_done();
                self.rejected.write(foreign, invocation, &progress).await;
            })
        };
        let span = extent.as_ref().map_or_else(Span::none, Extent::span);
        let in_time = tokio::time::timeout_at(invocation.stop_at, work.instrument(span.clone())).await.is_ok();
        span.in_scope(|| failures.log());
        for batch in [Some(&rejected), foreign.get()].into_iter().flatten() {
            report.rejected += span.in_scope(|| batch.log(&progress));
        }
        report.undone = progress.count_undone() as u64;
        let duration_ms = invocation.elapsed_ms();
        let course = Course { extent, began_ms: invocation.now_ms, duration_ms, in_time };
        Ok(Answer { response: progress.answer(&records), report, course })
    }

    /// Stores `sessions`; gives the records whose places foreign items take.
    async fn store<'r>(
        &self,
        sessions: Vec<Newest>,
        records: &'r Records,
        invocation: Invocation,
        ledger: &mut Ledger<'_>,
    ) -> Vec<RejectedRecord<'r>> {
        let first_attempt = |newest: Newest| (Attempt::first_for(&newest.boundary), newest);
        let mut waiting: Vec<_> = sessions.into_iter().map(first_attempt).collect();
        let (mut foreign, mut backoff) = (Vec::new(), Backoff::new());
        while !waiting.is_empty() {
            let boundaries: Vec<_> = waiting.iter().map(|(attempt, newest)| (&newest.boundary, *attempt)).collect();
            let outcomes = self.sessions.write(&boundaries, invocation.now_ms).await;
            let tried = waiting.len();
            let mut held_up = false;
            let mut again = Vec::new();
            for ((attempt, newest), outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Stored::Written => {
                        ledger.report.written += 1;
                        newest.indexes.iter().for_each(|index| ledger.progress.set_done(*index));
                    }
                    Stored::Superseded => {
                        ledger.report.superseded += 1;
                        newest.indexes.iter().for_each(|index| ledger.progress.set_done(*index));
                    }
                    Stored::Foreign(error) => foreign.extend(without_a_place(&newest, records, &error)),
                    Stored::Instead(other) => again.push((other, newest)),
                    Stored::Failed(error) if error.is_transient() => {
                        ledger.failures.retried(&error);
                        held_up = true;
                        again.push((attempt, newest));
                    }
                    Stored::Failed(error) => {
                        let position = newest.indexes.first().and_then(|index| records.get(*index));
                        let position = position.map(|record| record.sequence_number());
                        ledger.failures.given_up(&error, position.as_ref());
                    }
                }
            }
            // Without progress, two answers may contradict each other: no reason to ask faster.
            if held_up || again.len() == tried {
                backoff.pause().await;
            } else {
                backoff.reset();
            }
            waiting = again;
        }
        foreign
    }
}

/// The records of a session whose place in the table is taken by an item that is no session.
fn without_a_place<'r>(
    newest: &Newest,
    records: &'r Records,
    error: &SessionItemError,
) -> impl Iterator<Item = RejectedRecord<'r>> {
    let message = format!(
        "the table holds an item under session_id {} that this sink has not written ({error}): move it away, then redrive",
        shown::string(&newest.boundary.session_id)
    );
    let rejection = Rejection::of_record(Reason::SessionItemForeign, message);
    newest.indexes.iter().filter_map(move |index| {
        Some(RejectedRecord { index: *index, record: records.get(*index)?, rejection: rejection.clone() })
    })
}
