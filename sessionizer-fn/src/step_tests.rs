//! Steps over states: what is committed, what is published again, what is left for the next step.
use kinesis_function::limits::MAX_ITEM_BYTES;
use shared::click::Click;
use shared::event_time::EventTime;
use shared::limits::MAX_ATTRIBUTE_BYTES;
use shared::user_id::UserId;

use super::*;
use crate::state_item;

const RULE: Rule = Rule { gap: SessionGap::from_ms(10_000), first_session: FirstSession::Emit };
const NOW_MS: u64 = 1_721_390_500_000;

fn click_with(cursor: &str, sequence_number: u64, ms: u64, attribute_bytes: usize) -> BatchClick {
    let text = || (attribute_bytes > 0).then(|| "x".repeat(attribute_bytes).into());
    BatchClick {
        index: 0,
        cursor_key: CursorKey::new(cursor),
        sequence_number: SequenceNumber::parse(sequence_number.to_string()).expect("digits"),
        click: Click {
            user_id: UserId::new("u").expect("valid"),
            time: EventTime::from_ms(ms).expect("before 10000"),
            attributes: Attributes { event_name: text(), event_type: text(), device_type: text() },
        },
    }
}

fn click(cursor: &str, sequence_number: u64, ms: u64) -> BatchClick {
    click_with(cursor, sequence_number, ms, 0)
}

fn step(stored: Option<&UserState>, clicks: &[BatchClick]) -> NextStep {
    next_step(stored, clicks, &Published::default(), RULE, NOW_MS)
}

fn commit(stored: Option<&UserState>, clicks: &[BatchClick]) -> ProposedCommit {
    match step(stored, clicks) {
        NextStep::Commit(commit) => *commit,
        other => panic!("expected a commit, got {other:?}"),
    }
}

/// The outboxes to publish again, and what they hold.
fn republished(stored: &UserState, step: NextStep) -> (Vec<OutboxEntry>, Vec<OutboxId>) {
    match step {
        NextStep::Republish(outboxes) => {
            (outboxes.iter().flat_map(|outbox| stored.outbox(outbox)).cloned().collect(), outboxes)
        }
        other => panic!("expected to republish, got {other:?}"),
    }
}

/// What is to be published once `commit` is stored.
fn owed(commit: &ProposedCommit) -> Vec<OutboxEntry> {
    commit.state.outbox(&commit.outbox()).cloned().collect()
}

/// Ordinal, word and version of each boundary.
fn told(entries: &[OutboxEntry]) -> Vec<(u64, &'static str, u64)> {
    entries.iter().map(|entry| (entry.session.ordinal, entry.session.status.word(), entry.version.number())).collect()
}

#[test]
fn new_user_is_committed_where_there_must_be_no_item() {
    let commit = commit(None, &[click("s1", 5, 100_000), click("s1", 6, 120_000)]);
    assert_eq!(commit.expected, None);
    assert_eq!(commit.state.version, Version::new(NOW_MS));
    assert_eq!(commit.state.cursors[&CursorKey::new("s1")].sequence_number.as_str(), "6");
    assert_eq!(told(&owed(&commit)), [(0, "closed", NOW_MS), (1, "open", NOW_MS)]);
    assert_eq!((commit.settles, commit.report.applied, commit.report.started), (2, 2, 2));
}

#[test]
fn known_user_is_committed_under_the_version_that_was_read_and_gets_a_higher_one() {
    let first = commit(None, &[click("s1", 5, 100_000)]).state;
    let second = commit(Some(&first), &[click("s1", 6, 101_000)]);
    assert_eq!(second.expected, Some(first.version));
    assert_eq!(second.state.version, Version::new(NOW_MS + 1));
    assert!(owed(&second).is_empty(), "a click that continues a session has no boundary");
}

#[test]
fn only_a_sessions_final_version_within_the_batch_is_published() {
    let clicks = [click("s", 1, 100_000), click("s", 2, 112_000), click("s", 3, 105_000), click("s", 4, 99_000)];
    let commit = commit(None, &clicks);
    assert_eq!(told(&owed(&commit)), [(0, "open", NOW_MS), (1, "retracted", NOW_MS)]);
    assert_eq!(owed(&commit)[0].session.start.ms(), 99_000);
}

