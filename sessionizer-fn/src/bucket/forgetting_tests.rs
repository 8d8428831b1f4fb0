//! Tests of [`super`].

use shared::boundary::Version;

use super::*;
use crate::state_log_entry::{Origin, ShardKey};
use crate::state_log_samples::{NOW_MS, shard, typical_cursor, typical_user, user};

/// A ring of ten slots.
fn ring() -> Ring {
    Ring::new(10, 1)
}

/// A bucket with one commit that holds `entries`.
fn memory(entries: Vec<(LogKey, LogValue)>) -> BucketMemory {
    let mut memory = BucketMemory::empty();
    memory.take_in(LogCommit { number: 1, tail: 1, version: Version::new(NOW_MS), made_ms: NOW_MS, entries }).unwrap();
    memory
}

fn in_log(name: &str) -> (LogKey, LogValue) {
    (LogKey::User(user(name)), LogValue::User(typical_user(9_000)))
}

fn forgotten(name: &str) -> (LogKey, LogValue) {
    (LogKey::User(user(name)), LogValue::User(UserEntry::forgotten(NOW_MS)))
}

/// The entries of the next commit that forgets `name`; none if there is no such commit.
fn entries(memory: &BucketMemory, name: &str, is_at_rest: bool) -> Vec<(LogKey, LogValue)> {
    match next_step(memory, ring(), &user(name), is_at_rest, NOW_MS) {
        Step::Commit(commit) => commit.entries,
        Step::Done => Vec::new(),
        Step::LogIsFull => panic!("the log has room"),
    }
}

#[test]
fn user_of_whom_anything_counts_is_superseded_by_an_entry_without_sessions() {
    assert_eq!(entries(&memory(vec![in_log("u")]), "u", false), [forgotten("u")]);
    assert_eq!(entries(&memory(vec![in_log("v")]), "u", true), [forgotten("u")], "at rest");
    assert_eq!(entries(&memory(vec![in_log("v")]), "u", false), [], "unknown");
    assert_eq!(entries(&memory(vec![forgotten("u")]), "u", true), [], "forgotten before");
}

#[test]
fn commit_follows_the_log_and_grows_its_version() {
    let memory = memory(vec![in_log("u")]);
    let Step::Commit(commit) = next_step(&memory, ring(), &user("u"), false, NOW_MS - 5) else { panic!("no commit") };
    assert_eq!((commit.number, commit.tail, commit.version), (2, 2, Version::new(NOW_MS + 1)));
}

#[test]
fn boundaries_of_the_user_are_dropped_from_outboxes_and_the_others_stay() {
    let cursor = typical_cursor(7, 1, 3); // users 0 to 2, a boundary each
    let swept = typical_cursor(8, 1, 2).outbox;
    let other = typical_cursor(9, 1, 0);
    let memory = memory(vec![
        (shard("s/0"), LogValue::Cursor(cursor.clone())),
        (LogKey::Origin(Origin::Sweep), LogValue::Swept(swept.clone())),
        (shard("s/1"), LogValue::Cursor(other)),
    ]);
    let name = "user000001";
    assert_eq!(waiting_ordinals(&memory, &user(name)).collect::<Vec<_>>(), [4, 4]);
    let left = |outbox: &Outbox| {
        let entries = outbox.entries.iter().filter(|entry| entry.user_id != user(name)).cloned().collect();
        Outbox { entries, ..outbox.clone() }
    };
    let expected = [
        (shard("s/0"), LogValue::Cursor(Cursor { outbox: left(&cursor.outbox), ..cursor.clone() })),
        (LogKey::Origin(Origin::Sweep), LogValue::Swept(left(&swept))),
    ];
    assert_eq!(entries(&memory, name, false), expected);
}

#[test]
fn outboxes_that_do_not_fit_together_are_rewritten_one_after_the_other() {
    let full = || LogValue::Cursor(typical_cursor(7, 1, 3_000)); // more than half of what fits
    let mut memory = memory(vec![in_log("user000001"), (shard("s/0"), full()), (shard("s/1"), full())]);
    let mut commits = Vec::new();
    while let Step::Commit(commit) = next_step(&memory, ring(), &user("user000001"), false, NOW_MS) {
        commits.push(commit.entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
        memory.take_in(commit).unwrap();
    }
    assert_eq!(commits, [vec![forgotten("user000001").0, shard("s/0")], vec![shard("s/1")]]);
    assert!(memory.cursor(&ShardKey::new("s/0")).unwrap().outbox.entries.len() == 2_999);
}

/// A full ring: after the first commit, which holds `entries`, nine that hold user u.
fn full_ring(entries: Vec<(LogKey, LogValue)>) -> BucketMemory {
    let mut memory = memory(entries);
    for number in 2..=10 {
        let version = Version::new(NOW_MS + number);
        memory.take_in(LogCommit { number, tail: 1, version, made_ms: NOW_MS, entries: vec![in_log("u")] }).unwrap();
    }
    memory
}

#[test]
fn commit_repeats_what_it_would_overwrite() {
    let cursor = || (shard("s/0"), LogValue::Cursor(typical_cursor(7, 1, 0)));
    let memory = full_ring(vec![in_log("v"), cursor()]);
    let Step::Commit(commit) = next_step(&memory, ring(), &user("u"), false, NOW_MS) else { panic!("no commit") };
    assert_eq!((commit.number, commit.tail), (11, 11));
    assert_eq!(commit.entries, [forgotten("u"), in_log("v"), cursor()]);
}

#[test]
fn commit_waits_while_it_would_overwrite_more_than_it_can_repeat() {
    let cursor = |number: u64| (shard(&format!("s/{number}")), LogValue::Cursor(typical_cursor(7, 1, 3_000)));
    let memory = full_ring(vec![cursor(0), cursor(1)]);
    assert_eq!(next_step(&memory, ring(), &user("u"), false, NOW_MS), Step::LogIsFull);
}
