//! Compares whole tables with the expected ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ops::users::StoredUser;
use shared::boundary::{Boundary, Version};
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use crate::chaos::expected::Expected;
use crate::chaos::replay::Replayed;

/// The tables and the stream after a run.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The sessions table, without tombstones.
    pub sessions: Vec<Boundary>,
    /// The state of each user.
    pub states: BTreeMap<UserId, StoredUser>,
    /// Every boundary in session-stream.
    pub published: Vec<Boundary>,
    /// The bytes of each rejected record.
    pub rejected: Vec<Vec<u8>>,
}

impl Found {
    /// Leaves out the sessions and states of these users.
    pub fn leave_out(&mut self, users: &BTreeSet<UserId>) {
        self.sessions.retain(|session| !users.contains(&session.user_id));
        self.states.retain(|user_id, _| !users.contains(user_id));
    }
}

/// Compares sessions and states with the expected result, whichever commits led there. The boundaries'
/// versions are not compared.
///
/// # Errors
/// The first difference, in words: what was expected and what was found.
pub fn compare(expected: &Expected, found: &Found) -> Result<(), String> {
    let without_version = |session: &Boundary| Boundary { version: Version::NONE, ..session.clone() };
    same("session", &by_id(&expected.sessions, without_version), &sessions_of(found, without_version))?;
    same("state of", &windows_of(&expected.windows), &states_of(found))
}

/// Compares the rejected records, each of which is stored once.
///
/// # Errors
/// As [`compare`].
pub fn compare_rejected(rejected: &[Vec<u8>], found: &Found) -> Result<(), String> {
    same("rejected record", &counted(rejected), &counted(&found.rejected))
}

/// Compares everything that a run stored and published with what its commits must have led to, versions included: all
/// of their outboxes were published, and nothing else; of users who were forgotten perhaps less of what was committed
/// before.
///
/// # Errors
/// As [`compare`].
pub fn compare_with_commits(replayed: &Replayed, found: &Found) -> Result<(), String> {
    same("session", &by_id(&replayed.expected.sessions, Clone::clone), &sessions_of(found, Clone::clone))?;
    compare_states_and_stream(replayed, found)
}

/// The same without the sessions table.
///
/// # Errors
/// As [`compare`].
pub fn compare_states_and_stream(replayed: &Replayed, found: &Found) -> Result<(), String> {
    same("state of", &windows_of(&replayed.expected.windows), &states_of(found))?;
    let mut published = by_version(&found.published)?;
    for (version, boundary) in by_version(&replayed.superseded)? {
        if published.remove(&version).is_some_and(|it| it != boundary) {
            return Err(format!("published of a user who was forgotten later: not {boundary:?}"));
        }
    }
    same("boundary", &by_version(&replayed.committed)?, &published)
}

/// Boundaries with the same session and version are the same.
fn by_version(boundaries: &[Boundary]) -> Result<BTreeMap<(String, u64), &Boundary>, String> {
    let mut distinct: BTreeMap<(String, u64), &Boundary> = BTreeMap::new();
    for boundary in boundaries {
        let known = distinct.entry((boundary.session_id(), boundary.version.number())).or_insert(boundary);
        if *known != boundary {
            return Err(format!("two different boundaries with one version: {known:?} and {boundary:?}"));
        }
    }
    Ok(distinct)
}

fn by_id(sessions: &BTreeMap<String, Boundary>, shown: impl Fn(&Boundary) -> Boundary) -> BTreeMap<String, Boundary> {
    sessions.iter().map(|(id, session)| (id.clone(), shown(session))).collect()
}

fn sessions_of(found: &Found, shown: impl Fn(&Boundary) -> Boundary) -> BTreeMap<String, Boundary> {
    found.sessions.iter().map(|session| (session.session_id(), shown(session))).collect()
}

fn windows_of(windows: &BTreeMap<UserId, SessionWindow>) -> BTreeMap<&UserId, &SessionWindow> {
    windows.iter().filter(|(_, window)| has_sessions(window)).collect()
}

fn states_of(found: &Found) -> BTreeMap<&UserId, &SessionWindow> {
    let windows = found.states.iter().map(|(user_id, stored)| (user_id, &stored.entry.window));
    windows.filter(|(_, window)| has_sessions(window)).collect()
}

/// A user without sessions was forgotten, which the log keeps for an hour.
fn has_sessions(window: &SessionWindow) -> bool {
    !window.sessions.is_empty()
}

fn counted(records: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records {
        *counts.entry(String::from_utf8_lossy(record).into_owned()).or_default() += 1;
    }
    counts
}

fn same<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
) -> Result<(), String> {
    let keys: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differs = |key: &&&K| expected.get(key) != found.get(key);
    match keys.iter().find(differs) {
        None => Ok(()),
        Some(key) => {
            Err(format!("{what} {key:?}:\n  expected {:?}\n  found    {:?}", expected.get(key), found.get(key)))
        }
    }
}
