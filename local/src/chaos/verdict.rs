//! Compares whole tables with the expected ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sessionizer_fn::state::UserState;
use shared::boundary::{Boundary, Version};
use shared::user_id::UserId;

use crate::chaos::expected::Expected;

/// The tables and the stream after a run.
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

/// Compares everything that a run stored and published with the expected result.
///
/// # Errors
/// The first difference, in words: what was expected and what was found.
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

/// A boundary has the version of its commit. So no boundary is newer than its user's state, boundaries with the same
/// session and version are identical, and the table contains the newest boundary of each session.
fn only_what_was_committed(found: &Found) -> Result<(), String> {
    let mut distinct: BTreeMap<(&str, u64), &Boundary> = BTreeMap::new();
    for boundary in &found.published {
        let committed = found.states.get(&boundary.user_id).map(|state| state.version);
        if committed < Some(boundary.version) {
            return Err(format!("published but never committed: {boundary:?}; the state's version is {committed:?}"));
        }
        let known = distinct.entry((&boundary.session_id, boundary.version.number())).or_insert(boundary);
        if *known != boundary {
            return Err(format!("two different boundaries with one version: {known:?} and {boundary:?}"));
        }
    }
    let newest: BTreeMap<_, _> =
        distinct.into_iter().map(|((session_id, _), boundary)| (session_id, boundary)).collect();
    let is_stored =
        |session: &&Boundary| newest.get(session.session_id.as_str()).is_some_and(|newest| newest == session);
    match found.sessions.iter().find(|session| !is_stored(session)) {
        Some(session) => Err(format!("the stored session is not the newest published one: {session:?}")),
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
