//! What is stored of one user, in words: the entry in the bucket's log, the item at rest, and what may still change.

use std::fmt::Write as _;
use std::io::Write;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use serde_json::{Value, json};
use sessionizer_fn::bucket::memory::BucketMemory;
use sessionizer_fn::state_log_entry::{LogKey, UserEntry};
use sessionizer_fn::store::rest_table;
use shared::attributes::Attributes;
use shared::click::Click;
use shared::columns::declaration::SessionColumns;
use shared::columns::published::PublishedColumn;
use shared::columns::values::ColumnValues;
use shared::event_time::EventTime;
use shared::session::Session;
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, WindowDraft, WindowRule};
use shared::user_id::UserId;

use crate::config::Timing;
use crate::error::OpsError;
use crate::output::Output;
use crate::state_logs::StateLogs;
use crate::stored::not_ours;
use crate::text_table::escaped;
use crate::time_text::utc;
use crate::users::{StateTables, StoredUser, reason_of};

/// What is stored of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserState {
    user_id: UserId,
    /// The bucket, and how many there are; `None` if no log was begun.
    bucket: Option<(u32, u32)>,
    /// The entry in the bucket's log.
    in_log: Option<InLog>,
    /// The item of session-state.
    at_rest: Option<AtRest>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct InLog {
    entry: UserEntry,
    columns: SessionColumns,
    /// The commit that wrote it.
    commit: u64,
    /// How many commits there were since.
    commits_since: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AtRest {
    entry: UserEntry,
    columns: SessionColumns,
    /// The commit with which the user left the log.
    commit: u64,
}

impl UserState {
    /// Reads the log of the user's bucket, then the user's item, each strongly consistent: a user on the way from the one
    /// to the other is not missed.
    ///
    /// # Errors
    /// If they cannot be read.
    pub async fn read(client: &Client, tables: StateTables<'_>, user_id: UserId) -> Result<Self, OpsError> {
        let (mut bucket, mut in_log) = (None, None);
        if let Some(logs) = StateLogs::open(client, tables.log).await? {
            let number = logs.bucket_of(&user_id);
            bucket = Some((number, logs.buckets().end));
            let (memory, columns) = logs.load_with_columns(number).await?;
            in_log = InLog::of(&memory, &columns, &user_id);
        }
        let at_rest = AtRest::read(client, tables.rest, &user_id).await?;
        Ok(Self { user_id, bucket, in_log, at_rest })
    }

    /// The state that counts: the log's, or else the item's.
    fn current(&self) -> Option<StoredUser> {
        let of = |entry: &UserEntry, is_in_log| StoredUser { entry: entry.clone(), is_in_log };
        let in_log = self.in_log.as_ref().map(|it| of(&it.entry, true));
        in_log.or_else(|| self.at_rest.as_ref().map(|it| of(&it.entry, false)))
    }

    /// The columns of the sessions of [`Self::current`].
    fn columns(&self) -> Option<&SessionColumns> {
        self.in_log.as_ref().map(|it| &it.columns).or_else(|| self.at_rest.as_ref().map(|it| &it.columns))
    }

    /// The columns of `session`, each with its aggregate, because names are not stored.
    fn columns_of(&self, session: &Session) -> impl Iterator<Item = (&str, PublishedColumn)> {
        let aggregates = self.columns().into_iter().flat_map(SessionColumns::canonical_texts);
        aggregates.zip(session.columns.in_closed())
    }

    /// Shows it; `timing` is what the sessionizer is configured for.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn show<W: Write>(&self, timing: Timing, output: &mut Output<W>) -> Result<(), OpsError> {
        output.text(&self.text(timing))?;
        output.object(&self.json(timing))
    }

    fn text(&self, timing: Timing) -> String {
        let user = escaped(self.user_id.as_str());
        let mut text = String::new();
        let Some(current) = self.current() else {
            return format!(
                "{user}: nothing is stored in state-log and session-state: the next click is a new user's\n"
            );
        };
        let phase = current.phase().word();
        let _ = match (&self.in_log, self.bucket) {
            (Some(InLog { commit, commits_since, .. }), Some((bucket, buckets))) => writeln!(
                text,
                "{user}: {phase}, in the log of bucket {bucket} (of {buckets}), commit {commit}, {commits_since} commits ago"
            ),
            (_, Some((bucket, buckets))) => {
                writeln!(text, "{user}: {phase}; bucket {bucket} (of {buckets}) has no entry")
            }
            _ => writeln!(text, "{user}: {phase}; no log was begun"),
        };
        let entry = &current.entry;
        if entry.is_forgotten() {
            let _ = writeln!(
                text,
                "forgotten at {} UTC: the next click is a new user's; the log lets go of this after about an hour",
                utc(entry.arrival_ms)
            );
        } else {
            self.write_sessions(&mut text, entry, timing);
        }
        if let Some(AtRest { entry, commit, .. }) = &self.at_rest {
            let last = entry.window.last_ordinal().unwrap_or_default();
            let counts = if self.in_log.is_some() { "older than the log, which counts" } else { "this is what counts" };
            let _ = writeln!(
                text,
                "item of session-state: of commit {commit}, last session {user}_{last}, last seen {} UTC; {counts}",
                utc(entry.window.last().map_or(0, |session| session.end.ms()))
            );
        } else {
            text.push_str("item of session-state: none\n");
        }
        let Timing { rule: WindowRule { gap, lateness_ms, cut }, grace_ms } = timing;
        let cut = match cut {
            SessionCut::None => "none".to_owned(),
            SessionCut::Daily { offset_ms } => {
                format!("daily, SESSION_CUT_OFFSET_MINUTES={}", offset_ms / 60_000)
            }
        };
        let _ = writeln!(
            text,
            "assumed: SESSION_GAP_SECONDS={}, ALLOWED_LATENESS_SECONDS={}, CLOSE_GRACE_SECONDS={}, SESSION_CUT={cut}",
            gap.ms() / 1_000,
            lateness_ms / 1_000,
            grace_ms / 1_000
        );
        text
    }

    fn write_sessions(&self, text: &mut String, entry: &UserEntry, timing: Timing) {
        let user = escaped(self.user_id.as_str());
        let window = &entry.window;
        let _ = writeln!(text, "last click that was not late: arrived at {} UTC", utc(entry.arrival_ms));
        let _ = match told_inactive_ms(entry, timing) {
            Some(ms) => writeln!(text, "told inactive: at {} UTC, if no click arrives before", utc(ms)),
            None => writeln!(text, "told inactive: yes; a click that continues the last session reopens it"),
        };
        let _ = writeln!(text, "sessions that late clicks can still change: {}", window.sessions.len());
        for (ordinal, session) in (window.first_ordinal..).zip(&window.sessions) {
            let Session { start, end, event_count, .. } = session;
            let is_last = Some(ordinal) == window.last_ordinal();
            let status = if is_last && !window.told_closed { "open" } else { "closed" };
            let clicks = if *event_count == 1 { "click" } else { "clicks" };
            let _ = writeln!(
                text,
                "  {user}_{ordinal}  {} to {}, {event_count} {clicks}, {status}; until the user clicks at {} or later",
                start.to_utc_text(),
                end.to_utc_text(),
                utc(fixed_from_ms(session, timing))
            );
            for (aggregate, column) in self.columns_of(session) {
                let value = column
                    .value
                    .and_then(|value| serde_json::to_string(&value).ok())
                    .unwrap_or_else(|| "none".to_owned());
                let partial = if column.is_partial { ", of the clicks since it was declared" } else { "" };
                let _ = writeln!(text, "    {} = {}{partial}", escaped(aggregate), escaped(&value));
            }
        }
        if let Some(ms) = counts_from_ms(&self.user_id, entry, timing) {
            let _ = writeln!(text, "clicks before {} UTC are late and change nothing", utc(ms));
        }
    }

    fn json(&self, timing: Timing) -> Value {
        let current = self.current();
        let window = current.as_ref().map(|current| &current.entry.window);
        let columns = |session: &Session| {
            let column = |(aggregate, column): (&str, PublishedColumn)| json!({"aggregate": aggregate, "value": column.value, "partial": column.is_partial});
            self.columns_of(session).map(column).collect::<Vec<_>>()
        };
        let sessions = window.map(|window| {
            let session = |(ordinal, session): (u64, &Session)| {
                json!({
                    "session_id": format!("{}_{ordinal}", self.user_id),
                    "session_timestamp": session.start.ms(),
                    "session_end": session.end.ms(),
                    "event_count": session.event_count,
                    "columns": columns(session),
                    "told_closed": Some(ordinal) != window.last_ordinal() || window.told_closed,
                    "fixed_once_user_clicks_at": fixed_from_ms(session, timing),
                })
            };
            (window.first_ordinal..).zip(&window.sessions).map(session).collect::<Vec<_>>()
        });
        let entry = current.as_ref().map(|current| &current.entry);
        json!({
            "user_id": self.user_id.as_str(),
            "phase": current.as_ref().map_or("unknown", |current| current.phase().word()),
            "bucket": self.bucket.map(|(bucket, _)| bucket),
            "commit": self.in_log.as_ref().map(|it| it.commit),
            "last_arrival": entry.map(|entry| entry.arrival_ms),
            "told_inactive_at": entry.and_then(|entry| told_inactive_ms(entry, timing)),
            "late_before": entry.and_then(|entry| counts_from_ms(&self.user_id, entry, timing)),
            "sessions": sessions.unwrap_or_default(),
            "item": self.at_rest.as_ref().map(|AtRest { entry, commit, .. }| json!({
                "commit": commit,
                "ordinal": entry.window.last_ordinal(),
                "last_seen": entry.window.last().map(|session| session.end.ms()),
            })),
        })
    }
}

