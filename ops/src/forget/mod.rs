//! Forgets a user: removes what is stored of the user in all tables, while clicks come.
//!
//! First the state log, with a commit after which nothing of the user counts ([`sessionizer_fn::work::forgetting`]): what
//! the user clicked before it is forgotten, what comes after it is a new user's. Then the item of session-state, the
//! sessions ([`sessions`]) and the rejected records ([`rejected`]). Each step may be repeated, and takes nothing that came
//! after the commit. [`remains`] says what is still somewhere else.

mod rejected;
mod remains;
mod sessions;

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use kinesis_function::aws::ATTEMPT_TIMEOUT;
use kinesis_function::call_error::CallError;
use serde_json::{Value, json};
use sessionizer_fn::store::rest_table::RestTable;
use sessionizer_fn::work::forgetting::{Forgetter, Forgotten, Known};
use shared::boundary::Version;
use shared::click_format::ClickFormat;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::TableNames;
use crate::error::OpsError;
use crate::state_logs::{MAX_TIME_PER_LOG, StateLogs, are_columns_others, of_bucket};
pub use rejected::Matched;
pub use remains::{Remains, remains};
use sessions::Sessions;

/// How long after the commit session-state is looked at again: a sessionizer that has lost the race against the commit
/// may just have been writing the user's item, with three statements at most, each of which ends after this time.
pub const SETTLING: Duration = ATTEMPT_TIMEOUT.saturating_mul(3);

/// A user to be forgotten.
#[derive(Clone, Debug)]
pub struct Forget<'a> {
    /// Reads and writes the tables, with the SDK's retries.
    pub dynamodb: &'a Client,
    /// The tables.
    pub tables: &'a TableNames,
    /// The user.
    pub user_id: &'a UserId,
    /// What clicks look like, to find the user in rejected records.
    pub format: &'a ClickFormat,
    /// Whether rejected records without a readable user id are the user's if their partition key is.
    pub by_partition_key: bool,
    /// How long session-stream keeps records, in hours: so long can an old boundary be delivered.
    pub stream_hours: u64,
    /// Normally [`SETTLING`].
    pub settling: Duration,
}

/// What is stored of a user.
#[derive(Debug)]
pub struct Found {
    /// What counts in the log and in session-state; `None` if no log was begun.
    pub state: Option<Known>,
    /// Sessions, without tombstones.
    pub sessions: u64,
    /// Rejected records.
    pub rejected: Matched,
}

/// What was removed of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Commits to the log, and the log's newest one.
    pub commits: u64,
    /// The commit up to which the log is as this command has left it; `None` if no log was begun.
    pub head: Option<u64>,
    /// Boundaries in outboxes: not published yet, or published again by a redelivery.
    pub waiting: u64,
    /// Whether there was an item of session-state.
    pub item: bool,
    /// Sessions.
    pub sessions: u64,
    /// Empty items that were put in their place, and in that of sessions that may still be on their way to the table.
    pub tombstones: u64,
    /// Sessions of clicks that came after the commit. They stay.
    pub newer_sessions: u64,
    /// Rejected records.
    pub rejected: u64,
}

impl Found {
    /// As a JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let state = self.state.as_ref();
        json!({
            "state_log": state.is_some_and(|known| known.entry.is_some()),
            "session_state": state.is_some_and(|known| known.item.is_some()),
            "outbox_boundaries": state.map_or(0, |known| known.waiting.len()),
            "sessions": self.sessions,
            "rejected_records": self.rejected.positions.len(),
            "perhaps_rejected_records": self.rejected.perhaps,
            "unreadable_rejected_records": self.rejected.unreadable,
        })
    }

    /// Whether there is nothing to remove.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_unknown = self.state.as_ref().is_none_or(|known| *known == Known::default());
        is_unknown && self.sessions == 0 && self.rejected.positions.is_empty()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing");
        }
        let state = self.state.clone().unwrap_or_default();
        let mut parts = Vec::new();
        parts.extend(state.entry.map(|_| "an entry of the state log".to_owned()));
        parts.extend(state.item.map(|_| "an item of session-state".to_owned()));
        let counts = [
            (state.waiting.len() as u64, "boundaries that could be published again"),
            (self.sessions, "sessions"),
            (self.rejected.positions.len() as u64, "rejected records"),
        ];
        parts.extend(counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")));
        f.write_str(&parts.join(", "))
    }
}

