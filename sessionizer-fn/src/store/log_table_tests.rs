use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use local_aws::faults::{Call, Fault};
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use super::*;
use crate::state_log_codec::encode_entries;
use crate::state_log_entry::{LogKey, LogValue};
use crate::state_log_samples::{NOW_MS, typical_user, user};
use crate::store::table_samples::{LOG_TABLE, SLOTS, Tables};

/// A commit with as many users as `users`.
fn commit(number: u64, users: u64) -> LogCommit {
    let entry = |number| (LogKey::User(user(&format!("user{number}"))), LogValue::User(typical_user(number)));
    LogCommit {
        number,
        tail: number - 3,
        version: Version::new(NOW_MS),
        made_ms: NOW_MS,
        entries: (0..users).map(entry).collect(),
    }
}

async fn write(table: &LogTable, commit: &LogCommit) {
    let result = table.write(0, commit.number % SLOTS, Expected::Nothing, commit).await;
    assert!(matches!(result, WriteResult::Written), "{result:?}");
}

/// The error of reading slot 0 after `change` has changed its item.
async fn refusal(change: impl FnOnce(&mut Item)) -> String {
    let (tables, number) = (Tables::start().await, 100);
    write(&tables.log(), &commit(number, 1)).await;
    let mut item = tables.item(LOG_TABLE, (KEY, "0/0")).await;
    change(&mut item);
    tables.put(LOG_TABLE, item).await;
    tables.log().read(0, &[1, 0]).await.unwrap_err().to_string()
}

fn set(item: &mut Item, name: &str, value: AttributeValue) {
    item.insert(name.to_owned(), value);
}

#[tokio::test]
async fn damaged_items_are_refused_by_what_is_wrong_with_them() {
    const OF_SLOT_0: &str = "the item \"0/0\" of the state-log table cannot be read: ";
    for name in [COMMIT, TAIL, VERSION, MADE, ENTRIES] {
        let missing = refusal(|item| _ = item.remove(name)).await;
        assert_eq!(missing, format!("{OF_SLOT_0}it has no attribute {name}"));
        let mistyped = refusal(|item| set(item, name, AttributeValue::S("1".to_owned()))).await;
        let expected = if name == ENTRIES { "binary" } else { "a number" };
        assert_eq!(mistyped, format!("{OF_SLOT_0}{name} is not {expected}"));
    }
    let negative = refusal(|item| set(item, TAIL, AttributeValue::N("-1".to_owned()))).await;
    assert_eq!(negative, format!("{OF_SLOT_0}tail is -1, expected an integer from 0 to 18446744073709551615"));
    let ahead = refusal(|item| set(item, TAIL, AttributeValue::N("101".to_owned()))).await;
    assert_eq!(ahead, format!("{OF_SLOT_0}tail is 101, expected commit, 100, at most"));
    let elsewhere = refusal(|item| set(item, COMMIT, AttributeValue::N("101".to_owned()))).await;
    assert_eq!(elsewhere, format!("{OF_SLOT_0}commit is 101, which does not belong into this one of 5 slots"));
    let damaged = refusal(|item| set(item, ENTRIES, AttributeValue::B(Blob::new([1])))).await;
    assert_eq!(damaged, format!("{OF_SLOT_0}entries: the format is 1, expected 2 or 3"));
}

#[tokio::test]
async fn damaged_numbers_are_refused() {
    let tables = Tables::start().await;
    let item = [(KEY, AttributeValue::S("0/1".to_owned())), (COMMIT, AttributeValue::N("100".to_owned()))];
    tables.put(LOG_TABLE, item.map(|(name, value)| (name.to_owned(), value)).into()).await;
    let error = tables.log().read_numbers(0, &[1]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable { table: "state-log", .. }), "{error}");
}

