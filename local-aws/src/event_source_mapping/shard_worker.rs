//! Runs one shard: reads, invocations and waits, as its cursor requires. A thin shell: the cursor decides what is
//! delivered when, and what is done.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::answer::BatchResult;
use super::batch_queue::BatchRules;
use super::delivery_policy::DeliveryPolicy;
use super::error::MappingError;
use super::event::event;
use super::function::{Function, InvocationResult, invoke};
use super::limits::{MAX_EVENT_BYTES, MAX_RECORDS_PER_READ};
use super::progress::Reporter;
use super::shard_cursor::ShardCursor;
use super::shard_reader::{Read, ShardReader};
use super::stream::KinesisError;
use super::{MappingConfig, stopped};

/// Shared by all workers of a mapping.
pub(crate) struct WorkerContext<F> {
    pub(crate) config: MappingConfig,
    pub(crate) function: Arc<F>,
    pub(crate) policy: Arc<dyn DeliveryPolicy>,
    pub(crate) reporter: Reporter,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Processes one shard. Its tasks end with it.
pub(crate) struct ShardWorker<F> {
    shard: String,
    context: Arc<WorkerContext<F>>,
    stop: watch::Receiver<bool>,
    /// Time zero of the cursor.
    started: Instant,
    cursor: ShardCursor,
    /// Absent during a read and after the last one.
    reader: Option<ShardReader>,
    reads: JoinSet<(ShardReader, usize, Result<Read, KinesisError>)>,
    /// No read before this time.
    next_read: Instant,
    failed_reads_in_a_row: u32,
    empty_reads_in_a_row: u32,
    /// At most one.
    invocations: JoinSet<InvocationResult>,
}

impl<F: Function> ShardWorker<F> {
    pub(crate) fn new(shard: String, reader: ShardReader, context: Arc<WorkerContext<F>>) -> Self {
        let cursor = ShardCursor::new(batch_rules(&context.config), Arc::clone(&context.policy));
        let started = Instant::now();
        Self {
            shard,
            stop: context.stop.clone(),
            context,
            started,
            cursor,
            reader: Some(reader),
            reads: JoinSet::new(),
            next_read: started,
            failed_reads_in_a_row: 0,
            empty_reads_in_a_row: 0,
            invocations: JoinSet::new(),
        }
    }

    /// Runs until every record of the shard is done, or until the mapping is stopped and no invocation is running.
    /// Returns the shard's id.
    pub(crate) async fn run(mut self) -> Result<String, MappingError> {
        loop {
            self.invoke_ready()?;
            if self.cursor.is_finished() {
                return Ok(self.shard);
            }
            self.read_ahead();
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => break,
                Some(ended) = self.invocations.join_next() => self.settle(ended)?,
                Some(ended) = self.reads.join_next() => self.take_read(ended)?,
                () = sleep(wake_at) => {}
            }
        }
        self.reads.abort_all();
        while let Some(ended) = self.invocations.join_next().await {
            self.settle(ended)?;
        }
        Ok(self.shard)
    }

    fn invoke_ready(&mut self) -> Result<(), MappingError> {
        if self.cursor.deliver_ready(self.started.elapsed()) {
            let event = event(&self.shard, self.cursor.in_flight())?;
            if event.len() > MAX_EVENT_BYTES {
                let (shard, bytes) = (&self.shard, event.len());
                tracing::warn!(shard, bytes, "a single record is larger than the largest event that Lambda accepts");
            }
            let function = Arc::clone(&self.context.function);
            let deadline = Instant::now() + self.context.config.function_timeout;
            self.invocations.spawn(invoke(function, event, deadline));
            self.context.reporter.invoked();
        }
        Ok(())
    }

    fn settle(&mut self, ended: Result<InvocationResult, JoinError>) -> Result<(), MappingError> {
        let settled = self.cursor.settle(&ended?, self.started.elapsed());
        let shard = &self.shard;
        match &settled.verdict {
            BatchResult::Succeeded => {}
            BatchResult::FailedFrom(index) => tracing::debug!(shard, index, "a batch was partly done"),
            BatchResult::Unusable(reason) | BatchResult::Errored(reason) => {
                tracing::warn!(shard, reason, "an invocation failed, its batch will be redelivered");
            }
        }
        let checkpoint = self.cursor.checkpoint();
        self.context.reporter.settled(shard, &settled.verdict, settled.checkpointed, checkpoint);
        Ok(())
    }

    /// Starts a read if it is due and there is room.
    fn read_ahead(&mut self) {
        let room = self.cursor.room().min(MAX_RECORDS_PER_READ);
        if room == 0 || Instant::now() < self.next_read {
            return;
        }
        if let Some(mut reader) = self.reader.take() {
            self.reads.spawn(async move {
                let read = reader.read(room).await;
                (reader, room, read)
            });
        }
    }

    fn take_read(
        &mut self,
        ended: Result<(ShardReader, usize, Result<Read, KinesisError>), JoinError>,
    ) -> Result<(), MappingError> {
        let (reader, asked_for, read) = ended?;
        self.reader = Some(reader);
        match read {
            Ok(read) => self.take_records(read, asked_for),
            Err(KinesisError::Fatal(error)) => return Err(error),
            Err(KinesisError::IteratorExpired(reason) | KinesisError::Retry(reason)) => self.put_off_reading(&reason),
        }
        Ok(())
    }

    fn take_records(&mut self, read: Read, asked_for: usize) {
        self.failed_reads_in_a_row = 0;
        // Read again at once only if the shard returned all requested records: otherwise it was read to its end.
        if read.records.len() < asked_for {
            let empty_reads = if read.records.is_empty() { self.empty_reads_in_a_row.saturating_add(1) } else { 1 };
            self.empty_reads_in_a_row = empty_reads;
            self.next_read = Instant::now() + self.context.config.polling().delay(empty_reads);
        }
        if !read.records.is_empty() {
            self.context.reporter.read(read.records.len());
            self.cursor.read(read.records, self.started.elapsed());
        }
        if read.shard_ended {
            self.cursor.end();
            self.reader = None;
        }
    }

    fn put_off_reading(&mut self, reason: &str) {
        self.failed_reads_in_a_row = self.failed_reads_in_a_row.saturating_add(1);
        let wait = self.context.config.backoff().delay(self.failed_reads_in_a_row);
        self.next_read = Instant::now() + wait;
        tracing::warn!(shard = self.shard, reason, ?wait, "reading a shard failed, will retry");
    }

    /// When to continue even if no invocation and no read has ended.
    fn wake_at(&self) -> Option<Instant> {
        let delivery = self.cursor.wake_at(self.started.elapsed()).map(|time| self.started + time);
        let read = (self.reader.is_some() && self.cursor.room() > 0).then_some(self.next_read);
        delivery.into_iter().chain(read).min()
    }
}

fn batch_rules(config: &MappingConfig) -> BatchRules {
    BatchRules {
        max_records: config.batch_size,
        max_event_bytes: MAX_EVENT_BYTES,
        window: config.maximum_batching_window,
        bisect_on_error: config.bisect_batch_on_function_error,
        backoff: config.backoff(),
    }
}

async fn sleep(until: Option<Instant>) {
    match until {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
