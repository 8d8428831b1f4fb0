//! One user's sessions, in order: a Query on the sessions table.

use std::io::Write;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::call_error::CallError;
use kinesis_function::statements::Item;
use shared::boundary::Boundary;
use shared::event_time::EventTime;
use shared::session::Status;
use shared::user_id::UserId;
use sink_fn::session_item::{ORDINAL, USER_ID};

use crate::error::OpsError;
use crate::output::Output;
use crate::stored::session;
use crate::text_table;

/// Whose sessions to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Of the user with this id; or, if there are none and it has the form of a session's id, that session.
    UserOrSession(UserId),
    /// The session of this user with this ordinal.
    Session(UserId, u64),
}

impl Asked {
    /// `text` as a session's id: cut at its last `_`, it gives a user and an ordinal.
    ///
    /// # Errors
    /// If it is none.
    pub fn session(text: &str) -> Result<Self, OpsError> {
        let cut = session_of(text).map(|(user_id, ordinal)| Self::Session(user_id, ordinal));
        cut.ok_or_else(|| OpsError::NotASessionId(text.to_owned()))
    }
}

fn session_of(text: &str) -> Option<(UserId, u64)> {
    let (user, ordinal) = text.rsplit_once('_')?;
    Some((UserId::new(user).ok()?, ordinal.parse().ok()?))
}

/// Shows what was `asked` for in the table called `table`, from session start `since` on, without tombstones. Returns how
/// many sessions that are.
///
/// Holds one page, 1 MB of items, at a time.
///
/// # Errors
/// If the table cannot be read or contains an item of the user that is not a session.
pub async fn show<W: Write>(
    client: &Client,
    table: &str,
    asked: &Asked,
    since: Option<EventTime>,
    width: Option<u16>,
    output: &mut Output<W>,
) -> Result<u64, OpsError> {
    let (user_id, only) = match asked {
        Asked::UserOrSession(user_id) => (user_id, None),
        Asked::Session(user_id, ordinal) => (user_id, Some(*ordinal)),
    };
    let mut shown = 0;
    let mut seen = false;
    let mut pages = Pages::new(client, table, user_id, only);
    while let Some(items) = pages.next().await? {
        let mut sessions = items.iter().map(|item| session(table, item)).collect::<Result<Vec<_>, _>>()?;
        sessions.retain(|session| session.status != Some(Status::Retracted));
        seen |= !sessions.is_empty();
        sessions.retain(|session| since.is_none_or(|since| session.session_timestamp >= since));
        shown += sessions.len() as u64;
        write(&sessions, width, output)?;
    }
    match asked {
        Asked::UserOrSession(user_id) if !seen => match session_of(user_id.as_str()) {
            Some((user_id, ordinal)) => {
                let asked = Asked::Session(user_id, ordinal);
                Box::pin(show(client, table, &asked, since, width, output)).await
            }
            None => Ok(0),
        },
        _ => Ok(shown),
    }
}

fn write<W: Write>(sessions: &[Boundary], width: Option<u16>, output: &mut Output<W>) -> Result<(), OpsError> {
    if sessions.is_empty() {
        return Ok(());
    }
    output.text(&text_table::sessions(sessions, width))?;
    sessions.iter().try_for_each(|session| output.encoded(&session.encode()?))
}

/// A user's items of the sessions table, tombstones included, page by page in the order of their ordinals.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    client: &'a Client,
    table: &'a str,
    user_id: &'a UserId,
    only: Option<u64>,
    from: Option<Item>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    /// The items of `user_id`, or just the one with the ordinal `only`.
    pub(crate) fn new(client: &'a Client, table: &'a str, user_id: &'a UserId, only: Option<u64>) -> Self {
        Self { client, table, user_id, only, from: None, is_over: false }
    }

    /// The next page, which may be empty; `None` after the last one.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Item>>, OpsError> {
        if self.is_over {
            return Ok(None);
        }
        let query = self.client.query().table_name(self.table).consistent_read(true);
        let query = query.expression_attribute_names("#user", USER_ID);
        let query = query.expression_attribute_values(":user", AttributeValue::S(self.user_id.as_str().to_owned()));
        let query = match self.only {
            None => query.key_condition_expression("#user = :user"),
            Some(ordinal) => query
                .key_condition_expression("#user = :user AND #ordinal = :ordinal")
                .expression_attribute_names("#ordinal", ORDINAL)
                .expression_attribute_values(":ordinal", AttributeValue::N(ordinal.to_string())),
        };
        let page = query.set_exclusive_start_key(self.from.take()).send().await;
        let page = page.map_err(|error| OpsError::of_table(self.table)(CallError::of("Query", &error)))?;
        self.from = page.last_evaluated_key;
        self.is_over = self.from.is_none();
        Ok(Some(page.items.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_id_is_cut_at_its_last_underscore() {
        let session = |user: &str, ordinal| Some(Asked::Session(UserId::new(user).unwrap(), ordinal));
        assert_eq!(Asked::session("user1_12").ok(), session("user1", 12));
        assert_eq!(Asked::session("a_1_0").ok(), session("a_1", 0));
        for text in ["user1", "user1_", "_1", "user1_x", "user1_-1", "user1_99999999999999999999"] {
            assert!(Asked::session(text).is_err(), "{text}");
        }
    }
}
