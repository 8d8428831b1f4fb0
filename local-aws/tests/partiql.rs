//! The behaviour of BatchExecuteStatement that the functions depend on: supported statements, and the responses of
//! failed ones. It is the same on AWS; where AWS' documentation is silent, the tests follow the emulator's captures
//! from AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse,
    ReturnValuesOnConditionCheckFailure,
};
use local_aws::{LocalAws, LocalAwsOptions, Template};

const TABLE: &str = "session-state";

type Item = HashMap<String, AttributeValue>;

async fn embedded() -> LocalAws {
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(1)).await.unwrap();
    embedded
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.map(|(name, value)| (name.to_owned(), value)).into()
}

/// A statement that requests the item on which its condition fails.
fn statement(text: &str, parameters: Vec<AttributeValue>) -> BatchStatementRequest {
    BatchStatementRequest::builder()
        .statement(text)
        .set_parameters(Some(parameters))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap()
}

async fn run(dynamodb: &Client, statements: Vec<BatchStatementRequest>) -> Vec<BatchStatementResponse> {
    let call = dynamodb.batch_execute_statement().set_statements(Some(statements));
    call.send().await.unwrap().responses.unwrap()
}

async fn run_one(dynamodb: &Client, text: &str, parameters: Vec<AttributeValue>) -> BatchStatementResponse {
    let [response] = <[_; 1]>::try_from(run(dynamodb, vec![statement(text, parameters)]).await).unwrap();
    response
}

async fn succeeds(dynamodb: &Client, text: &str, parameters: Vec<AttributeValue>) {
    let response = run_one(dynamodb, text, parameters).await;
    assert!(response.error.is_none(), "{:?}", response.error);
}

/// The code of a failed statement, and the item it returns.
fn failure(response: BatchStatementResponse) -> (Option<BatchStatementErrorCodeEnum>, Option<Item>) {
    let error = response.error.expect("the statement should have failed");
    (error.code, error.item)
}

async fn put(dynamodb: &Client, item: &Item) {
    dynamodb.put_item().table_name(TABLE).set_item(Some(item.clone())).send().await.unwrap();
}

async fn get(dynamodb: &Client, user_id: &str) -> Option<Item> {
    let call = dynamodb.get_item().table_name(TABLE).key("user_id", text(user_id));
    call.consistent_read(true).send().await.unwrap().item
}

#[tokio::test]
async fn an_insert_writes_parameters_of_every_kind() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let current = AttributeValue::M(item([("start", number(1)), ("device", AttributeValue::Null(true))]));
    let outbox = AttributeValue::L(vec![current.clone(), text("x")]);
    let bytes = AttributeValue::B(vec![0, 255].into());
    succeeds(
        &dynamodb,
        r#"INSERT INTO "session-state" VALUE {'user_id': ?, 'version': ?, 'current': ?, 'outbox': ?, 'previous': ?, 'raw': ?, 'open': ?}"#,
        vec![
            text("user1"),
            number(7),
            current.clone(),
            outbox.clone(),
            AttributeValue::Null(true),
            bytes.clone(),
            AttributeValue::Bool(true),
        ],
    )
    .await;
    let expected = item([
        ("user_id", text("user1")),
        ("version", number(7)),
        ("current", current),
        ("outbox", outbox),
        ("previous", AttributeValue::Null(true)),
        ("raw", bytes),
        ("open", AttributeValue::Bool(true)),
    ]);
    assert_eq!(get(&dynamodb, "user1").await, Some(expected));
}

#[tokio::test]
async fn an_insert_of_an_existing_item_fails_without_returning_it() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let there = item([("user_id", text("user1")), ("version", number(7))]);
    put(&dynamodb, &there).await;

    let insert = r#"INSERT INTO "session-state" VALUE {'user_id': ?, 'version': ?}"#;
    let response = run_one(&dynamodb, insert, vec![text("user1"), number(8)]).await;

    // ALL_OLD returns only items of failed WHERE clauses, so the current item must be read separately.
    assert_eq!(failure(response), (Some(BatchStatementErrorCodeEnum::DuplicateItem), None));
    assert_eq!(get(&dynamodb, "user1").await, Some(there));
}