impl Removed {
    /// As a JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "commits": self.commits,
            "outbox_boundaries": self.waiting,
            "session_state": self.item,
            "sessions": self.sessions,
            "newer_sessions": self.newer_sessions,
            "rejected_records": self.rejected,
        })
    }
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commits, waiting, item, sessions, rejected, .. } = self;
        let log = if *commits > 0 { "superseded" } else { "nothing to supersede" };
        let item = if *item { "deleted" } else { "none" };
        write!(
            f,
            "  state log: {log}\n  boundaries that could be published again: {waiting}\n  item of session-state: {item}\n  \
             sessions: {sessions}\n  rejected records: {rejected}"
        )
    }
}

impl Forget<'_> {
    /// Looks at what is stored of the user, and changes nothing. `on_progress` receives what it looks at.
    ///
    /// Holds the keys of the user's rejected records in memory, roughly 200 bytes each.
    ///
    /// # Errors
    /// If a table cannot be read.
    pub async fn find(&self, mut on_progress: impl FnMut(String)) -> Result<Found, OpsError> {
        on_progress("reading the state log".to_owned());
        let state = match StateLogs::open(self.dynamodb, &self.tables.state_log).await? {
            None => None,
            Some(logs) => {
                let bucket = logs.bucket_of(self.user_id);
                let memory = logs.load(bucket).await?;
                let rest = self.rest();
                let forgetter = Forgetter { bucket, reader: logs.reader(), rest: &rest };
                let known = timeout(MAX_TIME_PER_LOG, forgetter.known(&memory, self.user_id)).await;
                Some(known.map_err(|_| self.busy(bucket))?.map_err(|error| of_bucket(&self.tables.states, error))?)
            }
        };
        on_progress("reading the sessions".to_owned());
        let sessions = self.sessions().count().await?;
        let rejected = rejected::matching(self, |read| on_progress(format!("{read} rejected records read"))).await?;
        Ok(Found { state, sessions, rejected })
    }

    /// Removes what is stored of the user by now, and the rejected records that were `found`. `now_ms` is the clock, in
    /// Unix milliseconds. Calls `on_progress` with what has been removed so far, and what it is about to do.
    ///
    /// # Errors
    /// If a table cannot be read or written. What was removed stays removed; the rest is left to a repetition.
    pub async fn carry_out(
        &self,
        found: &Found,
        now_ms: impl Fn() -> u64,
        mut on_progress: impl FnMut(&Removed, &'static str),
    ) -> Result<Removed, OpsError> {
        let mut removed = Removed::default();
        on_progress(&removed, "committing to the state log");
        let forgotten = self.forget_in_log(&now_ms).await?;
        let settled = Instant::now() + self.settling;
        let is_recent = forgotten.as_ref().is_some_and(|forgotten| self.is_recent(forgotten, now_ms()));
        // Without any commit, sessions can only have been written by something else, up to now.
        let (mut version, mut highest_ordinal) = (Version::new(now_ms()), None);
        if let Some(Forgotten { known, commits, head, version: newest, .. }) = &forgotten {
            if *newest > Version::NONE {
                version = *newest;
            }
            highest_ordinal = known.highest_ordinal();
            (removed.commits, removed.head, removed.waiting) = (*commits, Some(*head), known.waiting.len() as u64);
            on_progress(&removed, "deleting the item of session-state");
            removed.item = self.delete_item(*head).await?;
        }
        on_progress(&removed, "emptying the sessions");
        self.sessions().empty(version, highest_ordinal, now_ms(), &mut removed).await?;
        on_progress(&removed, "deleting rejected records");
        rejected::delete(self, &found.rejected, |deleted| {
            removed.rejected += deleted;
            on_progress(&removed, "deleting rejected records");
        })
        .await?;
        if let Some(head) = removed.head.filter(|_| is_recent) {
            on_progress(&removed, "waiting for a write of session-state that may be under way");
            sleep_until(settled).await;
            removed.item |= self.delete_item(head).await?;
        }
        Ok(removed)
    }

    async fn forget_in_log(&self, now_ms: impl Fn() -> u64) -> Result<Option<Forgotten>, OpsError> {
        let table = &self.tables.state_log;
        let Some(logs) = StateLogs::open(self.dynamodb, table).await? else { return Ok(None) };
        let bucket = logs.bucket_of(self.user_id);
        let rest = self.rest();
        let forget = async {
            loop {
                // The commit may repeat others' sessions, so it has to know all of their columns.
                let logs = logs.with_columns_of(bucket).await?;
                let forgetter = Forgetter { bucket, reader: logs.reader(), rest: &rest };
                let forgotten = match logs.reader().load(bucket).await {
                    Ok(mut memory) => forgetter.forget(&mut memory, self.user_id, &now_ms).await,
                    Err(error) => Err(error),
                };
                if !are_columns_others(&forgotten) {
                    return forgotten;
                }
            }
        };
        let forgotten = timeout(MAX_TIME_PER_LOG, forget).await.map_err(|_| self.busy(bucket))?;
        forgotten.map(Some).map_err(|error| of_bucket(table, error))
    }

    /// Whether the commit that forgets may have been made so short a time ago that an item is still being written: by this
    /// run, or by one before that failed. A commit may be written as long after it was decided as this command tries.
    fn is_recent(&self, forgotten: &Forgotten, now_ms: u64) -> bool {
        let age_ms = forgotten.forgotten_ms.map(|since_ms| now_ms.saturating_sub(since_ms));
        forgotten.commits > 0 || age_ms.is_some_and(|ms| Duration::from_millis(ms) < MAX_TIME_PER_LOG + self.settling)
    }

    /// Deletes the user's item of session-state unless it is of a later commit than `head`. Returns whether it did.
    async fn delete_item(&self, head: u64) -> Result<bool, OpsError> {
        let table = &self.tables.states;
        let key = AttributeValue::S(self.user_id.as_str().to_owned());
        let delete = self.dynamodb.delete_item().table_name(table).key("user_id", key);
        let delete = delete.condition_expression("attribute_not_exists(#user) OR #commit <= :head");
        let delete = delete.expression_attribute_names("#user", "user_id");
        let delete = delete.expression_attribute_names("#commit", "commit");
        let delete = delete.expression_attribute_values(":head", AttributeValue::N(head.to_string()));
        match delete.return_values(ReturnValue::AllOld).send().await {
            Ok(answer) => Ok(answer.attributes.is_some_and(|item| !item.is_empty())),
            // The user has clicked since, and has even left the log again.
            Err(error) if error.as_service_error().is_some_and(|it| it.is_conditional_check_failed_exception()) => {
                Ok(false)
            }
            Err(error) => Err(OpsError::of_table(table)(CallError::of("DeleteItem", &error))),
        }
    }

    fn rest(&self) -> RestTable {
        RestTable::new(self.dynamodb.clone(), &self.tables.states, SessionColumns::default()) // reads only
    }

    fn sessions(&self) -> Sessions<'_> {
        let Self { dynamodb, tables, user_id, stream_hours, .. } = self;
        Sessions { client: dynamodb, table: &tables.sessions, user_id, stream_hours: *stream_hours }
    }

    fn busy(&self, bucket: u32) -> OpsError {
        OpsError::LogBusy { table: self.tables.state_log.clone(), bucket, seconds: MAX_TIME_PER_LOG.as_secs() }
    }
}
