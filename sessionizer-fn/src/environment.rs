//! What an execution environment is made of: stores, settings, and the buckets it keeps.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use kinesis_function::done_records::DoneRecords;
use shared::columns::declaration::SessionColumns;
use shared::session_window::WindowRule;
use tokio::sync::Semaphore;

use crate::batch::BucketClicks;
use crate::bucket::bounds::{Bounds, CONCURRENT_BUCKETS, SLOTS, memory_for_buckets};
use crate::bucket::memory::BucketMemory;
use crate::bucket::plan::Rules;
use crate::buckets::Buckets;
use crate::config::{Boundaries, Config, FirstSession};
use crate::ledger::Ledger;
use crate::report::Report;
use crate::ring_log::ring::Ring;
use crate::store::log_store::LogStore;
use crate::store::log_table::LogTable;
use crate::store::publisher::Publisher;
use crate::store::rest_store::RestStore;
use crate::store::rest_table::RestTable;
use crate::store::session_stream::SessionStream;
use crate::store::settings::{FORMAT, Settings};
use crate::work::attempts::until_it_succeeds;
use crate::work::error::BucketError;
use crate::work::reading::Reader;
use crate::work::worker::Worker;

/// Logs loaded at the same time. Each has up to 64 slots in flight, 24 MB of full commits.
const CONCURRENT_LOADS: usize = 2;

/// An execution environment with its stores. Clones are the same environment.
#[derive(Clone, Debug)]
pub struct Environment<S, R, P> {
    log: S,
    rest: R,
    publisher: P,
    columns: SessionColumns,
    options: Options,
    /// The settings of the tables, once they were read.
    settings: Arc<Mutex<Option<Settings>>>,
    buckets: Buckets,
    /// Bounds the logs that are loaded at the same time, as the answers to large reads take memory.
    loads: Arc<Semaphore>,
}

/// The settings of an environment.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which session a click belongs to.
    pub window: WindowRule,
    /// Which boundaries are published.
    pub boundaries: Boundaries,
    /// Whether a user's first session is published.
    pub first_session: FirstSession,
    /// How long after the gap a user's inactivity is reported, in milliseconds.
    pub grace_ms: u64,
    /// How long cursors are kept, in milliseconds.
    pub stream_retention_ms: u64,
    /// Into how many buckets users are divided.
    pub buckets: u32,
    /// The slots of each bucket's ring.
    pub slots: u64,
    /// What commits and memory may take.
    pub bounds: Bounds,
    /// What the kept buckets may take in memory, in bytes.
    pub memory_bytes: u64,
}

/// What an invocation does with a bucket.
#[derive(Clone, Copy, Debug)]
enum Task<'t> {
    /// Applies its clicks of the batch.
    Batch(&'t BucketClicks, &'t DoneRecords),
    /// Closes the sessions of its inactive users.
    Sweep,
}

impl From<&Config> for Options {
    fn from(config: &Config) -> Self {
        let memory_bytes = memory_for_buckets(config.memory_bytes);
        Self {
            window: WindowRule { gap: config.session_gap, lateness_ms: config.lateness_ms, cut: config.session_cut },
            boundaries: config.boundaries,
            first_session: config.first_session,
            grace_ms: config.close_grace_ms,
            stream_retention_ms: config.stream_retention_ms,
            buckets: config.state_buckets,
            slots: SLOTS,
            bounds: Bounds::new(SLOTS, config.state_buckets, memory_bytes),
            memory_bytes,
        }
    }
}

impl Environment<LogTable, RestTable, SessionStream> {
    /// Makes one call to each service, which changes nothing, so that the first real ones find open connections.
    pub async fn warm_up(&self) {
        let read_settings = async {
            // Errors are ignored: the first batch reads the settings again, and reports them.
            if let Ok(Some(stored)) = self.log.settings().await {
                let _ = self.check(stored);
            }
        };
        tokio::join!(read_settings, self.publisher.warm_up());
    }
}

impl<S: LogStore, R: RestStore, P: Publisher> Environment<S, R, P> {
    /// An environment that knows nothing yet. Boundaries have the names of `columns`, which the stores must know, too.
    #[must_use]
    pub fn new(options: Options, columns: SessionColumns, log: S, rest: R, publisher: P) -> Self {
        let buckets = Buckets::new(options.memory_bytes);
        let loads = Arc::new(Semaphore::new(CONCURRENT_LOADS));
        Self { log, rest, publisher, columns, options, settings: Arc::default(), buckets, loads }
    }

    /// Applies the clicks of each bucket. Each is a part of its record, and done once what it makes is published.
    pub async fn batch(&self, buckets: &[(u32, BucketClicks)], done: &DoneRecords, ledger: &Ledger<'_>) {
        if buckets.is_empty() {
            return;
        }
        let first = |clicks: &BucketClicks| {
            let click = clicks.values().flatten().find(|click| !done.is_done(click.index));
            click.map(|click| click.position.sequence_number.clone())
        };
        let settings = match self.settings_or_make(ledger).await {
            Ok(settings) => settings,
            Err(error) => {
                let position = buckets.first().and_then(|(_, clicks)| first(clicks));
                return error.note(ledger.failures, position.as_ref());
            }
        };
        let work = buckets.iter().map(|(bucket, clicks)| async move {
            let task = Task::Batch(clicks, done);
            // Boxed, because the compiler has a depth limit for nested future types.
            if let Err(error) = Box::pin(self.work_on(*bucket, settings, task, ledger)).await {
                error.note(ledger.failures, first(clicks).as_ref());
            }
        });
        self.side_by_side(work, ledger).await;
    }

