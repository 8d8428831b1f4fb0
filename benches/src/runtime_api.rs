//! The parts of Lambda's Runtime API that a function needs, and a function's process that uses it.
//!
//! Times are taken when the function requests its next event. Source: Lambda developer guide, custom runtimes.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cpu::{cpu_of, peak_memory_mib};
use crate::error::BenchError;
use crate::services::Services;

/// A function without a request or response for this time hangs.
const HANGS: Duration = Duration::from_secs(120);

/// A function's process with its own Runtime API. Both end with this value.
pub struct RunningFunction {
    child: Child,
    server: JoinHandle<()>,
    events: mpsc::Sender<String>,
    said: mpsc::Receiver<Said>,
}

/// What a function did, and when.
enum Said {
    /// It requested its next event.
    Next(Instant),
    /// It responded to an event.
    Answer(Instant, String),
    /// It reported an error.
    Error(String),
}

/// Elapsed time and CPU time.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// Elapsed time.
    pub wall: Duration,
    /// CPU time of the function's process, over all threads.
    pub cpu: Duration,
}

struct Api {
    events: Mutex<mpsc::Receiver<String>>,
    said: mpsc::Sender<Said>,
}

impl RunningFunction {
    /// Starts `program` with the variables of `services` and waits until it requests its first event.
    ///
    /// # Errors
    /// If it cannot be started or exits before that.
    pub async fn start(program: &Path, services: &Services) -> Result<(Self, Took), BenchError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(BenchError::process("listening"))?;
        let address = listener.local_addr().map_err(BenchError::process("listening"))?;
        let (events, to_give) = mpsc::channel(1);
        let (saying, said) = mpsc::channel(8);
        let app = api(Api { events: Mutex::new(to_give), said: saying });
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await; // aborted together with the process that it serves
        });
        let mut command = Command::new(program);
        command.env_clear();
        services.environment(&mut command)?;
        command.envs([
            ("AWS_LAMBDA_RUNTIME_API", address.to_string().as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "function"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let began = Instant::now();
        let child = command.spawn().map_err(BenchError::process(format!("starting {}", program.display())))?;
        let mut function = Self { child, server, events, said };
        let asked_at = function.until_next().await?;
        let took = Took { wall: asked_at - began, cpu: function.cpu() };
        Ok((function, took))
    }

    /// Passes `event` to the function and waits for its response and for its request for the next event.
    ///
    /// # Errors
    /// If the function reports an error or its response is not that all records are done.
    pub async fn invoke(&mut self, event: String) -> Result<Took, BenchError> {
        let cpu = self.cpu();
        let began = Instant::now();
        let _ = self.events.send(event).await;
        let said = timeout(HANGS, self.said.recv()).await;
        let answered_at = match said {
            Ok(Some(Said::Answer(at, answer))) if is_success(&answer) => at,
            Ok(Some(other)) => return Err(BenchError::failed(format!("the function {other}, expected success"))),
            Ok(None) | Err(_) => return Err(BenchError::failed("the function did not respond")),
        };
        self.until_next().await?;
        Ok(Took { wall: answered_at - began, cpu: self.cpu() - cpu })
    }

    /// Its peak resident memory, in MiB.
    #[must_use]
    pub fn peak_memory_mib(&self) -> f64 {
        self.child.id().and_then(peak_memory_mib).unwrap_or(0.0)
    }

    fn cpu(&self) -> Duration {
        self.child.id().and_then(cpu_of).unwrap_or_default()
    }

    async fn until_next(&mut self) -> Result<Instant, BenchError> {
        tokio::select! {
            said = self.said.recv() => match said {
                Some(Said::Next(at)) => Ok(at),
                Some(other) => Err(BenchError::failed(format!("the function {other}, expected a request for an event"))),
                None => Err(BenchError::failed("the Runtime API's server stopped")),
            },
            ended = self.child.wait() => Err(BenchError::failed(format!("the function exited: {ended:?}"))),
            () = tokio::time::sleep(HANGS) => Err(BenchError::failed("the function hangs")),
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next(_) => f.write_str("requested an event"),
            Self::Answer(_, answer) => write!(f, "responded {answer}"),
            Self::Error(error) => write!(f, "reported an error: {error}"),
        }
    }
}

/// Whether a response reports no failures, or is hello-world's.
fn is_success(answer: &str) -> bool {
    answer.starts_with(r#"{"batchItemFailures":[]"#) || answer == r#""hello""#
}

impl Drop for RunningFunction {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn api(api: Api) -> Router {
    let invocation = "/2018-06-01/runtime/invocation";
    Router::new()
        .route(&format!("{invocation}/next"), get(next))
        .route(&format!("{invocation}/{{id}}/response"), post(response))
        .route(&format!("{invocation}/{{id}}/error"), post(error))
        .route("/2018-06-01/runtime/init/error", post(error))
        .layer(DefaultBodyLimit::max(16 * 1024 * 1024))
        .with_state(Arc::new(api))
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let _ = api.said.send(Said::Next(Instant::now())).await;
    let Some(event) = api.events.lock().await.recv().await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let deadline = SystemTime::now() + HANGS;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
    let mut headers = HeaderMap::new();
    headers.insert("Lambda-Runtime-Aws-Request-Id", HeaderValue::from_static("8476a536-e9f4-11e8-9739-2dfe598c3fcd"));
    headers.insert(
        "Lambda-Runtime-Invoked-Function-Arn",
        HeaderValue::from_static("arn:aws:lambda:us-east-1:000000000000:function:function"),
    );
    if let Ok(value) = HeaderValue::from_str(&deadline_ms) {
        headers.insert("Lambda-Runtime-Deadline-Ms", value);
    }
    (headers, event).into_response()
}

async fn response(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    let _ = api.said.send(Said::Answer(Instant::now(), String::from_utf8_lossy(&body).into_owned())).await;
    StatusCode::ACCEPTED
}

async fn error(State(api): State<Arc<Api>>, body: Bytes) -> StatusCode {
    let _ = api.said.send(Said::Error(String::from_utf8_lossy(&body).into_owned())).await;
    StatusCode::ACCEPTED
}
