use local_aws::faults::{Call, Fault};

use super::*;
use crate::state_log_samples::{NOW_MS, typical_user, user};
use crate::store::table_samples::{REST_TABLE, Tables};
use shared::columns::declaration::SessionColumns;

fn resting(commit: u64, has_item: bool) -> RestingUser {
    RestingUser { user_id: user("u"), entry: UserEntry { has_item, ..typical_user(30_000) }, commit }
}

/// The tables with a user at rest, of commit 5, whose item `change` has changed.
async fn with_changed_item(change: impl FnOnce(&mut Item)) -> Tables {
    let tables = Tables::start().await;
    let result = tables.rest().write(&[resting(5, false)]).await.remove(0);
    assert!(matches!(result, RestResult::Written), "{result:?}");
    let mut item = tables.item(REST_TABLE, (KEY, "u")).await;
    change(&mut item);
    tables.put(REST_TABLE, item).await;
    tables
}

async fn refusal(change: impl FnOnce(&mut Item)) -> String {
    let tables = with_changed_item(change).await;
    tables.rest().read(&[user("u")]).await.remove(0).unwrap_err().to_string()
}

fn set(item: &mut Item, name: &str, value: AttributeValue) {
    item.insert(name.to_owned(), value);
}

#[tokio::test]
async fn item_shows_people_when_the_user_was_last_seen_and_in_which_session() {
    let tables = with_changed_item(|_| ()).await;
    let mut item = tables.item(REST_TABLE, (KEY, "u")).await;
    let rest = item.remove(REST).unwrap();
    assert!(rest.is_b());
    let number = |number: u64| AttributeValue::N(number.to_string());
    let expected = [
        (KEY, AttributeValue::S("u".to_owned())),
        (LAST_SEEN, number(NOW_MS - 10_000)),
        (ORDINAL, number(3)),
        (COMMIT, number(5)),
    ];
    assert_eq!(item, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn damaged_items_are_refused_by_what_is_wrong_with_them_but_not_whose_they_are() {
    const OF_A_USER: &str = "the item \"(a user)\" of the session-state table cannot be read: ";
    for name in [LAST_SEEN, ORDINAL, COMMIT, REST] {
        let missing = refusal(|item| _ = item.remove(name)).await;
        assert_eq!(missing, format!("{OF_A_USER}it has no attribute {name}"));
    }
    let mistyped = refusal(|item| set(item, COMMIT, AttributeValue::S("5".to_owned()))).await;
    assert_eq!(mistyped, format!("{OF_A_USER}commit is not a number"));
    let ordinal = refusal(|item| set(item, ORDINAL, AttributeValue::N("4".to_owned()))).await;
    assert_eq!(ordinal, format!("{OF_A_USER}ordinal is 4, but 3 in rest"));
    let last_seen = refusal(|item| set(item, LAST_SEEN, AttributeValue::N("4".to_owned()))).await;
    assert_eq!(last_seen, format!("{OF_A_USER}last_seen is 4, but 1721390390000 in rest"));
    let damaged = refusal(|item| set(item, REST, AttributeValue::B(Blob::new([9, 9])))).await;
    assert_eq!(damaged, format!("{OF_A_USER}rest: the format is 9, expected 2 or 3"));
}

#[tokio::test]
async fn item_without_a_commit_number_is_never_overwritten() {
    for items_left_out in [false, true] {
        for has_item in [false, true] {
            let tables = with_changed_item(|item| _ = item.remove(COMMIT)).await;
            let before = tables.item(REST_TABLE, (KEY, "u")).await;
            let plan = move |_: &Call| if items_left_out { Fault::ItemsLeftOut } else { Fault::None };
            let (client, http) = tables.faulty_client(plan);
            let result = RestTable::new(client, REST_TABLE, SessionColumns::default())
                .write(&[resting(9, has_item)])
                .await
                .remove(0);
            assert!(matches!(result, RestResult::LaterCommit | RestResult::Unreadable(_)), "{result:?}");
            assert_eq!(tables.item(REST_TABLE, (KEY, "u")).await, before);
            assert!(http.calls_of("BatchExecuteStatement") <= MAX_ATTEMPTS);
        }
    }
}

#[tokio::test]
async fn later_commit_is_found_out_without_the_item_of_a_failed_condition() {
    for (items_left_out, has_item) in [(false, false), (false, true), (true, false), (true, true)] {
        let tables = with_changed_item(|_| ()).await;
        let plan = move |_: &Call| if items_left_out { Fault::ItemsLeftOut } else { Fault::None };
        let (client, http) = tables.faulty_client(plan);
        let table = RestTable::new(client, REST_TABLE, SessionColumns::default());
        let result = table.write(&[resting(4, has_item)]).await.remove(0);
        assert!(matches!(result, RestResult::LaterCommit), "{result:?}");
        let calls = http.calls_of("BatchExecuteStatement");
        let result = table.write(&[resting(6, has_item)]).await.remove(0);
        assert!(matches!(result, RestResult::Written), "{result:?}");
        let more_calls = http.calls_of("BatchExecuteStatement") - calls;
        assert!(calls <= MAX_ATTEMPTS && more_calls <= 2, "{calls} and {more_calls} calls");
    }
}

#[tokio::test]
async fn throttled_keys_fail_alone_and_may_be_retried() {
    let tables = with_changed_item(|_| ()).await;
    let (client, _) = tables.faulty_client(|_| Fault::PartsThrottled(vec![1]));
    let table = RestTable::new(client, REST_TABLE, SessionColumns::default());
    let results = table.read(&[user("u"), user("v"), user("w")]).await;
    assert!(matches!(&results[0], Ok(Some(_))) && matches!(&results[2], Ok(None)), "{results:?}");
    assert!(matches!(&results[1], Err(StoreError::Call(error)) if error.is_transient()), "{results:?}");

    let other = RestingUser { user_id: user("v"), ..resting(5, false) };
    let results = table.write(&[resting(6, true), other]).await;
    assert!(matches!(&results[0], RestResult::Written), "{results:?}");
    assert!(matches!(&results[1], RestResult::Failed(error) if error.is_transient()), "{results:?}");
}

#[test]
fn item_of_a_failed_condition_decides_what_follows() {
    let item =
        |commit: u64| StatementResult::ConditionFailed(Some(Item::from([(COMMIT.to_owned(), number_value(commit))])));
    for attempt in [Attempt::Insert, Attempt::Update] {
        assert!(matches!(next(attempt, 5, item(4)), Next::Try(Attempt::Update)));
        assert!(matches!(next(attempt, 5, item(5)), Next::Try(Attempt::Update)));
        assert!(matches!(next(attempt, 5, item(6)), Next::Done(RestResult::LaterCommit)));
        let no_commit = StatementResult::ConditionFailed(Some(Item::new()));
        assert!(matches!(next(attempt, 5, no_commit), Next::Done(RestResult::Unreadable(_))));
    }
}

#[test]
fn users_are_read_consistently() {
    assert_eq!(keys(&[user("u")]).unwrap().consistent_read, Some(true));
}