#[test]
fn redelivered_batch_publishes_the_stored_outbox_with_its_old_version() {
    let clicks = [click("s", 1, 100_000), click("s", 2, 120_000)];
    let stored = commit(None, &clicks).state;
    let (entries, outboxes) = republished(&stored, step(Some(&stored), &clicks));
    assert_eq!(told(&entries), [(0, "closed", NOW_MS), (1, "open", NOW_MS)]);
    let published = Published::assumed(outboxes);
    let NextStep::Finish(report) = next_step(Some(&stored), &clicks, &published, RULE, NOW_MS) else {
        panic!("expected nothing left")
    };
    assert_eq!((report.already_applied, report.applied), (2, 0));
}

#[test]
fn redelivered_batch_with_new_records_publishes_the_stored_outbox_before_it_is_replaced() {
    let stored = commit(None, &[click("s", 1, 100_000)]).state;
    let clicks = [click("s", 1, 100_000), click("s", 2, 120_000)];
    let (entries, outboxes) = republished(&stored, step(Some(&stored), &clicks));
    assert_eq!(told(&entries), [(0, "open", NOW_MS)]);
    let published = Published::assumed(outboxes);
    let NextStep::Commit(commit) = next_step(Some(&stored), &clicks, &published, RULE, NOW_MS) else {
        panic!("expected a commit")
    };
    assert_eq!(told(&owed(&commit)), [(0, "closed", NOW_MS + 1), (1, "open", NOW_MS + 1)]);
    assert_eq!((commit.settles, commit.report.already_applied, commit.report.applied), (2, 1, 1));
}

#[test]
fn next_batch_does_not_publish_the_outbox_of_the_one_before() {
    let stored = commit(None, &[click("s", 1, 100_000)]).state;
    assert!(matches!(step(Some(&stored), &[click("s", 2, 101_000)]), NextStep::Commit(_)));
}

#[test]
fn cursors_compare_as_numbers_and_never_across_shards() {
    let stored = commit(None, &[click("a", 99, 100_000)]).state;
    let same_shard = commit(Some(&stored), &[click("a", 100, 101_000)]);
    assert_eq!((same_shard.report.applied, same_shard.report.shard_switches), (1, 0));
    let other_shard = commit(Some(&stored), &[click("b", 5, 101_000)]);
    assert_eq!((other_shard.report.applied, other_shard.report.shard_switches), (1, 1));
    let outbox = &other_shard.state.cursors[&CursorKey::new("a")].outbox;
    assert_eq!(told(outbox), [(0, "open", NOW_MS)], "the other shard's outbox stays as it is");
}

#[test]
fn late_click_is_committed_as_seen_so_that_it_is_counted_once() {
    let stored = commit(None, &[click("s", 1, 100_000)]).state;
    let late = [click("s", 2, 50_000)];
    let commit = commit(Some(&stored), &late);
    assert_eq!((commit.report.late, commit.report.applied), (1, 0));
    assert_eq!(commit.state.sessions, stored.sessions);
    assert!(matches!(step(Some(&commit.state), &late), NextStep::Finish(report) if report.late == 0));
}

#[test]
fn first_session_is_left_out_when_it_is_to_be_skipped() {
    let rule = Rule { first_session: FirstSession::Skip, ..RULE };
    let step = |stored: Option<&UserState>, clicks: &[BatchClick]| match next_step(
        stored,
        clicks,
        &Published::default(),
        rule,
        NOW_MS,
    ) {
        NextStep::Commit(commit) => *commit,
        other => panic!("expected a commit, got {other:?}"),
    };
    let first = step(None, &[click("s", 1, 100_000)]);
    assert!(owed(&first).is_empty());
    let second = step(Some(&first.state), &[click("s", 2, 112_000)]);
    assert_eq!(told(&owed(&second)), [(1, "open", NOW_MS + 1)]);
    let merged = step(Some(&second.state), &[click("s", 3, 105_000)]);
    assert_eq!(told(&owed(&merged)), [(1, "retracted", NOW_MS + 2)]);
}

