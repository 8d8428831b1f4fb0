//! What one browser receives: the history it does not have, then every event as it happens, and the counters.
//!
//! A browser that reads slowly takes no memory: it shares the events of the history, and starts over if it falls
//! behind by more than that.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::stream::{Stream, unfold};
use tokio::sync::watch;

use crate::page::Feed;
use crate::page::history::{EventId, Kept};

/// The wait between two reads of the history: events that happen at once are sent at once, which a browser needs to
/// draw the boundaries of one commit together.
const GATHER: Duration = Duration::from_millis(50);

/// Maximum number of connected browsers.
pub(crate) const MAX_VIEWERS: usize = 16;

/// Something to send. Events of the history stay shared until they are sent.
enum Pending {
    StartOver,
    Kept(Kept),
    Counters(String),
}

struct Viewer {
    feed: Arc<Feed>,
    changes: watch::Receiver<()>,
    seen: Option<EventId>,
    /// The counters sent last, as JSON.
    counters: String,
    queue: VecDeque<Pending>,
}

/// The events of a browser that has received `seen`. `None` if too many browsers are connected.
pub(crate) fn events(
    feed: &Arc<Feed>,
    seen: Option<EventId>,
) -> Option<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let mut changes = feed.changes.subscribe();
    if feed.viewers() > MAX_VIEWERS {
        return None;
    }
    changes.mark_changed(); // the first read does not wait
    let viewer = Viewer { feed: Arc::clone(feed), changes, seen, counters: String::new(), queue: VecDeque::new() };
    Some(unfold(viewer, |mut viewer| async move {
        loop {
            if let Some(pending) = viewer.queue.pop_front() {
                return Some((Ok(pending.into_event()), viewer));
            }
            viewer.changes.changed().await.ok()?;
            tokio::time::sleep(GATHER).await;
            viewer.changes.mark_unchanged();
            viewer.read();
        }
    }))
}

impl Pending {
    fn into_event(self) -> Event {
        match self {
            Self::StartOver => Event::default().event("start-over").data("{}"),
            Self::Kept(Kept { id, kind, data }) => Event::default().event(kind.name()).id(id.to_string()).data(&*data),
            Self::Counters(json) => Event::default().event("counters").data(json),
        }
    }
}

impl Viewer {
    fn read(&mut self) {
        let shown = self.feed.lock();
        let missing = shown.history.after(self.seen);
        // A struct of texts and numbers, which JSON can always represent.
        let counters = serde_json::to_string(&shown.counters).unwrap_or_default();
        self.seen = Some(shown.history.last());
        drop(shown);
        if missing.starts_over {
            self.queue.push_back(Pending::StartOver);
        }
        self.queue.extend(missing.events.into_iter().map(Pending::Kept));
        if self.counters != counters {
            self.queue.push_back(Pending::Counters(counters.clone()));
            self.counters = counters;
        }
    }
}