#[tokio::test]
async fn an_update_sets_and_removes_in_clauses_or_in_a_list() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let updates = [
        // The form that AWS documents: one keyword per path.
        r#"UPDATE "session-state" SET "a" = ? SET "version" = ? REMOVE "c" REMOVE "d" WHERE "user_id" = ? AND "version" = ?"#,
        // Assignments can also form a list; removals cannot.
        r#"UPDATE "session-state" SET "a" = ?, "version" = ? REMOVE "c" REMOVE "d" WHERE "user_id" = ? AND "version" = ?"#,
    ];
    for update in updates {
        let before = item([
            ("user_id", text("user1")),
            ("version", number(7)),
            ("c", number(1)),
            ("d", number(1)),
            ("kept", number(1)),
        ]);
        put(&dynamodb, &before).await;
        let a = AttributeValue::M(item([("x", AttributeValue::L(vec![number(1)]))]));
        succeeds(&dynamodb, update, vec![a.clone(), number(8), text("user1"), number(7)]).await;
        let after = item([("user_id", text("user1")), ("version", number(8)), ("a", a), ("kept", number(1))]);
        assert_eq!(get(&dynamodb, "user1").await, Some(after), "{update}");
    }
}

#[tokio::test]
async fn removals_in_a_list_are_rejected() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    put(&dynamodb, &item([("user_id", text("user1")), ("c", number(1)), ("d", number(1))])).await;
    let update = r#"UPDATE "session-state" REMOVE "c", "d" WHERE "user_id" = ?"#;
    let response = run_one(&dynamodb, update, vec![text("user1")]).await;
    assert_eq!(failure(response), (Some(BatchStatementErrorCodeEnum::ValidationError), None));
}

#[tokio::test]
async fn removing_a_missing_attribute_succeeds() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let there = item([("user_id", text("user1")), ("version", number(7))]);
    put(&dynamodb, &there).await;
    let update = r#"UPDATE "session-state" REMOVE "previous" WHERE "user_id" = ? AND "version" = ?"#;
    succeeds(&dynamodb, update, vec![text("user1"), number(7)]).await;
    assert_eq!(get(&dynamodb, "user1").await, Some(there));
}

#[tokio::test]
async fn an_update_that_lost_its_race_returns_the_current_item() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let current = item([("user_id", text("user1")), ("version", number(9)), ("n", number(1))]);
    put(&dynamodb, &current).await;
    for (condition, version) in [(r#""version" = ?"#, 7), (r#""version" < ?"#, 9)] {
        let update = format!(r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ? AND {condition}"#);
        let response = run_one(&dynamodb, &update, vec![number(2), text("user1"), number(version)]).await;
        let lost = (Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed), Some(current.clone()));
        assert_eq!(failure(response), lost, "{condition}");
    }
    assert_eq!(get(&dynamodb, "user1").await, Some(current));
}

#[tokio::test]
async fn a_failed_condition_returns_no_item_unless_requested() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    put(&dynamodb, &item([("user_id", text("user1")), ("version", number(9))])).await;
    let silent = BatchStatementRequest::builder()
        .statement(r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ? AND "version" = ?"#)
        .set_parameters(Some(vec![number(2), text("user1"), number(7)]));
    let response = run(&dynamodb, vec![silent.build().unwrap()]).await.remove(0);
    assert_eq!(failure(response), (Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed), None));
}

#[tokio::test]
async fn an_update_whose_version_is_higher_is_written() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    put(&dynamodb, &item([("user_id", text("user1")), ("version", number(9))])).await;
    // 9 < 10 as numbers, but not as text.
    let update = r#"UPDATE "session-state" SET "version" = ? WHERE "user_id" = ? AND "version" < ?"#;
    succeeds(&dynamodb, update, vec![number(10), text("user1"), number(10)]).await;
    let after = item([("user_id", text("user1")), ("version", number(10))]);
    assert_eq!(get(&dynamodb, "user1").await, Some(after));
}

