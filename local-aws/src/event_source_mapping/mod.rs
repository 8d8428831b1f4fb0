//! A stand-in for Lambda's event source mapping of a Kinesis stream: it reads the shards, cuts batches, invokes a
//! function and sends again what the function did not finish. In the order in which a record passes them:
//!
//! config, limits → stream (calls of Kinesis) → lineage (parents before children) → shard_reader → event (its JSON) →
//! shard_cursor, lane (what is delivered when; pure) → function → answer (what it means; pure) → progress.
//! shard_worker is the shell around one shard; this file is the one around the stream. It must not know what the
//! records hold. There is no limit on retries or on a record's age, and no destination for failures.

mod answer;
mod backoff;
mod config;
mod delivery_policy;
mod error;
pub(crate) mod event;
mod function;
mod lane;
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

/// A running mapping. It ends when it is stopped, when it is dropped, or with the first error that retrying cannot
/// heal; that error is told to everyone who waits on its [`MappingProgress`] and to [`EventSourceMapping::stop`].
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
    /// The first setting that is outside its limits. Whether the stream exists shows in the progress.
    pub fn start<F: Function>(client: Client, config: MappingConfig, function: F) -> Result<Self, MappingConfigError> {
        Self::start_with_policy(client, config, function, LikeLambda)
    }

    /// As [`EventSourceMapping::start`], with another choice of where batches are cut and what is delivered again.
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

    /// A view of what the mapping has done, and the means to wait for more.
    pub fn progress(&self) -> MappingProgress {
        self.progress.clone()
    }

    /// For each shard the sequence number up to which all is done; a shard of which nothing is done is not in it.
    pub fn checkpoints(&self) -> Checkpoints {
        self.progress.checkpoints()
    }

    /// Begins no further read and no further invocation, lets the running invocations finish (at the latest at their
    /// deadlines), takes their answers, and gives the checkpoints from which another mapping can go on. When this
    /// future is dropped before that, everything ends as if the mapping had been dropped.
    ///
    /// # Errors
    /// The error that had ended the mapping before.
    pub async fn stop(mut self) -> Result<Checkpoints, MappingError> {
        self.stop.send_replace(true);
        (&mut self.running).await??;
        Ok(self.checkpoints())
    }
}

impl Drop for EventSourceMapping {
    /// Ends every task at its next await; invocations that run are dropped, and their batches are not done.
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn run<F: Function>(stream: Stream, context: Arc<WorkerContext<F>>) -> Result<(), MappingError> {
    let mut workers = JoinSet::new();
    let result = work(&stream, &context, &mut workers).await;
    // Before the error is told, so that nothing is invoked any more when it is heard of.
    workers.shutdown().await;
    if let Err(error) = &result {
        tracing::error!(stream = stream.name(), %error, "the event source mapping has ended");
        context.reporter.failed(error.clone());
    }
    result
}

/// Starts a worker for each shard when its time has come, until the mapping is stopped and every worker has ended.
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
                tracing::warn!(stream = stream.name(), reason, ?wait, "shards could not be listed, it is tried again");
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

/// How long the list of shards is good for: not long when there is nothing to read.
fn discovery_interval(lineage: &Lineage, config: &MappingConfig) -> Duration {
    if lineage.is_busy() { DISCOVERY_INTERVAL } else { config.poll_interval }
}

/// Resolves when the mapping is to stop, or nobody is left who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error says that the sender is gone, with the mapping's handle.
    let _ = stop.wait_for(|stop| *stop).await;
}