impl InLog {
    fn of(memory: &BucketMemory, columns: &SessionColumns, user_id: &UserId) -> Option<Self> {
        let entry = memory.user(user_id)?.clone();
        let key = LogKey::User(user_id.clone());
        let commit = memory.log().oldest_first().find(|oldest| oldest.live().any(|(live, _)| *live == key))?.number;
        let commits_since = memory.log().head().unwrap_or(commit).saturating_sub(commit);
        Some(Self { entry, columns: columns.clone(), commit, commits_since })
    }
}

impl AtRest {
    async fn read(client: &Client, table: &str, user_id: &UserId) -> Result<Option<Self>, OpsError> {
        const KEY: &str = "user_id";

        let key = AttributeValue::S(user_id.as_str().to_owned());
        let answer = client.get_item().table_name(table).key(KEY, key).consistent_read(true).send().await;
        let answer = answer.map_err(|error| OpsError::of_table(table)(CallError::of("GetItem", &error)))?;
        let Some(item) = answer.item else { return Ok(None) };
        let decoded = rest_table::columns_in(&item)
            .and_then(|columns| Ok(Self { entry: rest_table::decode(&item, &columns)?, columns, commit: 0 }));
        let decoded = decoded.map_err(|error| not_ours(table, &[KEY], &item, &reason_of(&error)))?;
        let commit = item.get("commit").and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default(); // decoded
        Ok(Some(Self { commit, ..decoded }))
    }
}

