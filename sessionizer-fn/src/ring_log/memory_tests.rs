use super::*;

/// Ten bytes in a commit, 100 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key(char);

/// 1,000 bytes in a commit for each unit, 10,000 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Value(usize);

impl Weight for Key {
    fn encoded_bytes(&self) -> usize {
        10
    }

    fn memory_bytes(&self) -> usize {
        100
    }
}

impl Weight for Value {
    fn encoded_bytes(&self) -> usize {
        1_000 * self.0
    }

    fn memory_bytes(&self) -> usize {
        10_000 * self.0
    }
}

type Log = LogMemory<Key, Value>;

fn commit(number: u64, tail: u64, entries: &[(char, usize)]) -> Commit<Key, Value> {
    let entries = entries.iter().map(|(key, value)| (Key(*key), Value(*value))).collect();
    Commit { number, tail, version: Version::new(1_000 + number), made_ms: 10 * number, entries }
}

/// Takes in a commit, and returns what it made the log forget.
fn take_in(log: &mut Log, number: u64, tail: u64, entries: &[(char, usize)]) -> Vec<(char, usize)> {
    let mut forgotten = Vec::new();
    log.take_in(commit(number, tail, entries), |key, value| forgotten.push((key.0, value.0))).unwrap();
    forgotten
}

fn live(log: &Log) -> Vec<(char, usize)> {
    let mut live: Vec<_> = log.iter().map(|(key, value)| (key.0, value.0)).collect();
    live.sort_unstable();
    live
}

/// Number, time and live entries of each commit.
fn oldest_first(log: &Log) -> Vec<(u64, u64, Vec<char>)> {
    log.oldest_first().map(|it| (it.number, it.made_ms(), it.live().map(|(key, _)| key.0).collect())).collect()
}

fn tail_after(log: &Log, number: u64, settled: &[char]) -> u64 {
    let settled: Vec<_> = settled.iter().map(|key| Key(*key)).collect();
    log.tail_after(number, settled.iter())
}

/// Memory of this many commits with this many keys in all, and of the live values.
fn memory(commits: usize, keys: usize, live: &[usize]) -> usize {
    let values: usize = live.iter().map(|value| 100 + 10_000 * value + ENTRY_OVERHEAD_BYTES).sum();
    commits * size_of::<Trace<Key>>() + 100 * keys + values
}

#[test]
fn log_without_commits_knows_nothing() {
    let log = Log::empty();
    assert!(log.is_empty());
    assert_eq!((log.head(), log.tail(), log.len(), log.version()), (None, 0, 0, Version::NONE));
    assert_eq!((log.encoded_bytes(), log.memory_bytes()), (0, 0));
    assert_eq!(log.get(&Key('a')), None);
    assert_eq!(log.tail_after(7, [].iter()), 7);
}

#[test]
fn commits_are_taken_in_one_after_the_other() {
    let mut log = Log::empty();
    take_in(&mut log, 5, 5, &[('a', 1)]);
    take_in(&mut log, 6, 5, &[('b', 2)]);
    assert_eq!((log.head(), log.tail(), log.len(), log.version()), (Some(6), 5, 2, Version::new(1_006)));
    assert_eq!(live(&log), [('a', 1), ('b', 2)]);
    assert_eq!((log.get(&Key('a')), log.get(&Key('c'))), (Some(&Value(1)), None));
}

#[test]
fn commit_that_does_not_follow_changes_nothing() {
    let mut log = Log::empty();
    take_in(&mut log, 5, 5, &[('a', 1)]);
    take_in(&mut log, 6, 6, &[('b', 1)]);
    let bytes = (log.encoded_bytes(), log.memory_bytes());
    let refused = [
        commit(8, 6, &[('c', 1)]), // a hole
        commit(6, 6, &[('c', 1)]), // again
        commit(5, 5, &[('c', 1)]), // an old one
        commit(7, 5, &[('c', 1)]), // a tail that moves back
        commit(7, 8, &[('c', 1)]), // a tail ahead of the commit
    ];
    for commit in refused {
        let (number, tail) = (commit.number, commit.tail);
        let error = log.take_in(commit, |_, _| panic!("nothing is forgotten")).unwrap_err();
        assert_eq!(error, NotTheNext { head: Some(6), found: number, tail });
        assert_eq!((log.head(), log.tail(), live(&log)), (Some(6), 6, vec![('b', 1)]));
        assert_eq!((log.encoded_bytes(), log.memory_bytes()), bytes);
    }
    let error = Log::empty().take_in(commit(7, 8, &[]), |_, _| ()).unwrap_err();
    assert_eq!(error.to_string(), "commit 7 (tail 8) does not follow commit None");
}