    /// Tells users of every bucket closed who have become inactive.
    pub async fn sweep(&self, ledger: &Ledger<'_>) {
        let settings = match self.settings(ledger).await {
            Ok(Some(settings)) => settings,
            Ok(None) => return, // nothing was ever committed
            Err(error) => return error.note(ledger.failures, None),
        };
        let work = (0..self.options.buckets).map(|bucket| async move {
            if let Err(error) = Box::pin(self.work_on(bucket, settings, Task::Sweep, ledger)).await {
                error.note(ledger.failures, None);
            }
        });
        self.side_by_side(work, ledger).await;
    }

    async fn side_by_side(&self, work: impl Iterator<Item = impl Future<Output = ()>>, ledger: &Ledger<'_>) {
        stream::iter(work).for_each_concurrent(CONCURRENT_BUCKETS, |work| work).await;
        ledger.gauge_memory(self.buckets.memory_bytes());
    }

    /// Does a bucket's part of an invocation.
    async fn work_on(
        &self,
        bucket: u32,
        settings: Settings,
        task: Task<'_>,
        ledger: &Ledger<'_>,
    ) -> Result<(), BucketError> {
        let rules = self.rules(settings);
        let worker = self.worker(bucket, settings, &rules, ledger);
        let mut in_use = self.buckets.take(bucket).await;
        let memory = self.known(&mut in_use, &worker.reader, bucket, ledger).await?;
        let mut result = Ok(());
        match task {
            Task::Batch(clicks, done) => {
                for (shard, clicks) in clicks {
                    result = worker.batch(memory, shard, clicks, done).await;
                    if result.is_err() {
                        break;
                    }
                }
            }
            Task::Sweep => result = worker.sweep(memory).await,
        }
        ledger.gauge_bucket(memory.gauges());
        result
    }

    fn worker<'w>(
        &'w self,
        bucket: u32,
        settings: Settings,
        rules: &'w Rules,
        ledger: &'w Ledger<'w>,
    ) -> Worker<'w, S, R, P> {
        let reader = Reader { store: &self.log, settings, failures: ledger.failures };
        Worker { bucket, reader, rest: &self.rest, publisher: &self.publisher, columns: &self.columns, rules, ledger }
    }

    fn rules(&self, settings: Settings) -> Rules {
        let Options { window, boundaries, first_session, grace_ms, stream_retention_ms, bounds, .. } = self.options;
        let ring = Ring::new(settings.slots, settings.first_commit);
        Rules { window, boundaries, first_session, grace_ms, stream_retention_ms, ring, bounds }
    }

    /// The settings of the tables; `None` if nothing was ever committed.
    async fn settings(&self, ledger: &Ledger<'_>) -> Result<Option<Settings>, BucketError> {
        let read = *self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_some() {
            return Ok(read);
        }
        match until_it_succeeds(ledger.failures, || self.log.settings()).await? {
            Some(stored) => self.check(stored).map(Some),
            None => Ok(None),
        }
    }

    /// The settings of the tables, made now if there are none.
    async fn settings_or_make(&self, ledger: &Ledger<'_>) -> Result<Settings, BucketError> {
        if let Some(settings) = self.settings(ledger).await? {
            return Ok(settings);
        }
        let made = self.configured(ledger.now_ms());
        let stored = until_it_succeeds(ledger.failures, || self.log.make_settings(made)).await?;
        self.check(stored)
    }

    fn configured(&self, first_commit: u64) -> Settings {
        let Options { buckets, slots, .. } = self.options;
        Settings { format: FORMAT, buckets: u64::from(buckets), slots, first_commit }
    }

    fn check(&self, stored: Settings) -> Result<Settings, BucketError> {
        let configured = self.configured(stored.first_commit);
        if stored != configured {
            return Err(BucketError::OtherSettings { stored, configured });
        }
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
        Ok(stored)
    }

    /// The bucket's memory, read from its log if nothing of it is known.
    async fn known<'b>(
        &self,
        in_use: &'b mut Option<BucketMemory>,
        reader: &Reader<'_, S>,
        bucket: u32,
        ledger: &Ledger<'_>,
    ) -> Result<&'b mut BucketMemory, BucketError> {
        if in_use.is_none() {
            let _permit = self.loads.acquire().await; // fails only if the semaphore is closed, which never happens
            *in_use = Some(reader.load(bucket).await?);
            ledger.count(Report { buckets_loaded: 1, ..Report::default() });
        }
        Ok(in_use.get_or_insert_with(BucketMemory::empty))
    }
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;
