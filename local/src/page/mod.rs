//! The live page of `serve`: what the pipeline publishes, drawn in a browser as it happens.
//!
//! In the order in which data flows: [`source`] reads click-stream, session-stream and, with [`rejected`], a table;
//! [`counters`] counts; [`history`] keeps a bounded number of events for browsers that connect later; [`stream`] sends
//! them as server-sent events; [`server`] answers requests on a loopback port, after [`guard`] has checked that they come
//! from the page itself. [`clicks`] puts what the page's buttons ask for into click-stream, and [`shoppers`] what the
//! demo's users do. `assets` is the page: HTML, CSS and JavaScript without a build step, embedded in the program.
//!
//! It only reads streams and tables, and puts clicks as any other producer does. The pipeline does not know about it.

mod clicks;
pub(crate) mod counters;
mod guard;
mod history;
mod rejected;
mod server;
mod shoppers;
mod source;
mod stream;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::TcpListener;
use tokio::sync::watch;

use shared::click_format::ClickFormat;
use shared::session_cut::SessionCut;

use crate::error::LocalError;
use crate::page::clicks::Clicks;
use crate::page::counters::Counters;
use crate::page::history::History;
use crate::page::server::Settings;
use crate::pipeline::Pipeline;

/// The page of a running pipeline. It is served while [`LivePage::run`] is polled.
#[derive(Debug)]
pub struct LivePage {
    address: SocketAddr,
    listener: TcpListener,
}

impl LivePage {
    /// Binds a loopback port that the operating system picks.
    ///
    /// # Errors
    /// If no port can be bound.
    pub async fn bind() -> Result<Self, LocalError> {
        let listener = server::listen().await.map_err(LocalError::Page)?;
        let address = listener.local_addr().map_err(LocalError::Page)?;
        Ok(Self { address, listener })
    }

    /// `http://127.0.0.1:PORT/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Serves the page until dropped.
    ///
    /// # Errors
    /// If a stream can no longer be read.
    pub async fn run(self, pipeline: &Pipeline) -> Result<Infallible, LocalError> {
        let feed = Arc::new(Feed::default());
        let clicks = Clicks::new(pipeline.kinesis(), pipeline.click_stream.clone());
        let columns = pipeline.click_format.columns().clone();
        let takes_clicks = pipeline.click_format == ClickFormat::default().with_columns(columns);
        let cut_offset_ms = match pipeline.session_cut {
            SessionCut::None => None,
            SessionCut::Daily { offset_ms } => Some(offset_ms),
        };
        let settings = Settings { gap_ms: pipeline.gap_ms, cut_offset_ms, grace_ms: pipeline.grace_ms, takes_clicks };
        let app = server::app(self.address.port(), settings, Arc::clone(&feed), clicks.clone());
        tokio::select! {
            ended = source::read(pipeline, &feed) => ended,
            never = shoppers::click(&clicks, &feed, pipeline.gap_ms) => match never {},
            never = server::serve(self.listener, app) => match never {},
        }
    }
}

/// What the page shows, and who is watching. Browsers are notified of every change.
#[derive(Debug)]
struct Feed {
    shown: Mutex<Shown>,
    changes: watch::Sender<()>,
    /// Whether the shop's users are clicking.
    is_shop_open: watch::Sender<bool>,
}

/// The events and the counts.
#[derive(Debug)]
struct Shown {
    history: History,
    counters: Counters,
}

impl Default for Feed {
    fn default() -> Self {
        let shown = Shown { history: History::new(unix_ms()), counters: Counters::default() };
        Self { shown: Mutex::new(shown), changes: watch::Sender::new(()), is_shop_open: watch::Sender::new(false) }
    }
}

impl Feed {
    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events and changes the counts.
    fn update(&self, change: impl FnOnce(&mut Shown)) {
        change(&mut self.lock());
        self.changes.send_replace(());
    }

    /// Number of browsers that are connected.
    fn viewers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// Starts or stops the shop's users.
    fn open_shop(&self, open: bool) {
        self.is_shop_open.send_replace(open);
        self.update(|shown| shown.counters.producing = open);
    }
}

fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