/// When a sweep tells the user inactive if no click arrives, in Unix milliseconds; `None` if that was told.
fn told_inactive_ms(entry: &UserEntry, timing: Timing) -> Option<u64> {
    let ms = entry.arrival_ms.saturating_add(timing.rule.gap.ms()).saturating_add(timing.grace_ms);
    (!entry.window.told_closed).then_some(ms)
}

/// The event time with which a click of the user leaves `session` behind: no late click changes it from then on.
fn fixed_from_ms(session: &Session, timing: Timing) -> u64 {
    timing.rule.until_ms(session.end).saturating_add(timing.rule.lateness_ms)
}

/// The first event time of a click of the user that is not late; `None` for a user without sessions.
///
/// Found by asking the rule about clicks in front of the first session: the later one is, the less late.
fn counts_from_ms(user_id: &UserId, entry: &UserEntry, timing: Timing) -> Option<u64> {
    let is_late = |ms| {
        let Some(time) = EventTime::from_ms(ms) else { return false };
        let click = Click {
            user_id: user_id.clone(),
            time,
            attributes: Attributes::default(),
            columns: ColumnValues::default(),
        };
        WindowDraft::on(entry.window.clone()).apply(&click, timing.rule) == Placement::Late
    };
    let (mut late, mut on_time) = (0, entry.window.sessions.first()?.start.ms());
    while late < on_time {
        let middle = late.midpoint(on_time);
        if is_late(middle) { late = middle + 1 } else { on_time = middle }
    }
    Some(on_time)
}

#[cfg(test)]
#[path = "user_state_tests.rs"]
mod tests;
