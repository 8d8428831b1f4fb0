//! Kinesis in this process: the emulator ferrokinesis behind a real HTTP port.
//!
//! Owns the emulator's settings and the lock that makes its reads exact. Must not know which streams this project
//! has (see `resources`), and must not be spoken to but over HTTP: whoever uses it goes through the SDK, as on AWS.

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

/// The largest request body taken, in bytes: 10 MiB of records, AWS' limit for PutRecords, is 13.4 MiB in base64, and
/// the JSON around 500 records needs some more. (The emulator's own limit is 5 MiB of records; it answers what is
/// above that with AWS' error, which it could not if the body were cut off.)
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// Open shards in all streams together: AWS' quota for an account in us-east-1. The emulator's own default is 10.
const MAX_OPEN_SHARDS: u32 = 20_000;

/// How the server behaves.
#[derive(Debug, Clone)]
pub struct KinesisServerOptions {
    /// Refuse what goes beyond a shard's limits, 1,000 records and 1 MiB in a second, record by record as AWS does.
    /// On by default; a benchmark of something else may turn it off.
    pub enforce_limits: bool,
}

impl Default for KinesisServerOptions {
    fn default() -> Self {
        Self { enforce_limits: true }
    }
}

/// A Kinesis endpoint on a loopback port, empty at first, its records kept in memory. It stops when it is dropped.
#[derive(Debug)]
pub struct KinesisServer {
    server: RunningServer,
}

impl KinesisServer {
    /// Starts a server with the limits AWS has.
    ///
    /// # Errors
    /// When no loopback port can be bound.
    pub async fn start() -> Result<Self, LocalAwsError> {
        Self::start_with(KinesisServerOptions::default()).await
    }

    /// Starts a server with `options`.
    ///
    /// # Errors
    /// When no loopback port can be bound.
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

    /// Stops the server and waits until its port is free. Its records are gone.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Waits until a stream made from now on gives out higher sequence numbers than any that was made before.
///
/// A sequence number begins with the second in which its stream was made, and counts from 1 after that. State that
/// outlives the process remembers numbers; a stream of the same name, made again within the same second, would repeat
/// them, and its records would be taken for ones already seen.
pub(crate) async fn until_sequence_numbers_are_higher() {
    // A clock before 1970 leaves nothing to wait for.
    if let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) {
        let into_this_second = Duration::from_nanos(now.subsec_nanos().into());
        tokio::time::sleep(Duration::from_secs(1) - into_this_second).await;
    }
}

fn app(options: &KinesisServerOptions) -> Router {
    let (emulator, _store) = ferrokinesis::create_app(StoreOptions {
        // A stream is ACTIVE at once: the half second AWS takes teaches a local run nothing.
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

/// Lets a write have the emulator for itself, and reads share it.
///
/// The emulator gives out a record's sequence number first and stores the record later. A reader at the shard's end
/// that comes in between can see a higher number, move its iterator past the lower one, and never get that record.
/// Its GetRecords also waits for a lock while it holds another one that writers block on without yielding, which can
/// stop every thread of the runtime. Neither can happen when no read overlaps a write.
async fn one_writer_or_many_readers(State(lock): State<Arc<RwLock<()>>>, request: Request, next: Next) -> Response {
    if only_reads(&request) {
        let _reading = lock.read().await;
        next.run(request).await
    } else {
        let _writing = lock.write().await;
        next.run(request).await
    }
}

/// Whether a request leaves every stream as it is. In doubt it does not: a write lock too many costs a moment, a
/// missing one costs records.
fn only_reads(request: &Request) -> bool {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    ["Get", "List", "Describe"].iter().any(|verb| operation.starts_with(verb))
}
