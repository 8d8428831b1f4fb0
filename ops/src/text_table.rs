//! Formats the tables as text for a terminal.
//!
//! Clicks may contain any text. Control characters are escaped so that they cannot move the cursor, clear the screen or
//! fake a line of output.

use std::borrow::Cow;
use std::collections::BTreeMap;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use shared::boundary::Boundary;
use shared::event_time::EventTime;
use shared::session::Status;
use shared::user_id::UserId;

use crate::stored::StoredRejection;
use crate::users::StoredUser;

/// A column's title and the kind of its content.
type Column = (&'static str, Content);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Wrapped if necessary.
    Text,
    /// Never wrapped: a date and its hour belong on one line.
    Time,
    /// Aligned to the right.
    Number,
}

use Content::{Number, Text, Time};

/// Width of `YYYY-MM-DD hh:mm:ss` and the gap before it, in columns.
const TIME_WIDTH: u16 = 19 + GAP;

/// Spaces before each table column.
const GAP: u16 = 2;

/// `text` with its control characters escaped.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Cow::Owned(text.chars().map(escaped).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The sessions table, one row per session. Text is wrapped to `width` columns, or not at all.
#[must_use]
pub fn sessions(sessions: &[Boundary], width: Option<u16>) -> String {
    let columns = [
        ("session", Text),
        ("start (UTC)", Time),
        ("status", Text),
        ("length", Number),
        ("clicks", Number),
        ("first event", Text),
    ];
    let row = |session: &Boundary| {
        let (length, clicks) = match session.status {
            Some(Status::Closed { end, event_count }) => {
                (format!("{} s", end.ms_since(session.session_timestamp) / 1_000), event_count.to_string())
            }
            _ => (String::new(), String::new()),
        };
        let status = session.status.map_or("", Status::word).to_owned();
        let event = session.attributes.event_name.as_deref().unwrap_or_default().to_owned();
        [session.session_id(), session.session_time.to_string(), status, length, clicks, event]
    };
    drawn(columns, sessions.iter().map(row), width)
}

/// The table of users' states, one row per user with the last session. Text is wrapped to `width` columns, or not at
/// all.
#[must_use]
pub fn users(users: &BTreeMap<UserId, StoredUser>, width: Option<u16>) -> String {
    let columns = [
        ("user", Text),
        ("state", Text),
        ("last session", Text),
        ("start (UTC)", Time),
        ("last seen", Time),
        ("clicks", Number),
    ];
    let row = |(user, stored): (&UserId, &StoredUser)| {
        let window = &stored.entry.window;
        let session = window.last_ordinal().map(|ordinal| format!("{}_{ordinal}", user.as_str())).unwrap_or_default();
        let [start, end, clicks] = window.last().map_or_else(<[String; 3]>::default, |last| {
            let [start, end] = [last.start, last.end].map(EventTime::to_utc_text);
            [start, end, last.event_count.to_string()]
        });
        [user.as_str().to_owned(), stored.phase().word().to_owned(), session, start, end, clicks]
    };
    drawn(columns, users.iter().map(row), width)
}

/// The table of rejected records, one row per record. Text is wrapped to `width` columns, or not at all.
#[must_use]
pub fn rejected(records: &[StoredRejection], width: Option<u16>) -> String {
    let columns = [("reason", Text), ("bytes", Number), ("message", Text)];
    let row =
        |record: &StoredRejection| [record.reason.clone(), record.data_length.to_string(), record.message.clone()];
    drawn(columns, records.iter().map(row), width)
}

/// `rows` below the titles of `columns`. Each line is indented and ends with a newline.
fn drawn<const N: usize>(columns: [Column; N], rows: impl Iterator<Item = [String; N]>, width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(columns.map(|(title, _)| title));
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for row in rows {
        table.add_row(row.map(|text| escaped(&text).into_owned()));
    }
    for (column, (_, content)) in table.column_iter_mut().zip(columns) {
        column.set_padding((GAP, 0));
        if content == Number {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if content == Time && width.is_some() {
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(TIME_WIDTH)));
        }
    }
    format!("{}\n", table.trim_fmt())
}

#[cfg(test)]
#[path = "text_table_tests.rs"]
mod tests;