#[test]
fn latest_entry_of_a_key_counts() {
    let mut log = Log::empty();
    take_in(&mut log, 1, 1, &[('a', 1), ('b', 2)]);
    assert_eq!(take_in(&mut log, 2, 1, &[('a', 3)]), [('a', 1)]);
    assert_eq!(live(&log), [('a', 3), ('b', 2)]);
    assert_eq!(oldest_first(&log), [(1, 10, vec!['b']), (2, 20, vec!['a'])]);
}

#[test]
fn entries_behind_the_tail_are_forgotten_unless_repeated() {
    let mut log = Log::empty();
    take_in(&mut log, 1, 1, &[('a', 1), ('b', 2)]);
    take_in(&mut log, 2, 1, &[('c', 3)]);
    assert_eq!(take_in(&mut log, 3, 2, &[('b', 2)]), [('b', 2), ('a', 1)]);
    assert_eq!(live(&log), [('b', 2), ('c', 3)]);
    assert_eq!(oldest_first(&log), [(2, 20, vec!['c']), (3, 30, vec!['b'])]);
    assert_eq!(take_in(&mut log, 4, 4, &[('d', 4)]), [('c', 3), ('b', 2)]);
    assert_eq!((live(&log), log.tail(), log.len()), (vec![('d', 4)], 4, 1));
}

#[test]
fn bytes_follow_the_live_entries_and_the_keys_of_the_commits() {
    let mut log = Log::empty();
    take_in(&mut log, 1, 1, &[('a', 1), ('b', 2)]);
    assert_eq!((log.encoded_bytes(), log.memory_bytes()), (3_020, memory(1, 2, &[1, 2])));
    take_in(&mut log, 2, 1, &[('a', 5)]);
    assert_eq!((log.encoded_bytes(), log.memory_bytes()), (7_020, memory(2, 3, &[5, 2])));
    take_in(&mut log, 3, 2, &[]);
    assert_eq!((log.encoded_bytes(), log.memory_bytes()), (5_010, memory(2, 1, &[5])));
    take_in(&mut log, 4, 4, &[]);
    assert_eq!((log.encoded_bytes(), log.memory_bytes()), (0, memory(1, 0, &[])));
}

#[test]
fn tail_may_move_to_the_oldest_commit_with_something_unsettled() {
    let mut log = Log::empty();
    take_in(&mut log, 1, 1, &[('a', 1), ('b', 1)]);
    take_in(&mut log, 2, 1, &[('b', 1)]);
    take_in(&mut log, 3, 1, &[('c', 1), ('d', 1)]);
    assert_eq!(tail_after(&log, 4, &[]), 1);
    assert_eq!(tail_after(&log, 4, &['b', 'c', 'd']), 1);
    assert_eq!(tail_after(&log, 4, &['a']), 2);
    assert_eq!(tail_after(&log, 4, &['a', 'b', 'c']), 3);
    assert_eq!(tail_after(&log, 4, &['d', 'c', 'b', 'a', 'x']), 4);
}

#[test]
fn reading_may_start_in_the_middle_where_older_tails_do_not_matter() {
    let mut log = Log::empty();
    take_in(&mut log, 50, 20, &[('a', 1)]);
    assert_eq!((log.head(), log.tail(), log.len()), (Some(50), 50, 1));
    take_in(&mut log, 51, 30, &[('b', 1)]);
    assert_eq!((log.tail(), log.len(), live(&log)), (50, 2, vec![('a', 1), ('b', 1)]));
    let back = commit(52, 29, &[]);
    assert!(log.take_in(back, |_, _| ()).is_err(), "tails move forward from the first commit read");
    assert_eq!(take_in(&mut log, 52, 51, &[]), [('a', 1)]);
    assert_eq!((log.tail(), oldest_first(&log)), (51, vec![(51, 510, vec!['b']), (52, 520, vec![])]));
}

#[test]
fn memory_agrees_with_a_plain_map_over_many_random_commits() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut log = Log::empty();
    let mut all: Vec<(u64, char, usize)> = Vec::new();
    let mut tail = 1;
    for number in 1..2_000_u64 {
        let mut entries: Vec<(char, usize)> = ('a'..='l').map(|key| (key, rng.usize(0..9))).collect();
        entries.retain(|_| rng.u8(..4) == 0);
        tail = rng.u64(tail..=number.min(tail + 3));
        take_in(&mut log, number, tail, &entries);
        for (key, value) in &entries {
            all.retain(|(_, other, _)| other != key);
            all.push((number, *key, *value));
        }
        all.retain(|(commit, _, _)| *commit >= tail);

        let mut expected: Vec<_> = all.iter().map(|(_, key, value)| (*key, *value)).collect();
        expected.sort_unstable();
        assert_eq!(live(&log), expected);
        let oldest = all.iter().map(|(commit, _, _)| *commit).min();
        assert_eq!(tail_after(&log, number + 1, &[]), oldest.unwrap_or(number + 1));
        let encoded: usize = all.iter().map(|(_, _, value)| 10 + 1_000 * value).sum();
        assert_eq!(log.encoded_bytes(), encoded);
    }
}
