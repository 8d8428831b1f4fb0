//! Sessions as a picture: a lane for each user, a bar for each session.

mod svg;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use aws_sdk_dynamodb::Client;
use serde_json::{Map, Value};
use shared::boundary::Boundary;
use shared::session::Status;
use shared::user_id::UserId;

use crate::error::OpsError;
use crate::stored::session;
use crate::user_sessions::Pages;

/// Most sessions of a picture: more would not be told apart on a screen.
pub const MAX_SESSIONS: usize = 2_000;

/// Most users of a picture, each a lane.
pub const MAX_USERS: usize = 100;

/// Largest file of sessions, in bytes: what a hundred users may have several times over.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The sessions to draw.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// The newest version of each, by user and ordinal. Retracted ones are kept, because an older version may follow.
    users: BTreeMap<UserId, BTreeMap<u64, Boundary>>,
}

impl Timeline {
    /// The sessions of `user_id` in the table called `table`, without tombstones.
    ///
    /// # Errors
    /// If the table cannot be read or contains an item of the user that is not a session, or there are more than
    /// [`MAX_SESSIONS`].
    pub async fn of_user(client: &Client, table: &str, user_id: &UserId) -> Result<Self, OpsError> {
        let mut timeline = Self::default();
        let mut pages = Pages::new(client, table, user_id, None);
        while let Some(items) = pages.next().await? {
            for item in &items {
                timeline.add(session(table, item)?)?;
            }
        }
        Ok(timeline)
    }

    /// The sessions in the file at `path`: one JSON object a line, as `sessionctl sessions --json`, `sessionctl watch
    /// --json` and `local run --sessions` write them. Of several versions of a session, the highest counts.
    ///
    /// # Errors
    /// If the file cannot be read or has more than 64 MiB, a line is not a session, or there are more than
    /// [`MAX_SESSIONS`] or [`MAX_USERS`].
    pub fn of_file(path: &Path) -> Result<Self, OpsError> {
        let unreadable = |source| OpsError::File { path: path.display().to_string(), source };
        let mut lines = BufReader::new(File::open(path).map_err(unreadable)?.take(MAX_FILE_BYTES + 1));
        let (mut timeline, mut line, mut read) = (Self::default(), Vec::new(), 0);
        for number in 1_u64.. {
            line.clear();
            let bytes = lines.read_until(b'\n', &mut line).map_err(unreadable)?;
            if bytes == 0 {
                break;
            }
            read += bytes as u64;
            let fault = |fault: String| OpsError::Line { path: path.display().to_string(), number, fault };
            if read > MAX_FILE_BYTES {
                return Err(fault(format!("the file has more than the limit of {} MiB", MAX_FILE_BYTES >> 20)));
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            timeline.add(session_of(line.trim_ascii()).map_err(fault)?)?;
        }
        Ok(timeline)
    }

    /// Whether there is nothing to draw.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes().next().is_none()
    }

    /// The picture, which needs no viewer but a browser.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::of(&self.lanes().collect::<Vec<_>>())
    }

    /// The users with sessions to draw.
    fn lanes(&self) -> impl Iterator<Item = Lane<'_>> {
        let is_drawn = |session: &&Boundary| session.status != Some(Status::Retracted);
        let lanes = self.users.iter().map(move |(user_id, sessions)| {
            let sessions: Vec<_> = sessions.values().filter(is_drawn).collect();
            (user_id, sessions)
        });
        lanes.filter(|(_, sessions)| !sessions.is_empty())
    }

    fn add(&mut self, session: Boundary) -> Result<(), OpsError> {
        let of_user = self.users.entry(session.user_id.clone()).or_default();
        if of_user.get(&session.ordinal).is_none_or(|known| known.version <= session.version) {
            of_user.insert(session.ordinal, session);
        }
        if self.users.values().map(BTreeMap::len).sum::<usize>() > MAX_SESSIONS {
            return Err(OpsError::TooManySessions { limit: MAX_SESSIONS });
        }
        if self.users.len() > MAX_USERS { Err(OpsError::TooManyUsers { limit: MAX_USERS }) } else { Ok(()) }
    }
}

/// A user and the sessions of the user's lane, in order.
type Lane<'t> = (&'t UserId, Vec<&'t Boundary>);

/// The session in a line. Exports of a table have no versions, and each session once.
fn session_of(line: &[u8]) -> Result<Boundary, String> {
    let decoded = match serde_json::from_slice::<Map<String, Value>>(line) {
        Ok(mut row) if !row.contains_key("version") => {
            row.insert("version".to_owned(), 0.into());
            Boundary::decode(Value::Object(row).to_string().as_bytes())
        }
        _ => Boundary::decode(line),
    };
    decoded.map_err(|rejection| rejection.message)
}

#[cfg(test)]
#[path = "../timeline_tests.rs"]
mod tests;
