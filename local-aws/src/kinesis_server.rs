//! Kinesis in this process: the emulator ferrokinesis behind a real HTTP port.
//!
//! Owns the emulator's settings and the lock that makes its reads exact. Must not know this project's streams (see
//! `resources`), and must only be called over HTTP, by the SDK, as on AWS.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use ferrokinesis::store::StoreOptions;
use tokio::sync::RwLock;

use crate::LocalAwsError;
use crate::running_server::RunningServer;

/// Maximum size of a request body, in bytes: 10 MiB of records, AWS' limit for PutRecords, is 13.4 MiB in base64, and
/// the JSON around 500 records adds to it. (The emulator itself allows 5 MiB of records. Above that it returns AWS'
/// error, for which it must receive the whole body.)
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of open shards in all streams: AWS' quota for an account in us-east-1. The emulator's default is 10.
const MAX_OPEN_SHARDS: u32 = 20_000;

/// Options of the server.
#[derive(Debug, Clone)]
pub struct KinesisServerOptions {
    /// Whether to throttle records above a shard's limits, 1,000 records and 1 MiB per second, individually, as AWS
    /// does. On by default; measurements that are not about throttling can turn it off.
    pub enforce_limits: bool,
}

impl Default for KinesisServerOptions {
    fn default() -> Self {
        Self { enforce_limits: true }
    }
}

/// A Kinesis endpoint on a loopback port. It starts empty and keeps its records in memory. Dropping it stops it.
#[derive(Debug)]
pub struct KinesisServer {
    server: RunningServer,
}

impl KinesisServer {
    /// Starts a server with the limits of AWS.
    ///
    /// # Errors
    /// If no loopback port can be bound.
    pub async fn start() -> Result<Self, LocalAwsError> {
        Self::start_with(KinesisServerOptions::default()).await
    }

    /// Starts a server with `options`.
    ///
    /// # Errors
    /// If no loopback port can be bound.
    pub async fn start_with(options: KinesisServerOptions) -> Result<Self, LocalAwsError> {
        let app = app(&options);
        let server = RunningServer::start("Kinesis", |listener, shutdown| async move {
            axum::serve(listener, app).with_graceful_shutdown(shutdown.wait()).await.map_err(|error| error.to_string())
        })
        .await?;
        Ok(Self { server })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Stops the server and waits until its port is free. Its records are lost.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Waits until a new stream assigns higher sequence numbers than all earlier ones.
///
/// A sequence number starts with the second in which its stream was created, followed by a counter from 1. State that
/// outlives the process contains sequence numbers. A stream of the same name, created within the same second, would
/// repeat them, and its records would be taken for redelivered ones.
pub(crate) async fn until_sequence_numbers_are_higher() {
    // With a clock before 1970 there is nothing to wait for.
    if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
        let into_this_second = Duration::from_nanos(now.subsec_nanos().into());
        tokio::time::sleep(Duration::from_secs(1) - into_this_second).await;
    }
}

fn app(options: &KinesisServerOptions) -> Router {
    let (emulator, _store) = ferrokinesis::create_app(StoreOptions {
        // A stream is ACTIVE at once: a local run gains nothing from AWS' delay of half a second.
        create_stream_ms: 0,
        delete_stream_ms: 0,
        update_stream_ms: 0,
        shard_limit: MAX_OPEN_SHARDS,
        enforce_limits: options.enforce_limits,
        ..StoreOptions::default()
    });
    emulator
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(Arc::default(), one_writer_or_many_readers))
}

/// Gives a write exclusive access to the emulator; reads share it.
///
/// The emulator first assigns a record's sequence number and stores the record later. In between, a reader at the end
/// of the shard can see a higher number, move its iterator past the lower one, and miss that record forever. Its
/// GetRecords also waits for a lock while it holds another one that writers block on without yielding, which can stop
/// every thread of the runtime. Neither can happen if no read overlaps a write.
async fn one_writer_or_many_readers(State(lock): State<Arc<RwLock<()>>>, request: Request, next: Next) -> Response {
    if only_reads(&request) {
        let _reading = lock.read().await;
        next.run(request).await
    } else {
        let _writing = lock.write().await;
        next.run(request).await
    }
}

/// Whether a request changes no stream. In doubt, it counts as a write: an unnecessary write lock costs a moment, a
/// missing one costs records.
fn only_reads(request: &Request) -> bool {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
}
