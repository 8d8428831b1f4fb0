//! Checks the contracts of [`LogStore`] and [`RestStore`] for every implementation: in memory, on the embedded
//! DynamoDB, and through clients that throttle calls, lose replies and leave out items.
use fastrand::Rng;
use futures_util::future::join_all;
use local_aws::faults::{Call, Fault};
use shared::boundary::Version;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::ring_log::ring::Ring;
use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_samples::{NOW_MS, shard, typical_cursor, typical_user, user};
use crate::store::log_store::{LogCommit, LogStore, WriteResult};
use crate::store::log_table::LogTable;
use crate::store::memory::{FaultRates, Memory};
use crate::store::rest_store::{RestResult, RestStore, RestingUser};
use crate::store::rest_table::RestTable;
use crate::store::settings::{FORMAT, Settings};
use crate::store::table_samples::{LOG_TABLE, REST_TABLE, SLOTS, Tables};

fn ring() -> Ring {
    Ring::new(SLOTS, 1_000)
}

/// Far more attempts than the faults below ever require in a row.
const MAX_ATTEMPTS: usize = 64;

/// More keys, and more statements, than fit into one DynamoDB request.
const MANY: usize = 120;

/// Commit `number`, made by `writer`.
fn commit(number: u64, writer: &str) -> LogCommit {
    LogCommit {
        number,
        tail: number - 2,
        version: Version::new(NOW_MS + number),
        made_ms: NOW_MS,
        entries: vec![
            (LogKey::User(user(writer)), LogValue::User(typical_user(number))),
            (shard("stream/0"), LogValue::Cursor(typical_cursor(number, number, 2))),
        ],
    }
}

fn resting(name: &str, commit: u64, has_item: bool) -> RestingUser {
    RestingUser { user_id: user(name), entry: UserEntry { has_item, ..typical_user(commit) }, commit }
}

/// The commits returned by the first successful read.
async fn read(store: &impl LogStore, bucket: u32, slots: &[u64]) -> Vec<Option<LogCommit>> {
    for _ in 0..MAX_ATTEMPTS {
        if let Ok(commits) = store.read(bucket, slots).await {
            return commits;
        }
    }
    panic!("no read succeeds")
}

async fn write(store: &impl LogStore, bucket: u32, commit: &LogCommit) -> WriteResult {
    let number = commit.number;
    store.write(bucket, ring().slot_of(number), ring().expected(number), commit).await
}

/// Retries until the outcome is known; returns whether the commit took effect.
async fn took_effect(store: &impl LogStore, bucket: u32, commit: &LogCommit) -> bool {
    let mut is_unknown = false;
    for _ in 0..MAX_ATTEMPTS {
        match write(store, bucket, commit).await {
            WriteResult::Written => return true,
            WriteResult::LostRace => {
                let stored = read(store, bucket, &[ring().slot_of(commit.number)]).await.remove(0);
                let is_own = stored.as_ref() == Some(commit);
                assert!(is_unknown || !is_own, "a commit took effect although its condition failed");
                return is_own;
            }
            WriteResult::TooLarge => {}
            WriteResult::Failed(_) => is_unknown = true,
        }
    }
    panic!("no write is answered")
}

async fn settings_are_made_once(store: &impl LogStore) {
    let settings = |first_commit| Settings { format: FORMAT, buckets: 4, slots: SLOTS, first_commit };
    let stored = async || {
        for _ in 0..MAX_ATTEMPTS {
            if let Ok(stored) = store.settings().await {
                return stored;
            }
        }
        panic!("no read succeeds")
    };
    assert_eq!(stored().await, None);
    let makers = (1..=4).map(async |first_commit| {
        for _ in 0..MAX_ATTEMPTS {
            if let Ok(made) = store.make_settings(settings(first_commit)).await {
                return made;
            }
        }
        panic!("no settings are made")
    });
    let made = join_all(makers).await;
    let first = stored().await.unwrap();
    assert!((1..=4).any(|first_commit| first == settings(first_commit)), "{first:?}");
    assert_eq!(made, [first; 4]);
}

async fn unused_slots_are_absent(store: &impl LogStore) {
    assert_eq!(read(store, 0, &[0, 5, 99]).await, [None, None, None]);
    assert_eq!(read(store, 0, &[]).await, []);
}