#[tokio::test]
async fn damaged_settings_are_refused_and_not_replaced() {
    let tables = Tables::start().await;
    let settings = Settings { format: 2, buckets: 4, slots: SLOTS, first_commit: 9 };
    tables.log().make_settings(settings).await.unwrap();
    let mut item = tables.item(LOG_TABLE, (KEY, SETTINGS_KEY)).await;
    item.remove(BUCKETS);
    tables.put(LOG_TABLE, item.clone()).await;
    let expected = "the item \"settings\" of the state-log table cannot be read: it has no attribute buckets";
    assert_eq!(tables.log().settings().await.unwrap_err().to_string(), expected);
    assert_eq!(tables.log().make_settings(settings).await.unwrap_err().to_string(), expected);
    assert_eq!(tables.item(LOG_TABLE, (KEY, SETTINGS_KEY)).await, item);
}

#[tokio::test]
async fn keys_left_out_of_an_answer_are_asked_for_again_as_long_as_answers_hold_some() {
    let tables = Tables::start().await;
    for number in 100..105 {
        write(&tables.log(), &commit(number, 3)).await;
    }
    // Each answer holds one item, as if items were so large that 16 MB held no more.
    let plan = |call: &Call| match call.operation.as_str() {
        "BatchGetItem" if call.parts > 1 => Fault::PartsThrottled((1..call.parts).collect()),
        _ => Fault::None,
    };
    let (client, http) = tables.faulty_client(plan);
    let log = LogTable::new(client, LOG_TABLE, SLOTS, SessionColumns::default());
    let commits = log.read(0, &[4, 3, 2, 1, 0]).await.unwrap();
    let expected: Vec<_> = (100..105).rev().map(|number| Some(commit(number, 3))).collect();
    assert_eq!(commits, expected);
    assert_eq!(http.calls_of("BatchGetItem"), 5);
}

#[tokio::test]
async fn answer_without_any_item_is_a_transient_failure() {
    let tables = Tables::start().await;
    write(&tables.log(), &commit(100, 1)).await;
    let (client, http) = tables.faulty_client(|call| Fault::PartsThrottled((0..call.parts).collect()));
    let log = LogTable::new(client, LOG_TABLE, SLOTS, SessionColumns::default());
    let StoreError::Call(error) = log.read(0, &[0, 1]).await.unwrap_err() else { panic!("not a failed call") };
    assert!(error.is_transient(), "{error}");
    assert_eq!(http.calls_of("BatchGetItem"), 1);
}

#[tokio::test]
async fn reads_of_many_slots_are_cut_into_requests_and_stay_in_order() {
    let tables = Tables::start().await;
    let slots = 250;
    let log = LogTable::new(tables.client(), LOG_TABLE, slots, SessionColumns::default());
    for number in (500..750).step_by(7) {
        let result = log.write(3, number % slots, Expected::Nothing, &commit(number, 1)).await;
        assert!(matches!(result, WriteResult::Written), "{result:?}");
    }
    let wanted: Vec<u64> = (0..slots).rev().collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&asked);
    let (client, _) = tables.faulty_client(move |call| {
        noted.lock().unwrap().push((call.parts, call.body.clone()));
        Fault::None
    });
    let log = LogTable::new(client, LOG_TABLE, slots, SessionColumns::default());
    let numbers = log.read_numbers(3, &wanted).await.unwrap();
    let expected: Vec<_> = (500..750).rev().map(|number| (number % 7 == 500 % 7).then_some(number)).collect();
    assert_eq!(numbers, expected);
    let found = log.read(3, &wanted).await.unwrap();
    assert_eq!(found.iter().map(|it| it.as_ref().map(|it| it.number)).collect::<Vec<_>>(), expected);

    let asked = asked.lock().unwrap();
    let sizes: Vec<_> = asked.iter().map(|(parts, _)| *parts).collect();
    assert_eq!(HashSet::from([100, 50]), sizes.iter().copied().collect());
    assert_eq!(sizes.iter().sum::<usize>(), 500);
    assert!(asked.iter().all(|(_, body)| body["RequestItems"][LOG_TABLE]["ConsistentRead"] == true));
}

