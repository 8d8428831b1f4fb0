//! An emulation of Lambda's event source mapping for a Kinesis stream: it reads the shards, forms batches, invokes a
//! function and redelivers records that the function did not finish. In the order in which a record passes them:
//!
//! config, limits → stream (calls to Kinesis) → lineage (parents before children) → shard_reader → event (its JSON) →
//! shard_cursor, batch_queue (what is delivered when; pure) → function → answer (its interpretation; pure) → progress.
//! shard_worker is the shell around one shard; this file is the shell around the stream. It must not know the records'
//! content. Retries and record age are unlimited, and there is no on-failure destination.

mod answer;
mod backoff;
mod batch_queue;
mod config;
mod delivery_policy;
mod error;
pub(crate) mod event;
mod function;
pub mod limits;
mod lineage;
mod progress;
mod shard_cursor;
mod shard_reader;
mod shard_worker;
pub(crate) mod stream;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_kinesis::Client;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use config::{Checkpoints, MappingConfig, MappingConfigError, StartingPosition};
pub use delivery_policy::{DeliveryPolicy, LikeLambda};
pub use error::MappingError;
pub use function::Function;
pub use progress::{Counts, MappingProgress};

use limits::DISCOVERY_INTERVAL;
use lineage::Lineage;
use shard_reader::ShardReader;
use shard_worker::{ShardWorker, WorkerContext};
use stream::{KinesisError, Stream};

/// A running mapping. It ends when it is stopped or dropped, or at the first error that retries cannot fix. Every
/// waiting [`MappingProgress`] and [`EventSourceMapping::stop`] return that error.
#[derive(Debug)]
pub struct EventSourceMapping {
    progress: MappingProgress,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), MappingError>>,
}

impl EventSourceMapping {
    /// Starts to read a stream and to invoke a function. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The first setting outside its limits. If the stream does not exist, the progress returns that error.
    pub fn start<F: Function>(client: Client, config: MappingConfig, function: F) -> Result<Self, MappingConfigError> {
        Self::start_with_policy(client, config, function, LikeLambda)
    }

    /// Like [`EventSourceMapping::start`], with another policy for batch sizes and redelivery.
    ///
    /// # Errors
    /// As [`EventSourceMapping::start`].
    pub fn start_with_policy<F: Function>(
        client: Client,
        config: MappingConfig,
        function: F,
        policy: impl DeliveryPolicy,
    ) -> Result<Self, MappingConfigError> {
        config.validate()?;
        let stream = Stream::new(client, config.stream_name.clone());
        let (reporter, progress) = progress::channel();
        let (stop, stop_receiver) = watch::channel(false);
        let (function, policy) = (Arc::new(function), Arc::new(policy));
        let context = WorkerContext { config, function, policy, reporter, stop: stop_receiver };
        let running = tokio::spawn(run(stream, Arc::new(context)));
        Ok(Self { progress, stop, running })
    }

    /// A view of the mapping's progress, which can also be awaited.
    pub fn progress(&self) -> MappingProgress {
        self.progress.clone()
    }

    /// For each shard, the sequence number up to which all records are done; shards without progress are left out.
    pub fn checkpoints(&self) -> Checkpoints {
        self.progress.checkpoints()
    }

    /// Starts no further reads or invocations, waits for the running invocations (at most until their deadlines),
    /// applies their responses, and returns the checkpoints from which another mapping can continue. Dropping this
    /// future early has the same effect as dropping the mapping.
    ///
    /// # Errors
    /// The error that ended the mapping earlier.
    pub async fn stop(mut self) -> Result<Checkpoints, MappingError> {
        self.stop.send_replace(true);
        (&mut self.running).await??;
        Ok(self.checkpoints())
    }
}

impl Drop for EventSourceMapping {
    /// Ends every task at its next await. Running invocations are dropped, and their batches are not done.
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run<F: Function>(stream: Stream, context: Arc<WorkerContext<F>>) -> Result<(), MappingError> {
    let mut workers = JoinSet::new();
    let result = work(&stream, &context, &mut workers).await;
    // Before the error is published, so that nothing is invoked after it is visible.
    workers.shutdown().await;
    if let Err(error) = &result {
        tracing::error!(stream = stream.name(), %error, "the event source mapping ended");
        context.reporter.failed(error.clone());
    }
    result
}

/// Starts a worker for each shard once its parents are done, until the mapping is stopped and every worker has ended.
async fn work<F: Function>(
    stream: &Stream,
    context: &Arc<WorkerContext<F>>,
    workers: &mut JoinSet<Result<String, MappingError>>,
) -> Result<(), MappingError> {
    let mut stop = context.stop.clone();
    let mut lineage = Lineage::default();
    let mut failures_in_a_row = 0;
    loop {
        let listed = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            listed = stream.list_shards() => listed,
        };
        let wait = match listed {
            Ok(shards) => {
                failures_in_a_row = 0;
                for shard in lineage.start(&shards) {
                    let reader = ShardReader::new(stream.clone(), shard.clone(), context.config.checkpoint(&shard));
                    workers.spawn(ShardWorker::new(shard, reader, Arc::clone(context)).run());
                }
                discovery_interval(&lineage, &context.config)
            }
            Err(KinesisError::Fatal(error)) => return Err(error),
            Err(KinesisError::IteratorExpired(reason) | KinesisError::Retry(reason)) => {
                failures_in_a_row += 1;
                let wait = context.config.backoff().delay(failures_in_a_row);
                tracing::warn!(stream = stream.name(), reason, ?wait, "listing shards failed, will retry");
                wait
            }
        };
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(ended) = workers.join_next() => lineage.finish(ended??),
            () = tokio::time::sleep(wait) => {}
        }
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(())
}

/// How long to use a list of shards: not long if there is nothing to read.
fn discovery_interval(lineage: &Lineage, config: &MappingConfig) -> Duration {
    if lineage.is_busy() { DISCOVERY_INTERVAL } else { config.poll_interval }
}

/// Resolves when the mapping must stop, or its handle is gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, together with the mapping's handle.
    let _ = stop.wait_for(|stop| *stop).await;
}