async fn commits_follow_one_another_around_the_ring(store: &impl LogStore) {
    let numbers = 1_000..1_000 + 2 * SLOTS + 3;
    for number in numbers.clone() {
        assert!(took_effect(store, 1, &commit(number, "writer")).await, "commit {number}");
    }
    let slots: Vec<_> = (0..SLOTS).collect();
    let mut expected: Vec<_> = numbers.rev().take(usize::try_from(SLOTS).unwrap()).collect();
    expected.sort_unstable_by_key(|number| ring().slot_of(*number));
    let stored: Vec<_> = read(store, 1, &slots).await.into_iter().map(Option::unwrap).collect();
    assert_eq!(stored, expected.iter().map(|number| commit(*number, "writer")).collect::<Vec<_>>());

    let backwards: Vec<_> = slots.iter().rev().copied().collect();
    for _ in 0..MAX_ATTEMPTS {
        if let Ok(numbers) = store.read_numbers(1, &backwards).await {
            assert_eq!(numbers, expected.iter().rev().map(|number| Some(*number)).collect::<Vec<_>>());
            return;
        }
    }
    panic!("no read succeeds")
}

async fn commit_is_refused_where_its_slot_holds_something_else(store: &impl LogStore) {
    let first = commit(1_000, "first");
    assert!(!took_effect(store, 2, &commit(1_000 + SLOTS, "early")).await, "where there is nothing yet");
    assert!(took_effect(store, 2, &first).await);
    assert!(!took_effect(store, 2, &commit(1_000, "second")).await, "where the commit exists");
    assert!(!took_effect(store, 2, &commit(1_000 + 2 * SLOTS, "early")).await, "a round too early");
    assert_eq!(read(store, 2, &[ring().slot_of(1_000)]).await, [Some(first)]);
    assert!(took_effect(store, 2, &commit(1_000 + SLOTS, "next round")).await);
    assert!(!took_effect(store, 2, &commit(1_000 + SLOTS, "late")).await, "a round too late");
}

async fn one_of_several_writers_of_a_commit_wins(store: &impl LogStore) {
    for number in 1_000..1_000 + SLOTS + 2 {
        let commits: Vec<_> = (0..5).map(|writer| commit(number, &format!("writer{writer}"))).collect();
        let won = join_all(commits.iter().map(|commit| took_effect(store, 3, commit))).await;
        let stored = read(store, 3, &[ring().slot_of(number)]).await.remove(0);
        let is_stored: Vec<_> = commits.iter().map(|commit| stored.as_ref() == Some(commit)).collect();
        assert_eq!(is_stored.iter().filter(|is_stored| **is_stored).count(), 1, "commit {number}");
        assert_eq!(won, is_stored, "commit {number}");
    }
}

async fn keeps_the_logs_contract(store: &impl LogStore) {
    settings_are_made_once(store).await;
    unused_slots_are_absent(store).await;
    commits_follow_one_another_around_the_ring(store).await;
    commit_is_refused_where_its_slot_holds_something_else(store).await;
    one_of_several_writers_of_a_commit_wins(store).await;
}

/// The user returned by the first successful read.
async fn read_user(store: &impl RestStore, name: &str) -> Option<UserEntry> {
    for _ in 0..MAX_ATTEMPTS {
        if let Ok(found) = store.read(&[user(name)]).await.remove(0) {
            return found;
        }
    }
    panic!("no read succeeds")
}

/// Retries until the outcome is known; returns whether the user is written.
async fn is_written(store: &impl RestStore, resting: &RestingUser) -> bool {
    for _ in 0..MAX_ATTEMPTS {
        let mut results = store.write(std::slice::from_ref(resting)).await;
        assert_eq!(results.len(), 1);
        match results.remove(0) {
            RestResult::Written => return true,
            RestResult::LaterCommit => return false,
            RestResult::Failed(_) => {}
            RestResult::Unreadable(error) => panic!("{error}"),
        }
    }
    panic!("no write is answered")
}

fn stored(resting: &RestingUser) -> Option<UserEntry> {
    Some(UserEntry { has_item: true, ..resting.entry.clone() })
}

async fn user_is_written_over_nothing_and_over_the_same_or_an_earlier_commit(store: &impl RestStore) {
    for has_item in [false, true] {
        let name = format!("conditional {has_item}");
        assert_eq!(read_user(store, &name).await, None);
        // Whatever the writer believes about the item: twice each, then an earlier commit.
        for commit in [5, 5, 6, 9, 9] {
            let resting = resting(&name, commit, has_item);
            assert!(is_written(store, &resting).await, "commit {commit}, {has_item}");
            assert_eq!(read_user(store, &name).await, stored(&resting));
        }
        for commit in [8, 1, 0] {
            assert!(!is_written(store, &resting(&name, commit, has_item)).await, "commit {commit}, {has_item}");
        }
        let mut again = resting(&name, 9, has_item);
        again.entry.arrival_ms += 1;
        assert!(is_written(store, &again).await, "the same commit with other contents");
        assert_eq!(read_user(store, &name).await, stored(&again));
    }
}

