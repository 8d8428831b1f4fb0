//! One invocation: a batch, whose clicks are dealt to their buckets, or a sweep over all buckets.
//!
//! Buckets are worked on side by side. One that fails or is late leaves its records undone, and nobody else's.

use std::sync::{Mutex, PoisonError};

use kinesis_function::done_records::DoneRecords;
use kinesis_function::handler::{Decoded, Handler};
use kinesis_function::invocation::Invocation;
use kinesis_function::metrics::Metric;
use kinesis_function::records::Records;
use kinesis_function::rejected_records::RejectedRecord;
use kinesis_function::rejected_table::RejectedTable;
use kinesis_function::sweep::Sweep;
use shared::click_format::ClickFormat;

use crate::batch::{Batch, BucketClicks};
use crate::config::Config;
use crate::environment::{Environment, Options};
use crate::ledger::Ledger;
use crate::report::Report;
use crate::store::log_table::LogTable;
use crate::store::rest_table::RestTable;
use crate::store::session_stream::SessionStream;

/// The sessionizer with its clients, created once per execution environment. Clones are the same environment.
#[derive(Clone, Debug)]
pub struct Sessionizer {
    click_format: ClickFormat,
    max_clock_skew_ms: u64,
    state_buckets: u32,
    environment: Environment<LogTable, RestTable, SessionStream>,
    rejected: RejectedTable,
}

/// An invocation in progress: the clicks of each bucket, and the counts so far.
#[derive(Debug, Default)]
pub struct SessionizerWork {
    buckets: Vec<(u32, BucketClicks)>,
    report: Mutex<Report>,
}

impl Sessionizer {
    /// A sessionizer with these settings and clients.
    #[must_use]
    pub fn new(config: Config, dynamodb: &aws_sdk_dynamodb::Client, kinesis: &aws_sdk_kinesis::Client) -> Self {
        let options = Options::from(&config);
        Self::with_options(config, options, dynamodb, kinesis)
    }

    /// A sessionizer with other `options` than those that follow from `config`, as tests need them for small rings.
    #[must_use]
    pub fn with_options(
        config: Config,
        options: Options,
        dynamodb: &aws_sdk_dynamodb::Client,
        kinesis: &aws_sdk_kinesis::Client,
    ) -> Self {
        let columns = config.click_format.columns().clone();
        Self {
            click_format: config.click_format,
            max_clock_skew_ms: config.max_clock_skew_ms,
            state_buckets: options.buckets,
            environment: Environment::new(
                options,
                columns.clone(),
                LogTable::new(dynamodb.clone(), &config.state_log_table, options.slots, columns.clone()),
                RestTable::new(dynamodb.clone(), &config.state_table, columns),
                SessionStream::new(kinesis.clone(), &config.session_stream),
            ),
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
        self.environment.warm_up().await;
    }

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, SessionizerWork> {
        let Batch { buckets, users, rejected, parts, filtered, adjusted_attributes, adjusted_columns } =
            Batch::decode(records, &self.click_format, self.max_clock_skew_ms, self.state_buckets);
        let report = Mutex::new(Report { users, adjusted_attributes, adjusted_columns, filtered, ..Report::default() });
        let work = SessionizerWork { buckets: buckets.into_iter().collect(), report };
        Decoded { work, rejected, done: DoneRecords::of_parts(parts) }
    }

    async fn work<'r>(&self, work: &mut SessionizerWork, invocation: &Invocation<'r>) -> Vec<RejectedRecord<'r>> {
        let ledger = Ledger { failures: &invocation.failures, report: &work.report, time: invocation.time };
        self.environment.batch(&work.buckets, &invocation.done, &ledger).await;
        Vec::new() // a click that was decoded is applied or late
    }

    fn report(work: SessionizerWork) -> Report {
        work.report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn metrics(report: &Report) -> Vec<Metric> {
        report.metrics()
    }

    fn begin_sweep(&self) -> Option<SessionizerWork> {
        Some(SessionizerWork::default())
    }

    async fn sweep(&self, work: &mut SessionizerWork, sweep: &Sweep) {
        let ledger = Ledger { failures: &sweep.failures, report: &work.report, time: sweep.time };
        self.environment.sweep(&ledger).await;
    }
}