#[tokio::test]
async fn an_update_of_a_missing_item_fails_and_creates_none() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let failed = || (Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed), None);

    let update = r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ? AND "version" < ?"#;
    let response = run_one(&dynamodb, update, vec![number(1), text("nobody"), number(9)]).await;
    assert_eq!(failure(response), failed());

    // Unlike UpdateItem, even without a condition other than the key.
    let update = r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ?"#;
    let response = run_one(&dynamodb, update, vec![number(1), text("nobody")]).await;
    assert_eq!(failure(response), failed());
    assert_eq!(get(&dynamodb, "nobody").await, None);
}

#[tokio::test]
async fn an_update_of_an_item_without_the_compared_attribute_fails_and_returns_the_item() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let there = item([("user_id", text("user1"))]);
    put(&dynamodb, &there).await;
    let update = r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ? AND "version" < ?"#;
    let response = run_one(&dynamodb, update, vec![number(1), text("user1"), number(9)]).await;
    let code = Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed);
    assert_eq!(failure(response), (code, Some(there)));
}

#[tokio::test]
async fn reserved_words_in_double_quotes_are_names() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    // An INSERT has names in single quotes, where any word is allowed.
    succeeds(
        &dynamodb,
        r#"INSERT INTO "session-state" VALUE {'user_id': ?, 'status': ?, 'end': ?, 'start': ?, 'order': ?}"#,
        vec![text("user1"), text("open"), number(1), number(1), number(1)],
    )
    .await;
    succeeds(
        &dynamodb,
        r#"UPDATE "session-state" SET "status" = ? SET "end" = ? REMOVE "order" WHERE "user_id" = ? AND "start" < ?"#,
        vec![text("closed"), number(2), text("user1"), number(2)],
    )
    .await;
    let after =
        item([("user_id", text("user1")), ("status", text("closed")), ("end", number(2)), ("start", number(1))]);
    assert_eq!(get(&dynamodb, "user1").await, Some(after));
}

#[tokio::test]
async fn each_statement_has_its_own_response_in_request_order() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let current = item([("user_id", text("user1")), ("version", number(9))]);
    put(&dynamodb, &current).await;
    let insert = r#"INSERT INTO "session-state" VALUE {'user_id': ?, 'version': ?}"#;
    let update = r#"UPDATE "session-state" SET "n" = ? WHERE "user_id" = ? AND "version" = ?"#;
    let responses = run(
        &dynamodb,
        vec![
            statement(insert, vec![text("user0"), number(1)]),
            statement(update, vec![number(1), text("user1"), number(8)]),
            statement(insert, vec![text("user2"), number(1)]),
            statement(update, vec![number(1), text("user3"), number(1)]),
        ],
    )
    .await;
    let answers: Vec<_> = responses.into_iter().map(|it| it.error.map(|error| (error.code, error.item))).collect();
    let lost = Some(BatchStatementErrorCodeEnum::ConditionalCheckFailed);
    let expected = [None, Some((lost.clone(), Some(current))), None, Some((lost, None))];
    assert_eq!(answers, expected);
    assert!(get(&dynamodb, "user0").await.is_some());
    assert!(get(&dynamodb, "user2").await.is_some());
}

#[tokio::test]
async fn a_call_accepts_at_most_twenty_five_statements() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let inserts = |count: usize| {
        let insert = r#"INSERT INTO "session-state" VALUE {'user_id': ?}"#;
        (0..count).map(|user| statement(insert, vec![text(&format!("{count}/{user}"))])).collect()
    };
    assert!(run(&dynamodb, inserts(25)).await.iter().all(|response| response.error.is_none()));
    let call = dynamodb.batch_execute_statement().set_statements(Some(inserts(26)));
    assert!(call.send().await.is_err());
    assert_eq!(get(&dynamodb, "26/0").await, None);
}

#[tokio::test]
async fn two_statements_on_one_item_fail_the_whole_call() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    let insert = r#"INSERT INTO "session-state" VALUE {'user_id': ?}"#;
    let users = ["user1", "user2", "user1"];
    let statements = users.iter().map(|user| statement(insert, vec![text(user)])).collect();
    let call = dynamodb.batch_execute_statement().set_statements(Some(statements));
    assert!(call.send().await.is_err());
    assert_eq!(get(&dynamodb, "user2").await, None);
}
