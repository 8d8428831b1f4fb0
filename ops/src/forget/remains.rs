//! What is left of a forgotten user, where, and until when.

use std::fmt;

use serde_json::{Value, json};

use super::{Forget, Found, Removed};
use crate::target::DescribedStream;
use crate::text_table::escaped;
use crate::time_text::utc;

const HOUR_MS: u64 = 3_600_000;

/// Longest time that point-in-time recovery goes back, in days. Source: DynamoDB's documentation.
const RECOVERY_DAYS: u64 = 35;

/// Something that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Where: a table, a stream, or everything.
    pub place: String,
    /// What.
    pub what: String,
    /// Until when, in Unix milliseconds, if that is a time.
    pub until_ms: Option<u64>,
    /// Until when, in words.
    pub until: String,
}

impl Remains {
    fn until(place: &str, what: impl Into<String>, until_ms: u64, note: &str) -> Self {
        let until = format!("until {} UTC{note}", utc(until_ms));
        Self { place: place.to_owned(), what: what.into(), until_ms: Some(until_ms), until }
    }

    /// As a JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "place": self.place, "what": self.what, "until_ms": self.until_ms, "until": self.until })
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, {}", escaped(&self.place), self.what, self.until)
    }
}

/// What is left once the user was forgotten at `now_ms`, with rings of `slots` slots and these streams: that of
/// boundaries, and that of clicks if it could be described.
#[must_use]
pub fn remains(
    forget: &Forget<'_>,
    found: &Found,
    removed: &Removed,
    slots: Option<u64>,
    streams: &[DescribedStream],
    now_ms: u64,
) -> Vec<Remains> {
    let tables = forget.tables;
    let mut remains = Vec::new();
    if let (Some(head), Some(slots)) = (removed.head, slots) {
        // The commit before the one that superseded the user is the last that may hold an entry.
        let last = head.saturating_add(slots);
        remains.push(Remains {
            place: tables.state_log.clone(),
            what: "the user's entries in older commits, which nothing reads any more".to_owned(),
            until_ms: None,
            until: format!(
                "until the ring has turned once, with commit {last} of the bucket: {slots} commits from now"
            ),
        });
    }
    if removed.tombstones > 0 {
        let kept_ms = (2 * forget.stream_hours + 24) * HOUR_MS;
        let what = format!(
            "{} empty items with user id and number, so that an old boundary cannot bring a session back",
            removed.tombstones
        );
        remains.push(Remains::until(&tables.sessions, what, now_ms + kept_ms, ", then deleted by TTL"));
    }
    if removed.newer_sessions > 0 {
        remains.push(Remains {
            place: tables.sessions.clone(),
            what: format!("{} sessions of clicks that came meanwhile", removed.newer_sessions),
            until_ms: None,
            until: "until the user is forgotten again".to_owned(),
        });
    }
    let unmatched = [
        (found.rejected.perhaps, "records without a readable user id and with the user's partition key"),
        (found.rejected.unreadable, "other records without a readable user id, anybody's"),
    ];
    for (count, what) in unmatched.into_iter().filter(|(count, _)| *count > 0) {
        remains.push(Remains {
            place: tables.rejected.clone(),
            what: format!("{count} {what}"),
            until_ms: None,
            until: "until their retention is over".to_owned(),
        });
    }
    for stream in streams {
        let until_ms = now_ms + stream.retention_hours * HOUR_MS;
        remains.push(Remains::until(&stream.name, "the user's records", until_ms, ""));
    }
    let what =
        "what was stored before, in point-in-time recovery, if it is on; in other backups, as long as they are kept";
    remains.push(Remains::until("backups of all tables", what, now_ms + RECOVERY_DAYS * 24 * HOUR_MS, ""));
    remains
}
