//! Tests of [`super`].

use shared::boundary::Version;

use super::*;
use crate::state_log_entry::UserEntry;
use crate::state_log_samples::{NOW_MS, typical_cursor, typical_user, user};

fn commit(number: u64, tail: u64, entries: Vec<(LogKey, LogValue)>) -> LogCommit {
    LogCommit { number, tail, version: Version::new(number), made_ms: NOW_MS, entries }
}

fn user_entry(name: &str, arrival_ms: u64, told_closed: bool) -> (LogKey, LogValue) {
    let mut entry = UserEntry { arrival_ms, ..typical_user(9_000) };
    entry.window.told_closed = told_closed;
    (LogKey::User(user(name)), LogValue::User(entry))
}

fn origin(name: &str) -> Origin {
    Origin::Shard(ShardKey::new(name))
}

fn cursor_entry(shard: &str, commit: u64, boundaries: usize) -> (LogKey, LogValue) {
    (LogKey::Origin(origin(shard)), LogValue::Cursor(typical_cursor(7, commit, boundaries)))
}

fn memory(commits: Vec<LogCommit>) -> BucketMemory {
    let mut memory = BucketMemory::empty();
    commits.into_iter().for_each(|commit| memory.take_in(commit).unwrap());
    memory
}

/// A bucket's memory of about this many bytes.
pub(crate) fn of_bytes(bytes: usize) -> BucketMemory {
    let mut memory = BucketMemory::empty();
    for number in 1.. {
        if memory.memory_bytes() >= bytes {
            break;
        }
        memory.take_in(commit(number, 1, vec![user_entry(&format!("user{number}"), NOW_MS, false)])).unwrap();
    }
    memory
}

fn inactive(memory: &BucketMemory, since_ms: u64) -> Vec<&str> {
    memory.inactive_since(since_ms).map(|(user_id, _)| user_id.as_str()).collect()
}

#[test]
fn inactive_users_are_found_by_their_last_arrival_the_longest_inactive_first() {
    let memory = memory(vec![
        commit(1, 1, vec![user_entry("a", 300, false), user_entry("b", 100, false), user_entry("c", 200, true)]),
        commit(2, 1, vec![user_entry("d", 150, false), user_entry("b", 250, false)]),
    ]);
    assert_eq!(inactive(&memory, 300), ["d", "b", "a"]);
    assert_eq!(inactive(&memory, 249), ["d"]);
    assert_eq!(memory.gauges().hot_users, 3);
}

#[test]
fn users_told_closed_and_users_behind_the_tail_are_not_under_way() {
    let memory = memory(vec![
        commit(1, 1, vec![user_entry("a", 100, false), user_entry("b", 100, false)]),
        commit(2, 1, vec![user_entry("a", 100, true)]),
        commit(3, 2, vec![]),
    ]);
    assert_eq!(inactive(&memory, 1_000), Vec::<&str>::new());
    assert!(memory.user(&user("a")).is_some());
    assert!(memory.user(&user("b")).is_none());
}

#[test]
fn cursors_are_listed_until_the_tail_passes_them() {
    let mut memory = memory(vec![
        commit(1, 1, vec![cursor_entry("s", 1, 1)]),
        commit(2, 1, vec![cursor_entry("t", 2, 1)]),
        commit(3, 1, vec![cursor_entry("s", 3, 0)]),
    ]);
    let names = |memory: &BucketMemory| -> Vec<String> { memory.cursors().map(|(key, _)| key.to_string()).collect() };
    assert_eq!(names(&memory), ["s", "t"]);
    memory.take_in(commit(4, 3, vec![])).unwrap();
    assert_eq!(names(&memory), ["s"]);
}

#[test]
fn outbox_is_unpublished_until_that_very_commits_publication_is_noted() {
    let mut memory = memory(vec![commit(1, 1, vec![cursor_entry("s", 1, 2)])]);
    assert_eq!(memory.unpublished(&origin("s")).unwrap().commit, 1);
    memory.note_published(origin("s"), 1);
    assert!(memory.unpublished(&origin("s")).is_none());
    memory.take_in(commit(2, 1, vec![cursor_entry("s", 2, 1)])).unwrap();
    assert_eq!(memory.unpublished(&origin("s")).unwrap().commit, 2);
}

#[test]
fn what_was_published_stays_known_when_the_log_is_loaded_anew() {
    let commits = || vec![commit(1, 1, vec![cursor_entry("s", 1, 2)])];
    let mut known = memory(commits());
    known.note_published(origin("s"), 1);
    known.replace_log(memory(commits()));
    assert!(known.unpublished(&origin("s")).is_none());
}
