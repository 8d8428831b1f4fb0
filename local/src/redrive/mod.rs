//! Gives rejected records a second try: puts them back into the streams they came from, then deletes their items.
//!
//! For records that can be read now: a clock skew was set too low, a decoder knows more. A record that is rejected again
//! becomes an item again, under its new position. When a redrive is interrupted between put and deletion, the next one
//! puts those records once more, and like a click its producer sends twice, each counts twice in `event_count`.
//!
//! `reasons` checks what is asked for, `items` lists, reads and deletes items, `put` puts records, `attempts` bounds how
//! often a call is made, and `redriven` is the outcome.

mod attempts;
mod items;
mod put;
mod reasons;
mod redriven;

use std::collections::BTreeMap;

use kinesis_function::limits::MAX_KEYS_PER_READ;
use kinesis_function::put_requests::requests;

use crate::error::LocalError;
use attempts::Attempts;
use items::{Items, Kept};
use put::put;
pub use redriven::Redriven;

/// Which records to redrive.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// The table of rejected records.
    pub table: String,
    /// Only records rejected for one of these reasons; all where there is none.
    pub reasons: Vec<String>,
    /// Only counts: nothing is put, nothing deleted.
    pub dry_run: bool,
}

/// Redrives what `redrive` names, each stream's records in the order of their arrival; `progress` is told how far it
/// has come.
///
/// What Kinesis refuses for good, or does not take within a bounded number of attempts, stays in the table and is
/// counted in [`Redriven::left`]. The keys of the items are held in memory, some 200 bytes each.
///
/// # Errors
/// When a reason is unknown, before any call is made; when the table cannot be read or written. What `progress` was
/// told of is done.
pub async fn redrive(
    dynamodb: &aws_sdk_dynamodb::Client,
    kinesis: &aws_sdk_kinesis::Client,
    redrive: &Redrive,
    progress: impl FnMut(&Redriven),
) -> Result<Redriven, LocalError> {
    reasons::check(&redrive.reasons)?;
    let items = Items { dynamodb, table: &redrive.table };
    // Listed before the first put, so that this ends: what is rejected again has a new key.
    let listed = items.list(&redrive.reasons).await?;
    let done = Redriven { foreign: listed.foreign, ..Redriven::default() };
    let mut run = Run { items, kinesis, dry_run: redrive.dry_run, progress, done, closed: BTreeMap::new() };
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

/// A redrive under way.
struct Run<'a, P> {
    items: Items<'a>,
    kinesis: &'a aws_sdk_kinesis::Client,
    dry_run: bool,
    progress: P,
    done: Redriven,
    /// Streams that refused whole requests, each with the error's code. They are not asked again: a stream that is gone
    /// would otherwise cost all attempts for each of its requests.
    closed: BTreeMap<String, String>,
}

impl<P: FnMut(&Redriven)> Run<'_, P> {
    /// Puts `records`, all of one stream and no more than one request takes, and deletes the items of those that are in.
    async fn put_back(&mut self, records: &[Kept]) -> Result<(), LocalError> {
        let Some(stream) = records.first().map(|record| &record.stream) else { return Ok(()) };
        if let Some(code) = self.closed.get(stream) {
            records.iter().for_each(|record| self.done.leave(&record.reason, code));
            return Ok(());
        }
        let mut waiting: Vec<&Kept> = records.iter().collect();
        let mut attempts = Attempts::new();
        while !waiting.is_empty() {
            let outcome =
                if self.dry_run { Ok(vec![Ok(()); waiting.len()]) } else { put(self.kinesis, stream, &waiting).await };
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
                if !self.dry_run {
                    self.items.delete(&accepted).await?;
                }
                accepted.iter().for_each(|record| self.done.count_put(&record.reason));
            }
            let try_again = refused.iter().any(|(_, refusal)| refusal.is_transient) && attempts.again().await;
            for (record, refusal) in refused {
                if try_again && refusal.is_transient {
                    waiting.push(record);
                    continue;
                }
                self.done.leave(&record.reason, &refusal.code);
                if is_whole_call {
                    self.closed.insert(stream.clone(), refusal.code);
                }
            }
            (self.progress)(&self.done);
        }
        Ok(())
    }
}
