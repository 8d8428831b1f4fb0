//! Whole tables, compared with what they must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sessionizer_fn::state::UserState;
use shared::boundary::{Boundary, Version};
use shared::user_id::UserId;

use crate::chaos::expected::Expected;

/// What a run has left behind.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The sessions table, without tombstones.
    pub sessions: Vec<Boundary>,
    /// The state of each user.
    pub states: BTreeMap<UserId, UserState>,
    /// Every boundary in session-stream.
    pub published: Vec<Boundary>,
    /// The bytes of each rejected record.
    pub rejected: Vec<Vec<u8>>,
}

/// The first difference, for a person.
///
/// # Errors
/// What differs, with what was expected and what was found.
pub fn compare(expected: &Expected, rejected: &[Vec<u8>], found: &Found) -> Result<(), String> {
    let without_version = |session: &Boundary| Boundary { version: Version::NONE, ..session.clone() };
    let sessions = found.sessions.iter().map(|session| (session.session_id.clone(), without_version(session)));
    same("session", &expected.sessions, &sessions.collect())?;

    let current = expected.users.iter().map(|(user, sessions)| (user, (sessions.ordinal, &sessions.current)));
    let states = found.states.iter().map(|(user, state)| (user, (state.sessions.ordinal, &state.sessions.current)));
    same("state of", &current.collect(), &states.collect())?;

    same("rejected record", &counted(rejected), &counted(&found.rejected))?;
    only_what_was_committed(found)
}

/// A boundary's version is that of the commit which made it: none may be newer than its user's state, and those with
/// the same session and version are one and the same. The newest one of a session is what the table holds.
fn only_what_was_committed(found: &Found) -> Result<(), String> {
    let mut distinct: BTreeMap<(&str, u64), &Boundary> = BTreeMap::new();
    for boundary in &found.published {
        let committed = found.states.get(&boundary.user_id).map(|state| state.version);
        if committed < Some(boundary.version) {
            return Err(format!("published, but never committed: {boundary:?}; the state's version is {committed:?}"));
        }
        let known = distinct.entry((&boundary.session_id, boundary.version.number())).or_insert(boundary);
        if *known != boundary {
            return Err(format!("published twice under one version, but not the same: {known:?} and {boundary:?}"));
        }
    }
    let newest: BTreeMap<_, _> =
        distinct.into_iter().map(|((session_id, _), boundary)| (session_id, boundary)).collect();
    let is_stored =
        |session: &&Boundary| newest.get(session.session_id.as_str()).is_some_and(|newest| newest == session);
    match found.sessions.iter().find(|session| !is_stored(session)) {
        Some(session) => Err(format!("stored is not what was published last: {session:?}")),
        None => Ok(()),
    }
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
