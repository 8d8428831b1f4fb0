//! One invocation: a batch is decoded, its users go through their rounds, and what is done by the deadline is answered.
//!
//! Whatever is not done is redelivered.

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_function::event::Event;
use kinesis_function::event_error::EventError;
use kinesis_function::failures::Failures;
use kinesis_function::invocation::{Invocation, WARM_UP_TIME};
use kinesis_function::metrics::Course;
use kinesis_function::records::{Extent, Progress, Records};
use kinesis_function::rejected_batch::RejectedBatch;
use kinesis_function::rejected_table::RejectedTable;
use tracing::{Instrument, Span};

use crate::batch::Batch;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::outbox::{SessionStream, StateTable};
use crate::report::Report;
use crate::rounds::Rounds;
use crate::step::Rule;

/// The sessionizer with its clients; one for the life of an execution environment.
#[derive(Clone, Debug)]
pub struct Sessionizer {
    max_clock_skew_ms: u64,
    parallelization_factor: u64,
    rounds: Rounds<StateTable, SessionStream>,
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
            rejected: RejectedTable::new(dynamodb.clone(), config.rejected_table, config.rejected_retention_days),
        }
    }

    /// Makes a call to both services that changes nothing, while the environment starts.
    ///
    /// Names are then looked up, connections open and TLS agreed upon before the first event. That takes the longest of
    /// all, and Lambda gives a starting environment more CPU than its memory stands for. Failures are ignored; the time is bounded.
    pub async fn warm_up(&self) {
        let _ = tokio::time::timeout(WARM_UP_TIME, async {
            tokio::join!(self.rounds.store.warm_up(), self.rounds.publisher.warm_up())
        })
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
        let ledger = Ledger::new(&progress, &failures);
        let work = async {
            tokio::join!(self.rejected.write(&rejected, invocation, &progress), async {
                self.rounds.run(batch.users, invocation.now_ms, &ledger).await;
                rejected.good_records_are_done();
            })
        };
        let span = extent.as_ref().map_or_else(Span::none, Extent::span);
        let in_time = tokio::time::timeout_at(invocation.stop_at, work.instrument(span.clone())).await.is_ok();
        span.in_scope(|| failures.log());
        report += ledger.into_report();
        report.rejected = span.in_scope(|| rejected.log(&progress));
        report.undone = progress.count_undone() as u64;
        let duration_ms = invocation.elapsed_ms();
        let course = Course { extent, began_ms: invocation.now_ms, duration_ms, in_time };
        Ok(Answer { response: progress.answer(&records), report, course })
    }
}