#[test]
fn cursors_are_kept_for_the_16_heard_of_last_and_what_they_owe_is_published_first() {
    let mut state = commit(None, &[click("shard0", 1, 1_000_000)]).state;
    for shard in 1..16 {
        state = commit(Some(&state), &[click(&format!("shard{shard}"), 1, 1_000_000 + 20_000 * shard)]).state;
    }
    state = commit(Some(&state), &[click("shard0", 2, 1_400_000)]).state;
    let one_more = [click("shard16", 1, 1_420_000)];
    let (entries, outboxes) = republished(&state, step(Some(&state), &one_more));
    assert_eq!(outboxes[0].cursor_key.as_str(), "shard1");
    assert_eq!(entries.len(), 2);
    let published = Published::assumed(outboxes);
    let NextStep::Commit(commit) = next_step(Some(&state), &one_more, &published, RULE, NOW_MS) else {
        panic!("expected a commit")
    };
    assert_eq!(commit.state.cursors.len(), 16);
    assert!(!commit.state.cursors.contains_key(&CursorKey::new("shard1")));
    assert!(commit.state.cursors.contains_key(&CursorKey::new("shard0")));
}

#[test]
fn boundary_of_a_session_retracted_since_is_not_published_again() {
    let first = commit(None, &[click("a", 1, 100_000), click("a", 2, 112_000)]).state;
    let merged = commit(Some(&first), &[click("b", 1, 105_000)]).state;
    let (entries, _) = republished(&merged, step(Some(&merged), &[click("a", 2, 112_000)]));
    assert_eq!(told(&entries), [(0, "closed", NOW_MS)], "session 1, opened by a, was retracted by b");
}

#[test]
fn many_sessions_of_one_user_take_several_steps_and_none_is_left_out() {
    let clicks: Vec<_> = (0..500).map(|n| click("s", n + 1, 20_000 * n)).collect();
    let (mut rest, mut stored, mut steps) = (clicks.as_slice(), None, 0);
    let mut opened = BTreeSet::new();
    while !rest.is_empty() {
        let commit = commit(stored.as_ref(), rest);
        assert!(commit.settles > 0);
        opened.extend(owed(&commit).iter().map(|entry| entry.session.ordinal));
        rest = &rest[commit.settles..];
        stored = Some(commit.state);
        steps += 1;
    }
    assert!(steps > 1, "500 boundaries do not fit into one outbox");
    assert_eq!(opened, (0..500).collect());
}

#[test]
fn largest_possible_state_fits_into_an_item() {
    let mut state = None;
    for shard in 0..MAX_CURSORS as u64 {
        // More sessions with the longest attributes than an outbox holds.
        let session = |n| {
            let ms = 20_000 * (100 * shard + n);
            click_with(&format!("shardId-{shard:012}"), n, ms, MAX_ATTRIBUTE_BYTES)
        };
        let clicks: Vec<_> = (1..=50).map(session).collect();
        let commit = commit(state.as_ref(), &clicks);
        assert!(commit.settles < clicks.len(), "the outbox is not full");
        state = Some(commit.state);
    }
    let state = state.expect("a state");
    assert_eq!(state.cursors.len(), MAX_CURSORS);
    let encoded = state_item::encode(&state);
    let names: usize = state_item::ATTRIBUTES.iter().map(|name| name.len()).sum();
    let bytes = names + encoded.iter().map(state_item::tests::item_bytes).sum::<usize>() + 1_024;
    assert!(bytes < MAX_ITEM_BYTES, "{bytes} bytes");
    let full_outboxes = MAX_CURSORS * MAX_OUTBOX_BYTES + 2 * 3 * MAX_ATTRIBUTE_BYTES;
    assert!(full_outboxes + 32 * 1_024 < MAX_ITEM_BYTES, "{full_outboxes} bytes in outboxes alone");
}
