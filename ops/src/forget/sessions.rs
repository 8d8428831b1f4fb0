//! A user's items of the sessions table: counted, and emptied.
//!
//! A deleted item would come back with the next old boundary that the sink reads: one that is still in session-stream, or
//! published again by an invocation that was under way. So each item is replaced by a tombstone, like that of a retracted
//! session: user id, ordinal and version, and nothing of the session. It is gone by TTL once no old boundary can come; a
//! boundary of new clicks has a higher version and replaces it.

use std::ops::Range;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::concurrency::run_concurrently;
use kinesis_function::statements::Item;
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::columns::declaration::SessionColumns;
use shared::columns::published::PublishedColumns;
use shared::event_time::EventTime;
use shared::session::{Status, TouchedSession};
use shared::user_id::UserId;
use sink_fn::session_item::{self, ORDINAL, Retention, USER_ID, VERSION};

use super::Removed;
use crate::error::OpsError;
use crate::redrive::attempts::Attempts;
use crate::user_sessions::Pages;

/// Concurrent writes. All items of a user share a partition, which takes 1,000 a second.
const CONCURRENT_WRITES: usize = 8;

/// Missing ordinals whose tombstones are written together.
const ORDINALS_PER_ROUND: usize = 1_000;

/// How far below a session in the table another one can be that the sink has not stored yet: as many ordinals as the
/// largest batch of a Kinesis stream has records, because the sink finishes a batch before the next one. What is missing
/// further below has expired.
const MAX_OUT_OF_ORDER: u64 = 10_000;

/// A user's items.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sessions<'a> {
    pub(super) client: &'a Client,
    pub(super) table: &'a str,
    pub(super) user_id: &'a UserId,
    pub(super) stream_hours: u64,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Emptied,
    /// It is of a later version: of clicks that came after the user was forgotten.
    Newer,
}

