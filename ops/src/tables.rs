//! Shows some sessions, users and rejected records, and roughly how many more there are.

use std::fmt::Write as _;
use std::io::Write;

use aws_sdk_dynamodb::Client;
use serde_json::{Value, json};
use shared::columns::declaration::SessionColumns;

use crate::error::OpsError;
use crate::output::Output;
use crate::stored::{self, ReadLimit};
use crate::target::DescribedTable;
use crate::text_table;
use crate::users::{self, StateTables};

/// Maximum number of items to read from a table. They are held in memory, and a rejected record has up to 392 KiB: at
/// most 400 MB.
pub const MAX_LIMIT: u32 = 1_000;

/// Default number of items to read from a table: about two screens, at most 40 MB.
pub const DEFAULT_LIMIT: u32 = 100;

/// What to show.
#[derive(Clone, Debug)]
pub struct Tables<'a> {
    /// The table of sessions.
    pub sessions: &'a DescribedTable,
    /// The table of state logs.
    pub state_log: &'a DescribedTable,
    /// The table of users at rest.
    pub states: &'a DescribedTable,
    /// The table of rejected records.
    pub rejected: &'a DescribedTable,
    /// Maximum number of sessions, users and rejected records to show.
    pub limit: u32,
    /// The terminal's width in columns. Without it, text is not wrapped.
    pub width: Option<u16>,
}

/// Shows all tables, up to the limit of each.
///
/// # Errors
/// If a table cannot be read or contains items that the functions did not write.
pub async fn show<W: Write>(client: &Client, tables: &Tables<'_>, output: &mut Output<W>) -> Result<(), OpsError> {
    let Tables { sessions, state_log, states, rejected, limit, width } = *tables;
    let limit = ReadLimit::Items(limit);
    let stored_sessions = stored::sessions(client, &sessions.name, limit).await?;
    let state_tables = StateTables { log: &state_log.name, rest: &states.name };
    let stored_users = users::users(client, state_tables, &SessionColumns::default(), limit).await?;
    let stored_rejected = stored::rejected(client, &rejected.name, limit).await?;
    // Users in the log are not counted anywhere, and most of them have an item of session-state, too.
    let both = DescribedTable { name: format!("{} and {}", state_log.name, states.name), items: states.items };
    let parts = [
        title(sessions, stored_sessions.items.len(), stored_sessions.has_more),
        text_table::sessions(&stored_sessions.items, width),
        title(&both, stored_users.items.len(), stored_users.has_more),
        text_table::users(&stored_users.items, width),
        title(rejected, stored_rejected.items.len(), stored_rejected.has_more),
        text_table::rejected(&stored_rejected.items, width),
    ];
    output.text(&parts.chunks(2).map(<[String]>::concat).collect::<Vec<_>>().join("\n"))?;
    for session in &stored_sessions.items {
        let session: Value = serde_json::from_slice(&session.encode()?)?;
        output.object(&json!({ "session": session }))?;
    }
    for (user_id, user) in &stored_users.items {
        output.object(&json!({ "user": user.json(user_id) }))?;
    }
    stored_rejected.items.iter().try_for_each(|record| output.object(&json!({ "rejected": record.json() })))
}

/// `sessions: 3`, and roughly how many items are not shown.
fn title(table: &DescribedTable, shown: usize, has_more: bool) -> String {
    let mut title = format!("{}: {shown}", text_table::escaped(&table.name));
    if has_more {
        // DynamoDB's count may be hours old. One that is too small is not shown.
        let about = table.items.checked_sub(shown as u64).filter(|more| *more > 0);
        let more = about.map_or("more".to_owned(), |more| format!("about {more} more"));
        let _ = write!(title, ", in no particular order; the table contains {more} (see --limit)"); // cannot fail
    }
    title.push('\n');
    title
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_shows_roughly_how_many_items_are_left_out() {
        let table = |items| DescribedTable { name: "sessions".to_owned(), items };
        assert_eq!(title(&table(0), 3, false), "sessions: 3\n");
        let expected = "sessions: 100, in no particular order; the table contains about 1134 more (see --limit)\n";
        assert_eq!(title(&table(1_234), 100, true), expected);
        let expected = "sessions: 100, in no particular order; the table contains more (see --limit)\n";
        assert_eq!(title(&table(100), 100, true), expected);
    }
}
