//! The page's HTTP server: its files, its events, and what its buttons do.
//!
//! Everything is bounded: connections, the time to send a request, the size of a body, connected browsers.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware;
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use kinesis_function::call_error::CallError;
use ops::shop::Fault;
use serde::{Deserialize, Serialize};
use shared::user_id::{InvalidUserId, UserId};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::page::clicks::{Clicks, MAX_LATE_MS};
use crate::page::guard::guard;
use crate::page::stream::{MAX_VIEWERS, events};
use crate::page::{Feed, unix_ms};

/// Maximum number of connections. A browser opens up to six for each page that it shows.
const MAX_CONNECTIONS: usize = 64;

/// How long a request's headers may take, and how long a connection without a request stays open.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of a request's body, in bytes: the longest user name, with every character escaped, and the rest.
const MAX_BODY_BYTES: usize = 4 * 1024;

/// The files of the page: path, type and content.
const FILES: [(&str, &str, &str); 10] = [
    ("/", "text/html; charset=utf-8", include_str!("assets/index.html")),
    ("/page.css", "text/css; charset=utf-8", include_str!("assets/page.css")),
    ("/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("/main.js", JAVASCRIPT, include_str!("assets/main.js")),
    ("/store.js", JAVASCRIPT, include_str!("assets/store.js")),
    ("/lanes.js", JAVASCRIPT, include_str!("assets/lanes.js")),
    ("/bars.js", JAVASCRIPT, include_str!("assets/bars.js")),
    ("/details.js", JAVASCRIPT, include_str!("assets/details.js")),
    ("/lists.js", JAVASCRIPT, include_str!("assets/lists.js")),
    ("/controls.js", JAVASCRIPT, include_str!("assets/controls.js")),
];

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// What the page has to know of the pipeline's settings.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Settings {
    /// The inactivity that ends a session, in milliseconds.
    pub(crate) gap_ms: u64,
    /// How far the clock at whose midnights sessions are cut is ahead of UTC, in milliseconds; `None` if they are not.
    pub(crate) cut_offset_ms: Option<i64>,
    /// How long after the gap that is reported, in milliseconds.
    pub(crate) grace_ms: u64,
    /// Whether the page can put clicks: its own are in the default format.
    pub(crate) takes_clicks: bool,
}

#[derive(Clone, Debug)]
struct Page {
    feed: Arc<Feed>,
    clicks: Clicks,
}

/// Listens on a loopback port that the operating system picks.
pub(crate) async fn listen() -> Result<TcpListener, std::io::Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// The page, to be served on `port`.
pub(crate) fn app(port: u16, settings: Settings, feed: Arc<Feed>, clicks: Clicks) -> Router {
    let mut app = Router::new();
    for (path, content_type, content) in FILES {
        app = app.route(path, get(async move || ([(CONTENT_TYPE, content_type)], content)));
    }
    app.route("/settings", get(async move || json(&settings)))
        .route("/events", get(send_events))
        .route("/click", post(put_click))
        .route("/broken", post(put_broken))
        .route("/shop", post(open_shop))
        .with_state(Page { feed, clicks })
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(port, guard))
}

/// Serves `app` until dropped, which also closes its connections.
pub(crate) async fn serve(listener: TcpListener, app: Router) -> Infallible {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return std::future::pending().await };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Too many open files, for example: that passes.
                tracing::warn!(%error, "a connection to the live page was not accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(app.clone());
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            // An error means that the browser has closed the connection or sent something else than HTTP.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
            drop(permit);
        });
    }
}

async fn send_events(State(page): State<Page>, headers: HeaderMap) -> Response {
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    match events(&page.feed, seen) {
        Some(events) => Sse::new(events).keep_alive(KeepAlive::default()).into_response(),
        None => {
            let fault = format!("{MAX_VIEWERS} browsers are connected, and no more are allowed");
            (StatusCode::SERVICE_UNAVAILABLE, fault).into_response()
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClickRequest {
    user: String,
    /// How long before now the click was made, in milliseconds.
    late_ms: u64,
}

async fn put_click(State(page): State<Page>, body: Bytes) -> Result<StatusCode, Refusal> {
    let ClickRequest { user, late_ms } = read(&body)?;
    if late_ms > MAX_LATE_MS {
        return Err(Refusal::Invalid(format!("late_ms is {late_ms}, more than the limit of {MAX_LATE_MS}, a day")));
    }
    page.clicks.put(&named(user)?, unix_ms() - late_ms).await.map_err(Refusal::Call)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokenRequest {
    user: String,
    fault: Fault,
}

async fn put_broken(State(page): State<Page>, body: Bytes) -> Result<StatusCode, Refusal> {
    let BrokenRequest { user, fault } = read(&body)?;
    page.clicks.put_broken(&named(user)?, fault, unix_ms()).await.map_err(Refusal::Call)?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShopRequest {
    open: bool,
}

async fn open_shop(State(page): State<Page>, body: Bytes) -> Result<StatusCode, Refusal> {
    let ShopRequest { open } = read(&body)?;
    page.feed.open_shop(open);
    Ok(StatusCode::NO_CONTENT)
}

/// Why a request was not carried out.
#[derive(Debug)]
enum Refusal {
    Invalid(String),
    Call(CallError),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Invalid(fault) => (StatusCode::BAD_REQUEST, fault).into_response(),
            Self::Call(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
        }
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Invalid(format!("the body is invalid: {error}")))
}

/// A user by name. A name that stands for no user is left to the pipeline, which rejects its clicks.
fn named(user: String) -> Result<UserId, Refusal> {
    UserId::new(user).map_err(|invalid| match invalid {
        InvalidUserId::Empty => Refusal::Invalid("user is empty, expected 1 to 256 characters".to_owned()),
        InvalidUserId::TooLong(text) => {
            let chars = text.chars().count();
            Refusal::Invalid(format!("user has {chars} characters, more than the limit of 256"))
        }
    })
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
