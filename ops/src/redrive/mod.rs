//! Redrives rejected records: puts them back into the streams they came from, then deletes their items.
//!
//! Meant for records that have become readable: the allowed clock skew was too small, or the decoder now supports their
//! format. A record that is rejected again becomes a new item, under its new position. If a redrive is interrupted
//! between put and deletion, the next one puts those records back again, and each counts twice in `event_count`, like
//! any click that is sent twice.
//!
//! [`Reasons`] selects the records, a [`Plan`] lists them and carries out the redrive, [`Redriven`] is the outcome.
//! `items` lists, reads and deletes items, `put` puts records, `attempts` bounds the attempts per call.

pub(crate) mod attempts;
pub(crate) mod items;
mod put;
mod reasons;
mod redriven;

use std::collections::BTreeMap;
use std::fmt;

use kinesis_function::limits::MAX_KEYS_PER_READ;
use kinesis_function::put_requests::requests;

use crate::error::OpsError;
use crate::text_table::escaped;
use attempts::Attempts;
use items::{Items, Kept, Listed};
use put::{Refusal, put};
pub use reasons::Reasons;
pub use redriven::Redriven;

/// The records to redrive. All are listed before the first is put, so a redrive ends even if records are rejected
/// again: those have new keys.
///
/// Holds the keys in memory, roughly 200 bytes each.
pub struct Plan<'a> {
    items: Items<'a>,
    listed: Listed,
}

/// In place of an error code: an earlier put into the same stream got no answer.
const NOT_TRIED: &str = "not tried: an earlier put got no response";

/// Whether a redrive changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only counts records; puts and deletes nothing.
    DryRun,
    /// Puts records and deletes their items.
    ForReal,
}

impl<'a> Plan<'a> {
    /// Lists the records in the table called `table` that were rejected for one of `reasons`.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub async fn list(
        dynamodb: &'a aws_sdk_dynamodb::Client,
        table: &'a str,
        reasons: &Reasons,
    ) -> Result<Self, OpsError> {
        let items = Items { dynamodb, table };
        Ok(Self { items, listed: items.list(reasons).await? })
    }

    /// Whether there is nothing to redrive.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.keys.is_empty()
    }

    /// Redrives the records, each stream's in order of arrival, and reports to `on_progress` after each request.
    ///
    /// Records that Kinesis rejects permanently, or does not accept within a bounded number of attempts, stay in the
    /// table and are counted in [`Redriven::left`]. Records whose put got no response also stay; they may be in the
    /// stream and are counted in [`Redriven::unanswered`].
    ///
    /// # Errors
    /// If the table cannot be read or written. Records already reported to `on_progress` are done.
    pub async fn carry_out(
        self,
        kinesis: &aws_sdk_kinesis::Client,
        mode: Mode,
        on_progress: impl FnMut(&Redriven),
    ) -> Result<Redriven, OpsError> {
        let Self { items, listed } = self;
        let done = Redriven { foreign: listed.foreign, ..Redriven::default() };
        let mut run = Run { items, kinesis, mode, on_progress, done, closed: BTreeMap::new() };
        for keys in listed.keys.chunks(MAX_KEYS_PER_READ) {
            let read = run.items.read(keys).await?;
            run.done.foreign += read.foreign;
            let (whole, cut): (Vec<_>, Vec<_>) = read.records.into_iter().partition(|record| record.is_whole);
            cut.into_iter().for_each(|record| *run.done.cut.entry(record.reason).or_default() += 1);
            for records in whole.chunk_by(|a, b| a.stream == b.stream) {
                for request in requests(records, Kept::bytes) {
                    run.put_back(request).await?;
                }
            }
        }
        Ok(run.done)
    }
}

impl fmt::Display for Plan<'_> {
    /// The maximum number of records per stream: truncated records, not known yet, stay in the table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut streams: BTreeMap<&str, u64> = BTreeMap::new();
        self.listed.keys.iter().for_each(|key| *streams.entry(key.stream()).or_default() += 1);
        let parts: Vec<_> =
            streams.iter().map(|(stream, count)| format!("{count} into stream {}", escaped(stream))).collect();
        write!(f, "{}", parts.join(", "))
    }
}

/// A redrive in progress.
struct Run<'a, P> {
    items: Items<'a>,
    kinesis: &'a aws_sdk_kinesis::Client,
    mode: Mode,
    on_progress: P,
    done: Redriven,
    /// Streams that rejected a whole request or did not respond, with the reason. They get no further requests: otherwise a
    /// deleted stream would cost all attempts for each of its requests.
    closed: BTreeMap<String, String>,
}

impl<P: FnMut(&Redriven)> Run<'_, P> {
    /// Puts `records`, which belong to one stream and fit one request, and deletes the items of those Kinesis accepted.
    async fn put_back(&mut self, records: &[Kept]) -> Result<(), OpsError> {
        let Some(stream) = records.first().map(|record| &record.stream) else { return Ok(()) };
        if let Some(code) = self.closed.get(stream) {
            records.iter().for_each(|record| self.done.leave(&record.reason, code));
            return Ok(());
        }
        let mut waiting: Vec<&Kept> = records.iter().collect();
        let mut attempts = Attempts::new();
        while !waiting.is_empty() {
            let outcome = match self.mode {
                Mode::DryRun => Ok(vec![Ok(()); waiting.len()]),
                Mode::ForReal => put(self.kinesis, stream, &waiting).await,
            };
            let is_whole_call = outcome.is_err();
            let results = outcome.unwrap_or_else(|refusal| vec![Err(refusal); waiting.len()]);
            let (mut accepted, mut refused) = (Vec::new(), Vec::new());
            for (record, result) in waiting.drain(..).zip(results) {
                match result {
                    Ok(()) => accepted.push(record),
                    Err(refusal) => refused.push((record, refusal)),
                }
            }
            if !accepted.is_empty() {
                attempts = Attempts::new();
                if self.mode == Mode::ForReal {
                    self.items.delete(&accepted).await?;
                }
                accepted.iter().for_each(|record| self.done.count_put(&record.reason));
            }
            // Do not retry a record that may be in the stream: each copy would count as another click.
            let may_try = |refusal: &Refusal| refusal.is_transient && !refusal.may_be_put;
            let try_again = refused.iter().any(|(_, refusal)| may_try(refusal)) && attempts.again().await;
            for (record, refusal) in refused {
                if refusal.may_be_put {
                    self.done.leave_unanswered(&record.reason, &refusal.code);
                    // Each further request would cost a time-out, and leave more records in doubt.
                    self.closed.insert(stream.clone(), NOT_TRIED.to_owned());
                    continue;
                }
                if try_again && may_try(&refusal) {
                    waiting.push(record);
                    continue;
                }
                self.done.leave(&record.reason, &refusal.code);
                if is_whole_call {
                    self.closed.insert(stream.clone(), refusal.code);
                }
            }
            (self.on_progress)(&self.done);
        }
        Ok(())
    }
}
