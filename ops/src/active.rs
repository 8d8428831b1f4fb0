//! Who has a session under way: read from the logs, one bucket after the other.

use std::io::Write;

use serde_json::json;
use sessionizer_fn::state_log_entry::UserEntry;
use shared::user_id::UserId;

use crate::error::OpsError;
use crate::output::Output;
use crate::state_logs::StateLogs;
use crate::text_table::escaped;

/// How many users have a session under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Active {
    /// All of them.
    pub users: u64,
    /// Those with enough clicks, who were shown.
    pub shown: u64,
}

/// Shows each user with a session under way that has at least `min_clicks` clicks, bucket by bucket, the session that
/// started first first. Calls `on_bucket` before it reads each.
///
/// Holds one bucket's log at a time.
///
/// # Errors
/// If a log cannot be read.
pub async fn show<W: Write>(
    logs: &StateLogs<'_>,
    min_clicks: u64,
    output: &mut Output<W>,
    mut on_bucket: impl FnMut(u32),
) -> Result<Active, OpsError> {
    let mut active = Active::default();
    output.text(HEAD)?;
    for bucket in logs.buckets() {
        on_bucket(bucket);
        let memory = logs.load(bucket).await?;
        let under_way = memory.users().filter(|(_, entry)| !entry.window.told_closed);
        let mut rows: Vec<_> = under_way.filter_map(|(user_id, entry)| Row::of(user_id, entry)).collect();
        active.users += rows.len() as u64;
        rows.retain(|row| row.clicks >= min_clicks);
        rows.sort_unstable_by_key(|row| (row.since, row.user_id));
        active.shown += rows.len() as u64;
        for row in rows {
            row.write(output)?;
        }
    }
    Ok(active)
}

/// Columns of fixed width, so that rows can be written bucket by bucket.
const HEAD: &str = "  since (UTC)          last click             clicks  session\n";

struct Row<'a> {
    user_id: &'a UserId,
    ordinal: u64,
    since: shared::event_time::EventTime,
    last: shared::event_time::EventTime,
    clicks: u64,
    arrival_ms: u64,
}

impl<'a> Row<'a> {
    fn of(user_id: &'a UserId, entry: &UserEntry) -> Option<Self> {
        let session = entry.window.last()?;
        Some(Self {
            user_id,
            ordinal: entry.window.last_ordinal()?,
            since: session.start,
            last: session.end,
            clicks: session.event_count,
            arrival_ms: entry.arrival_ms,
        })
    }

    fn write<W: Write>(&self, output: &mut Output<W>) -> Result<(), OpsError> {
        let Self { user_id, ordinal, since, last, clicks, arrival_ms } = self;
        let session_id = format!("{user_id}_{ordinal}");
        output.text(&format!(
            "  {}  {}  {clicks:>8}  {}\n",
            since.to_utc_text(),
            last.to_utc_text(),
            escaped(&session_id)
        ))?;
        output.object(&json!({
            "user_id": user_id.as_str(),
            "session_id": session_id,
            "session_timestamp": since.ms(),
            "last_click": last.ms(),
            "last_arrival": arrival_ms,
            "event_count": clicks,
        }))
    }
}