#[tokio::test]
async fn reader_that_goes_by_a_commits_columns_does_not_overlook_that_a_later_one_has_others() {
    let tables = Tables::start().await;
    let columns = SessionColumns::parse("clicks = count()").unwrap();
    let declaring = LogTable::new(tables.client(), LOG_TABLE, SLOTS, columns.clone());
    write(&tables.log(), &commit(100, 1)).await;
    write(&declaring, &commit(101, 1)).await;
    let read = async |table: &LogTable| table.read(0, &[100 % SLOTS, 101 % SLOTS]).await;
    assert!(read(&tables.log()).await.is_ok(), "a reader with a declaration maps them");
    let refused = read(&tables.log().going_by(100)).await.unwrap_err();
    assert!(matches!(refused, StoreError::OtherColumns { .. }), "{refused:?}");
    assert!(read(&tables.log().going_by(101)).await.is_ok() && read(&declaring.going_by(100)).await.is_ok());
}

/// A commit of `users` users with long ids of random letters, which hardly compress, and its bytes in an item.
fn incompressible(users: u64) -> (LogCommit, usize) {
    let mut commit = commit(100, users);
    let mut rng = fastrand::Rng::with_seed(5);
    for (key, _) in &mut commit.entries {
        let id: String = std::iter::repeat_with(|| rng.alphanumeric()).take(256).collect();
        *key = LogKey::User(UserId::new(id).unwrap());
    }
    let bytes = encode_entries(&commit.entries, commit.made_ms, &SessionColumns::default()).unwrap().len();
    (commit, bytes)
}

#[tokio::test]
async fn commit_as_large_as_an_item_may_be_is_stored() {
    let tables = Tables::start().await;
    let (large, bytes) = incompressible(1_980);
    assert!((MAX_COMMIT_BYTES - 10_000..=MAX_COMMIT_BYTES).contains(&bytes), "{bytes} bytes");
    write(&tables.log(), &large).await;
    assert_eq!(tables.log().read(0, &[0]).await.unwrap(), [Some(large)]);
}

#[tokio::test]
async fn commit_that_is_too_large_for_an_item_is_never_sent() {
    let tables = Tables::start().await;
    let (client, http) = tables.faulty_client(|_| Fault::None);
    let (too_large, bytes) = incompressible(2_010);
    assert!(bytes > MAX_COMMIT_BYTES, "{bytes} bytes");
    let result = LogTable::new(client, LOG_TABLE, SLOTS, SessionColumns::default())
        .write(0, 0, Expected::Nothing, &too_large)
        .await;
    assert!(matches!(result, WriteResult::TooLarge), "{result:?}");
    assert_eq!(http.calls_of("PutItem"), 0);
}

#[tokio::test]
async fn failures_of_a_write_are_told_from_lost_races() {
    let tables = Tables::start().await;
    let (client, _) = tables.faulty_client(|_| Fault::AccessDenied);
    let log = LogTable::new(client, LOG_TABLE, SLOTS, SessionColumns::default());
    match log.write(0, 0, Expected::Nothing, &commit(100, 1)).await {
        WriteResult::Failed(error) => {
            assert_eq!((error.code(), error.is_transient()), ("AccessDeniedException", false))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn entry_whose_key_and_value_do_not_go_together_is_never_sent() {
    let tables = Tables::start().await;
    let (client, http) = tables.faulty_client(|_| Fault::None);
    let log = LogTable::new(client, LOG_TABLE, SLOTS, SessionColumns::default());
    let mut mismatched = commit(100, 1);
    mismatched.entries[0].0 = crate::state_log_samples::shard("stream/0");
    match log.write(0, 0, Expected::Nothing, &mismatched).await {
        WriteResult::Failed(error) => assert!(!error.is_transient(), "{error}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(http.calls_of("PutItem"), 0);
}
