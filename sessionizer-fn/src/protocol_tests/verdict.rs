//! What must hold at the end of a run.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::columns::named::NamedColumns;
use shared::event_time::EventTime;
use shared::session::Status;
use shared::session_window::{SessionWindow, WindowDraft};
use shared::user_id::UserId;

use crate::batch::BatchClick;
use crate::bucket::id::bucket_of;
use crate::protocol_tests::scenario::Scenario;
use crate::protocol_tests::shard_key;
use crate::state_log_entry::{LogKey, LogValue, Origin, Position, UserEntry};
use crate::store::log_store::LogCommit;
use crate::store::memory::Contents;

/// What a row of the sessions table says.
type Row = (EventTime, Attributes, NamedColumns, Status);

/// The sessions of each user by ordinal.
type Table = BTreeMap<(UserId, u64), Row>;

/// Panics unless every click was applied once, and table and states are what the rule gives in commit order. `early` was
/// published before the tombstones expired, `late` after.
pub(super) fn check(
    seed: u64,
    rng: &mut Rng,
    scenario: &Scenario,
    contents: &Contents,
    early: BTreeSet<Vec<u8>>,
    late: BTreeSet<Vec<u8>>,
) {
    let applied = applied_clicks(seed, scenario, contents);
    let (mut states, mut truth) = (BTreeMap::new(), Table::new());
    for click in applied {
        let user_id = &click.click.user_id;
        let mut draft = WindowDraft::on(states.remove(user_id).unwrap_or_default());
        draft.apply(&click.click, scenario.options.window);
        tell(&mut truth, scenario, user_id, &draft);
        states.insert(user_id.clone(), draft.into_window());
    }
    for (user_id, window) in &mut states {
        let mut draft = WindowDraft::on(window.clone());
        draft.close();
        tell(&mut truth, scenario, user_id, &draft);
        *window = draft.into_window();
    }
    for (user_id, window) in &states {
        assert_eq!(stored_window(scenario, contents, user_id), Some(window.clone()), "seed {seed}: state of {user_id}");
    }
    assert_eq!(table(seed, rng, early, late), truth, "seed {seed}: the sessions table");
}

fn tell(table: &mut Table, scenario: &Scenario, user_id: &UserId, draft: &WindowDraft) {
    for session in draft.touched() {
        let key = (user_id.clone(), session.ordinal);
        match session.status {
            Status::Retracted => _ = table.remove(&key),
            status => {
                let columns = NamedColumns::new(scenario.format.columns(), session.columns);
                table.insert(key, (session.start, session.attributes, columns, status));
            }
        }
    }
}

/// The clicks in the order in which commits applied them, as their cursors show.
fn applied_clicks<'s>(seed: u64, scenario: &'s Scenario, contents: &Contents) -> Vec<&'s BatchClick> {
    let mut applied = Vec::new();
    for (bucket, commits) in &contents.commits {
        let mut reached: BTreeMap<usize, Position> = BTreeMap::new();
        for (commit, next) in commits.iter().zip(commits.iter().skip(1)) {
            assert_eq!(next.number, commit.number + 1, "seed {seed}: commits without gaps");
            assert!(next.version > commit.version && next.tail >= commit.tail, "seed {seed}: versions and tails grow");
        }
        for commit in commits {
            for (shard, records) in scenario.shards.iter().enumerate() {
                let Some(to) = moved_to(commit, shard) else { continue };
                let from = reached.insert(shard, to.clone());
                assert!(from.as_ref() < Some(&to), "seed {seed}: a cursor moves forward");
                let clicks = records
                    .iter()
                    .flatten()
                    .filter(|click| Some(&click.position) > from.as_ref() && click.position <= to);
                applied.extend(
                    clicks.filter(|click| bucket_of(&click.click.user_id, scenario.options.buckets) == *bucket),
                );
            }
        }
    }
    let sent = scenario.shards.iter().flatten().map(Vec::len).sum::<usize>();
    assert_eq!(applied.len(), sent, "seed {seed}: a click was never applied");
    applied
}

/// Where `commit` moved the cursor of `shard` to, if it did.
fn moved_to(commit: &LogCommit, shard: usize) -> Option<Position> {
    let key = LogKey::Origin(Origin::Shard(shard_key(shard)));
    commit.entries.iter().find_map(|(entry, value)| match value {
        LogValue::Cursor(cursor) if *entry == key && cursor.outbox.commit == commit.number => {
            Some(cursor.position.clone())
        }
        _ => None,
    })
}

/// A user's window: in the log from its tail on, or at rest.
fn stored_window(scenario: &Scenario, contents: &Contents, user_id: &UserId) -> Option<SessionWindow> {
    let bucket = bucket_of(user_id, scenario.options.buckets);
    let commits = contents.commits.get(&bucket)?;
    let tail = commits.last()?.tail;
    let key = LogKey::User(user_id.clone());
    let in_log = commits.iter().filter(|commit| commit.number >= tail).rev();
    let mut entries = in_log.flat_map(|commit| &commit.entries).filter(|(entry, _)| *entry == key);
    let entry = entries.find_map(|(_, value)| value.user()).cloned();
    let at_rest = || contents.resting.get(user_id).map(|user| user.entry.clone());
    entry.or_else(at_rest).map(|entry: UserEntry| entry.window)
}

/// The sessions table, without tombstones, after the sink stored `early` in random order and partly twice, the
/// tombstones expired, and the sink stored `late`.
fn table(seed: u64, rng: &mut Rng, early: BTreeSet<Vec<u8>>, late: BTreeSet<Vec<u8>>) -> Table {
    let mut table: BTreeMap<(UserId, u64), (Version, Row)> = BTreeMap::new();
    let mut early: Vec<_> = early.into_iter().collect();
    early.extend(early.clone().into_iter().filter(|_| rng.u8(..3) == 0));
    rng.shuffle(&mut early);
    let sink = |table: &mut BTreeMap<_, (Version, Row)>, messages: Vec<Vec<u8>>| {
        for message in messages {
            let boundary = Boundary::decode(&message).expect("a boundary");
            let key = (boundary.user_id, boundary.ordinal);
            let status = boundary.status.expect("a status");
            let row = (boundary.session_timestamp, boundary.attributes, boundary.columns, status);
            match table.get(&key) {
                Some((version, stored)) if *version == boundary.version => {
                    assert_eq!(*stored, row, "seed {seed}: one version, two contents");
                }
                Some((version, _)) if *version > boundary.version => {}
                _ => _ = table.insert(key, (boundary.version, row)),
            }
        }
    };
    sink(&mut table, early);
    table.retain(|_, (_, (.., status))| *status != Status::Retracted);
    sink(&mut table, late.into_iter().collect());
    table.retain(|_, (_, (.., status))| *status != Status::Retracted);
    table.into_iter().map(|(key, (_, row))| (key, row)).collect()
}