async fn latest_commit_of_several_writers_stays(store: &impl RestStore) {
    for round in 0..8_u64 {
        let name = format!("contended {round}");
        let users: Vec<_> = (1..=5).map(|commit| resting(&name, commit, commit % 2 == round % 2)).collect();
        let written = join_all(users.iter().map(|user| is_written(store, user))).await;
        assert_eq!(written.last(), Some(&true), "the latest is never refused");
        assert_eq!(read_user(store, &name).await, stored(&users[4]));
    }
}

async fn results_are_in_order_and_users_do_not_affect_each_other(store: &impl RestStore) {
    let name = |number: usize| format!("many {number}");
    let is_taken = |number: usize| number.is_multiple_of(3);
    for number in (0..MANY).filter(|number| is_taken(*number)) {
        assert!(is_written(store, &resting(&name(number), 1_000, false)).await);
    }
    let users: Vec<_> = (0..MANY).map(|number| resting(&name(number), number as u64, number % 2 == 0)).collect();
    let results = store.write(&users).await;
    assert_eq!(results.len(), MANY);
    for (number, result) in results.into_iter().enumerate() {
        let written = match result {
            RestResult::Written => true,
            RestResult::LaterCommit => false,
            RestResult::Failed(_) => is_written(store, &users[number]).await,
            RestResult::Unreadable(error) => panic!("{error}"),
        };
        assert_eq!(written, !is_taken(number), "user {number}");
    }

    let mut ids: Vec<UserId> = users.iter().map(|user| user.user_id.clone()).collect();
    ids.insert(7, user("absent"));
    let found = store.read(&ids).await;
    assert_eq!(found.len(), MANY + 1);
    for (id, found) in ids.iter().zip(found) {
        let expected = match users.iter().position(|user| user.user_id == *id) {
            Some(number) if is_taken(number) => stored(&resting(id.as_str(), 1_000, false)),
            Some(number) => stored(&users[number]),
            None => None,
        };
        assert!(found.is_err() || found.is_ok_and(|found| found == expected), "{id}");
        assert_eq!(read_user(store, id.as_str()).await, expected, "{id}");
    }
    assert!(store.write(&[]).await.is_empty() && store.read(&[]).await.is_empty());
}

async fn keeps_the_contract_for_users_at_rest(store: &impl RestStore) {
    user_is_written_over_nothing_and_over_the_same_or_an_earlier_commit(store).await;
    latest_commit_of_several_writers_stays(store).await;
    results_are_in_order_and_users_do_not_affect_each_other(store).await;
}

#[tokio::test]
async fn memory_keeps_the_contracts() {
    let memory = Memory::default();
    keeps_the_logs_contract(&memory.client()).await;
    keeps_the_contract_for_users_at_rest(&memory.client()).await;
}

#[tokio::test]
async fn memory_keeps_the_contracts_under_faults() {
    for seed in 0..50 {
        let memory = Memory::default();
        let client = memory.faulty_client(Rng::with_seed(seed), FaultRates::MANY);
        keeps_the_logs_contract(&client).await;
        keeps_the_contract_for_users_at_rest(&client).await;
    }
}

#[tokio::test]
async fn dynamodb_keeps_the_contracts() {
    let tables = Tables::start().await;
    keeps_the_logs_contract(&tables.log()).await;
    keeps_the_contract_for_users_at_rest(&tables.rest()).await;
}

#[tokio::test]
async fn dynamodb_keeps_the_contracts_under_faults() {
    let tables = Tables::start().await;
    let mut rng = Rng::with_seed(1);
    let plan = move |call: &Call| {
        let odd_parts = || (0..call.parts).filter(|part| part % 2 == 1 || call.parts == 1).collect();
        match rng.u8(..16) {
            0 => Fault::ReplyLost,
            1..=2 if call.parts > 0 => Fault::PartsThrottled(odd_parts()),
            3 => Fault::Throttled,
            4 => Fault::NotSent,
            5.. if call.operation == "BatchExecuteStatement" => Fault::ItemsLeftOut,
            _ => Fault::None,
        }
    };
    let (client, http) = tables.faulty_client(plan);
    keeps_the_logs_contract(&LogTable::new(client.clone(), LOG_TABLE, SLOTS, SessionColumns::default())).await;
    keeps_the_contract_for_users_at_rest(&RestTable::new(client, REST_TABLE, SessionColumns::default())).await;
    for operation in ["PutItem", "BatchGetItem", "BatchExecuteStatement"] {
        assert!(http.calls_of(operation) > 50, "{operation}");
    }
}
