//! How boundaries and tables are shown to a person.
//!
//! What comes from clicks may be any text: it is shown with its control characters escaped, so that none can move the
//! cursor, clear the screen or look like a line of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use sessionizer_fn::state::UserState;
use shared::boundary::Boundary;
use shared::event_time::EventTime;
use shared::session_rule::Status;
use shared::user_id::UserId;

use crate::export::RejectedRow;

/// `text` with its control characters escaped.
fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        let escaped = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        Cow::Owned(text.chars().map(escaped).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// A record of session-stream as a line.
#[must_use]
pub fn boundary_line(data: &[u8]) -> String {
    let boundary = match Boundary::decode(data) {
        Ok(boundary) => boundary,
        Err(rejection) => return format!("not a boundary: {}", rejection.message),
    };
    let (session_id, session_time) = (plain(&boundary.session_id), plain(&boundary.session_time));
    let event = plain(boundary.attributes.event_name.as_deref().unwrap_or("a click"));
    let device = plain(boundary.attributes.device_type.as_deref().unwrap_or("some device"));
    match boundary.status {
        Some(Status::Closed { end, event_count }) => {
            let seconds = end.ms_since(boundary.session_timestamp) / 1_000;
            format!("  {session_id:<9} closed   {event_count} clicks in {seconds} s")
        }
        Some(Status::Retracted) => format!("  {session_id:<9} merged into the session before it"),
        _ => format!("  {session_id:<9} started  {session_time}  {event} on {device}"),
    }
}

/// The sessions table, a line for each of `sessions`.
#[must_use]
pub fn sessions_table(sessions: &[Boundary]) -> String {
    let mut table = format!(
        "  {:<10} {:<20} {:<7} {:>8} {:>7}  first event\n",
        "session", "start (UTC)", "status", "length", "clicks"
    );
    for session in sessions {
        let (length, clicks) = match session.status {
            Some(Status::Closed { end, event_count }) => {
                (format!("{} s", end.ms_since(session.session_timestamp) / 1_000), event_count.to_string())
            }
            _ => (String::new(), String::new()),
        };
        let (id, time) = (plain(&session.session_id), plain(&session.session_time));
        let status = session.status.map_or("", Status::word);
        let event = plain(session.attributes.event_name.as_deref().unwrap_or(""));
        let _ = writeln!(table, "  {id:<10} {time:<20} {status:<7} {length:>8} {clicks:>7}  {event}"); // cannot fail
    }
    table
}

/// The state table, a line for each user.
#[must_use]
pub fn states_table(states: &BTreeMap<UserId, UserState>) -> String {
    let mut table = format!(
        "  {:<10} {:<10} {:<20} {:<20} {:>7} {:>7}\n",
        "user", "session", "start (UTC)", "last seen", "clicks", "shards"
    );
    for (user, state) in states {
        let user = plain(user.as_str());
        let session = format!("{user}_{}", state.sessions.ordinal);
        let current = &state.sessions.current;
        let [start, end] = [current.start, current.end].map(EventTime::to_utc_text);
        let (clicks, shards) = (current.event_count, state.cursors.len());
        let _ = writeln!(table, "  {:<10} {session:<10} {start:<20} {end:<20} {clicks:>7} {shards:>7}", user);
    }
    table
}

/// The table of rejected records, a line for each.
#[must_use]
pub fn rejected_table(rejected: &[RejectedRow]) -> String {
    let mut table = format!("  {:<30} {:>8}  message\n", "reason", "bytes");
    for row in rejected {
        let _ = writeln!(table, "  {:<30} {:>8}  {}", row.reason, row.data_length, row.message); // cannot fail
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_clicks_are_escaped_and_other_texts_stay_as_they_are() {
        let boundary = r#"{"user_id":"u","session_timestamp":0,"session_time":"1970-01-01 00:00:00","session_id":"u_0","event_type":null,"device_type":"téléphone","event_name":"\u001b[2J\n","status":"open","version":1}"#;
        let line = boundary_line(boundary.as_bytes());
        assert_eq!(line, r"  u_0       started  1970-01-01 00:00:00  \u{1b}[2J\n on téléphone");
    }
}
