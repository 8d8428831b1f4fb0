//! One invocation: rounds over the sessions of the batch until each is stored, superseded, or time is up.
//!
//! Idempotent and indifferent to order: what a redelivery or an older boundary brings is found superseded.

use aws_lambda_events::streams::KinesisEventResponse;
use shared::event::Event;
use shared::invocation::{Backoff, Invocation, WARM_UP_TIME};
use shared::metrics::Course;
use shared::records::{EventError, Extent, Progress, Records};
use shared::rejected_batch::RejectedBatch;
use shared::rejected_table::RejectedTable;
use tracing::{Instrument, Span};

use crate::batch::{Batch, Newest};
use crate::config::Config;
use crate::report::Report;
use crate::sessions_table::{Attempt, SessionsTable, Stored};

/// The sink with its client; one for the life of an execution environment.
#[derive(Clone, Debug)]
pub struct Sink {
    sessions: SessionsTable,
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
    /// all, and Lambda gives a starting environment more CPU than its memory stands for. It never fails and soon ends.
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
        let progress = Progress::of(records.len());
        let extent = records.extent();
        let batch = Batch::decode(&records);

        let mut report = Report { records: records.len() as u64, ..Report::default() };
        let rejected = RejectedBatch::new(batch.rejected);
        let work = async {
            tokio::join!(self.rejected.write(&rejected, invocation, &progress), async {
                self.store(batch.sessions, invocation, &progress, &mut report).await;
                rejected.good_records_are_done();
            },)
        };
        let span = extent.as_ref().map_or_else(Span::none, Extent::span);
        let in_time = tokio::time::timeout_at(invocation.stop_at, work.instrument(span.clone())).await.is_ok();
        report.rejected = span.in_scope(|| rejected.log(&progress));
        report.undone = progress.count_undone() as u64;
        let duration_ms = invocation.elapsed_ms();
        let course = Course { extent, began_ms: invocation.now_ms, duration_ms, in_time };
        Ok(Answer { response: progress.answer(&records), report, course })
    }

    async fn store(&self, sessions: Vec<Newest>, invocation: Invocation, progress: &Progress, report: &mut Report) {
        let first_attempt = |newest: Newest| (Attempt::first_for(&newest.boundary), newest);
        let mut waiting: Vec<_> = sessions.into_iter().map(first_attempt).collect();
        let mut backoff = Backoff::new();
        while !waiting.is_empty() {
            let boundaries: Vec<_> = waiting.iter().map(|(attempt, newest)| (&newest.boundary, *attempt)).collect();
            let outcomes = self.sessions.write(&boundaries, invocation.now_ms).await;
            let tried = waiting.len();
            let mut held_up = None;
            let mut again = Vec::new();
            for ((attempt, newest), outcome) in waiting.into_iter().zip(outcomes) {
                match outcome {
                    Stored::Written => report.written += 1,
                    Stored::Superseded => report.superseded += 1,
                    Stored::Instead(other) => {
                        again.push((other, newest));
                        continue;
                    }
                    Stored::Failed(error) if error.is_passing() => {
                        held_up = Some(error);
                        again.push((attempt, newest));
                        continue;
                    }
                    Stored::Failed(error) => {
                        let session_id = newest.boundary.session_id;
                        tracing::error!(%error, session_id, "giving up on a session until the batch comes again");
                        continue;
                    }
                }
                newest.indexes.iter().for_each(|index| progress.set_done(*index));
            }
            // Nothing done may also mean two answers that contradict each other: no reason to ask faster.
            if let Some(error) = &held_up {
                tracing::warn!(sessions = again.len(), %error, "held up, trying again");
            }
            if held_up.is_some() || again.len() == tried {
                backoff.pause().await;
            } else {
                backoff.reset();
            }
            waiting = again;
        }
    }
}
