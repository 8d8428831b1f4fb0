//! Reads what the pipeline publishes: session-stream, click-stream and the rejected-records table.
//!
//! The streams are read by taps of the page's own, so a slow page slows down nothing else. A table cannot be tapped:
//! it is read when the functions have rejected something, and now and then for what other functions reject.

use std::convert::Infallible;
use std::time::Duration;

use serde::Serialize;
use serde_json::value::RawValue;
use shared::boundary::Boundary;
use shared::click::{DecodedClick, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::record_parts::for_each_part;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::error::LocalError;
use crate::page::history::Kind;
use crate::page::rejected::{RejectedReader, ShownRejection};
use crate::page::{Feed, Shown, unix_ms};
use crate::pipeline::Pipeline;
use crate::tap::{Batches, Tap};

/// The wait between two looks at the functions' counts.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// How long the rejected-records table stays unread although no function of this process has rejected a record.
/// `cargo lambda` runs others.
const REREAD_REJECTED_AFTER: Duration = Duration::from_secs(5);

/// A larger boundary is counted, but not shown: those that the sessionizer makes have up to 12 KiB.
const MAX_SHOWN_BOUNDARY_BYTES: usize = 64 * 1024;

#[derive(Serialize)]
struct ShownBoundary<'a> {
    /// When it was read, Unix milliseconds.
    at: u64,
    boundary: &'a RawValue,
}

#[derive(Serialize)]
struct ShownClick<'a> {
    /// When it was read, Unix milliseconds.
    at: u64,
    user: &'a str,
    /// Its event time, Unix milliseconds.
    time: u64,
    name: Option<&'a str>,
    is_late: bool,
}

/// Reads everything until dropped.
///
/// # Errors
/// If a stream can no longer be read.
pub(crate) async fn read(pipeline: &Pipeline, feed: &Feed) -> Result<Infallible, LocalError> {
    let (format, skew_ms) = (&pipeline.click_format, pipeline.max_clock_skew_ms);
    let clicks = read_tap(pipeline.tap_clicks()?, |batch| take_clicks(feed, batch, format, skew_ms));
    let boundaries = read_tap(pipeline.tap_boundaries()?, |batch| take_boundaries(feed, batch));
    tokio::select! {
        ended = clicks => ended,
        ended = boundaries => ended,
        never = look(pipeline, feed) => match never {},
    }
}

/// Passes on the batches of a tap, which must not end.
async fn read_tap(tap: (Tap, Batches), take: impl Fn(&[Vec<u8>])) -> Result<Infallible, LocalError> {
    let (tap, mut batches) = tap;
    while let Some(batch) = batches.recv().await {
        take(&batch);
    }
    tap.stop().await?;
    Err(LocalError::TapEnded)
}

/// Records that are not clicks become rejected records, which [`look`] shows.
fn take_clicks(feed: &Feed, batch: &[Vec<u8>], format: &ClickFormat, max_clock_skew_ms: u64) {
    let at = unix_ms();
    let latest = LatestBelievable::after_arrival(at, max_clock_skew_ms);
    feed.update(|shown| {
        let mut take = |decoded: Result<Decoded, _>| {
            let Ok(Decoded::Click(DecodedClick { click, .. })) = decoded else { return };
            let (user, time) = (click.user_id.as_str(), click.time.ms());
            let (name, is_late) = (click.attributes.event_name.as_deref(), shown.counters.count_click(&click));
            push(shown, Kind::Click, &ShownClick { at, user, time, name, is_late });
        };
        batch.iter().for_each(|data| for_each_part(data, format, latest, |_, decoded| take(decoded)));
    });
}

/// A boundary is shown as it was published, with whatever keys it has. Records that are not boundaries become rejected
/// records.
fn take_boundaries(feed: &Feed, batch: &[Vec<u8>]) {
    let at = unix_ms();
    feed.update(|shown| {
        for data in batch {
            let Ok(boundary) = Boundary::decode(data) else { continue };
            shown.counters.count_boundary(&boundary);
            if data.len() <= MAX_SHOWN_BOUNDARY_BYTES
                && let Ok(boundary) = serde_json::from_slice(data)
            {
                push(shown, Kind::Boundary, &ShownBoundary { at, boundary });
            }
        }
    });
}

/// Looks at the functions' counts, and reads the table of rejected records when there are new ones.
async fn look(pipeline: &Pipeline, feed: &Feed) -> Infallible {
    let mut table = RejectedReader::new(pipeline.dynamodb(), pipeline.rejected_table.clone());
    let (mut counted, mut read_at) = (0, None);
    let mut ticks = interval(LOOK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let too_late = pipeline.sessionizer_total.now().late;
        if feed.lock().counters.too_late != too_late {
            feed.update(|shown| shown.counters.too_late = too_late);
        }
        let count = pipeline.sessionizer_total.records().rejected + pipeline.sink_total.records().rejected;
        if count != counted || read_at.is_none_or(|at: Instant| at.elapsed() >= REREAD_REJECTED_AFTER) {
            // The count is older than what is read next, so nothing counted is missed.
            (counted, read_at) = (count, Some(Instant::now()));
            match table.read_new().await {
                Ok(new) => take_rejected(feed, &table, &new),
                Err(error) => tracing::warn!(%error, "rejected records cannot be read"),
            }
        }
    }
}

fn take_rejected(feed: &Feed, table: &RejectedReader, new: &[ShownRejection]) {
    if new.is_empty() && feed.lock().counters.has_more_rejected == table.has_more() {
        return;
    }
    feed.update(|shown| {
        shown.counters.has_more_rejected = table.has_more();
        for rejection in new {
            shown.counters.count_rejected(&rejection.reason);
            push(shown, Kind::Rejected, rejection);
        }
    });
}

fn push(shown: &mut Shown, kind: Kind, event: &impl Serialize) {
    // The types are structs of texts and numbers, which JSON can always represent.
    if let Ok(json) = serde_json::to_string(event) {
        // A record may contain line breaks between its keys. In JSON texts they are escaped.
        shown.history.push(kind, json.replace(['\r', '\n'], " "));
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