impl Sessions<'_> {
    /// How many items there are, without tombstones.
    pub(super) async fn count(&self) -> Result<u64, OpsError> {
        let (mut count, mut pages) = (0, self.pages());
        while let Some(items) = pages.next().await? {
            count += items.iter().filter(|item| !is_tombstone(item)).count() as u64;
        }
        Ok(count)
    }

    /// Replaces every session that is not later than `version`, and what the sink has kept of retracted ones, by an empty
    /// tombstone. Also puts one for each ordinal up to `highest` without a session: it may be on its way to the table.
    pub(super) async fn empty(
        &self,
        version: Version,
        highest: Option<u64>,
        now_ms: u64,
        removed: &mut Removed,
    ) -> Result<(), OpsError> {
        if let Some(highest) = highest {
            // First, so that the sink has little time to store them.
            self.keep_out(version, highest, now_ms, removed).await?;
        }
        let mut pages = self.pages();
        while let Some(items) = pages.next().await? {
            let (retracted, sessions): (Vec<_>, Vec<_>) =
                items.iter().filter(|item| !is_empty(item)).partition(|item| is_tombstone(item));
            let ordinals = |items: Vec<&Item>| items.into_iter().filter_map(ordinal).collect::<Vec<_>>();
            let outcomes = self.put_all(&ordinals(sessions), version, now_ms).await?;
            removed.sessions += count(&outcomes, Outcome::Emptied);
            removed.newer_sessions += count(&outcomes, Outcome::Newer);
            removed.tombstones += count(&outcomes, Outcome::Emptied);
            let outcomes = self.put_all(&ordinals(retracted), version, now_ms).await?;
            removed.tombstones += count(&outcomes, Outcome::Emptied);
        }
        Ok(())
    }

    /// Puts a tombstone of `version` for each ordinal up to `highest` that has no item, or a tombstone of a lower version.
    async fn keep_out(
        &self,
        version: Version,
        highest: u64,
        now_ms: u64,
        removed: &mut Removed,
    ) -> Result<(), OpsError> {
        let end = highest.saturating_add(1);
        let (mut pages, mut next) = (self.pages(), 0);
        while let Some(items) = pages.next().await? {
            for item in items {
                let Some(ordinal) = ordinal(&item) else { continue };
                let missing = next.max(ordinal.saturating_sub(MAX_OUT_OF_ORDER))..ordinal.min(end);
                self.put_range(missing, version, now_ms, removed).await?;
                if ordinal < end && is_tombstone(&item) && number(&item, VERSION) < Some(version.number()) {
                    self.put_range(ordinal..ordinal + 1, version, now_ms, removed).await?;
                }
                next = ordinal.saturating_add(1);
            }
        }
        self.put_range(next..end, version, now_ms, removed).await
    }

    async fn put_range(
        &self,
        mut ordinals: Range<u64>,
        version: Version,
        now_ms: u64,
        removed: &mut Removed,
    ) -> Result<(), OpsError> {
        while !ordinals.is_empty() {
            let round: Vec<u64> = ordinals.by_ref().take(ORDINALS_PER_ROUND).collect();
            let outcomes = self.put_all(&round, version, now_ms).await?;
            removed.tombstones += count(&outcomes, Outcome::Emptied);
            removed.newer_sessions += count(&outcomes, Outcome::Newer);
        }
        Ok(())
    }

    fn pages(&self) -> Pages<'_> {
        Pages::new(self.client, self.table, self.user_id, None)
    }

    async fn put_all(&self, ordinals: &[u64], version: Version, now_ms: u64) -> Result<Vec<Outcome>, OpsError> {
        let puts =
            ordinals.iter().map(|ordinal| async move { vec![self.put(*ordinal, version, now_ms).await] }).collect();
        run_concurrently(puts, CONCURRENT_WRITES).await.into_iter().collect()
    }

    /// Puts a tombstone unless there is an item of a later version.
    async fn put(&self, ordinal: u64, version: Version, now_ms: u64) -> Result<Outcome, OpsError> {
        let mut attempts = Attempts::new();
        loop {
            let put =
                self.client.put_item().table_name(self.table).set_item(Some(self.tombstone(ordinal, version, now_ms)));
            let put = put.condition_expression("attribute_not_exists(#version) OR #version <= :version");
            let put = put.expression_attribute_names("#version", VERSION);
            let put = put.expression_attribute_values(":version", AttributeValue::N(version.number().to_string()));
            match put.send().await {
                Ok(_) => return Ok(Outcome::Emptied),
                Err(error) if error.as_service_error().is_some_and(|it| it.is_conditional_check_failed_exception()) => {
                    return Ok(Outcome::Newer);
                }
                Err(error) => {
                    let error = CallError::of("PutItem", &error);
                    if !(error.is_transient() && attempts.again().await) {
                        return Err(OpsError::of_table(self.table)(error));
                    }
                }
            }
        }
    }

    /// As the sink writes that of a retracted session, with the beginning of 1970 as its start.
    fn tombstone(&self, ordinal: u64, version: Version, now_ms: u64) -> Item {
        let start = EventTime::START;
        let session = TouchedSession {
            ordinal,
            start,
            attributes: Attributes::default(),
            columns: PublishedColumns::default(),
            status: Status::Retracted,
        };
        let columns = SessionColumns::default();
        let boundary = Boundary::of(self.user_id, session, &columns, version);
        let retention = Retention { session_days: 0, stream_hours: self.stream_hours };
        let key = [USER_ID, ORDINAL].into_iter().zip(session_item::key(&boundary));
        let attributes = session_item::encode(&boundary, now_ms, retention, &columns);
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        key.chain(attributes).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Whether it is a tombstone as [`Sessions::tombstone`] makes it. The sink's have start and attributes of the session.
fn is_empty(item: &Item) -> bool {
    is_tombstone(item) && number(item, "session_timestamp") == Some(EventTime::START.ms())
}

fn is_tombstone(item: &Item) -> bool {
    item.get("status").and_then(|status| status.as_s().ok()).is_some_and(|status| status == Status::Retracted.word())
}

fn ordinal(item: &Item) -> Option<u64> {
    number(item, ORDINAL)
}

fn number(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn count(outcomes: &[Outcome], outcome: Outcome) -> u64 {
    outcomes.iter().filter(|it| **it == outcome).count() as u64
}
