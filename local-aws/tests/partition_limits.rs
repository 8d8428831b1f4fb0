//! Writes above a partition's limit are throttled as by DynamoDB, and the others are written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, PutRequest, WriteRequest,
};
use local_aws::partition_limits::PartitionLimits;
use local_aws::{LocalAws, LocalAwsOptions, Template};

const REJECTED: &str = "rejected-records";
const STATE: &str = "session-state";

/// Services, and a client with partition limits; rejected-records is partitioned by `rejected_key`.
async fn limited(rejected_key: &str, units_per_second: u32) -> (LocalAws, Client, PartitionLimits) {
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    embedded.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
    let config = embedded.client_config();
    let keys = [(REJECTED, rejected_key), (STATE, "user_id")].map(|(table, key)| (table.to_owned(), key.to_owned()));
    let limits = PartitionLimits::new(config.http_client().unwrap(), keys.into(), units_per_second);
    let config = config.to_builder().http_client(limits.clone()).build();
    (embedded, Client::new(&config), limits)
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

/// A record of `shard` whose item uses `units` write units.
fn put(shard: &str, number: u32, units: usize) -> WriteRequest {
    let data = Blob::new(vec![0; units * 1_024 - 200]);
    let put = PutRequest::builder().item("position", text(&format!("{shard}/{number}"))).item("source", text(shard));
    WriteRequest::builder().put_request(put.item("data", AttributeValue::B(data)).build().unwrap()).build()
}

/// The positions returned as unprocessed.
async fn unprocessed(dynamodb: &Client, puts: Vec<WriteRequest>) -> Vec<String> {
    let answer = dynamodb.batch_write_item().request_items(REJECTED, puts).send().await.unwrap();
    let left = answer.unprocessed_items.and_then(|mut tables| tables.remove(REJECTED)).unwrap_or_default();
    let position = |put: &WriteRequest| put.put_request().unwrap().item()["position"].as_s().unwrap().clone();
    left.iter().map(position).collect()
}

async fn count(embedded: &LocalAws, table: &str) -> usize {
    let items = embedded.dynamodb().scan().table_name(table).into_paginator().items().send();
    items.collect::<Result<Vec<_>, _>>().await.unwrap().len()
}

#[tokio::test]
async fn items_above_the_limit_of_their_partition_are_returned_unprocessed_and_the_others_are_written() {
    let (embedded, dynamodb, limits) = limited("source", 1_000).await;
    let puts = vec![put("a", 1, 300), put("a", 2, 300), put("a", 3, 399), put("a", 4, 300), put("b", 5, 300)];
    assert_eq!(unprocessed(&dynamodb, puts).await, ["a/4"]);
    assert_eq!((count(&embedded, REJECTED).await, limits.refused()), (4, 1));
}

#[tokio::test]
async fn items_in_separate_partitions_are_all_written() {
    let (embedded, dynamodb, limits) = limited("position", 1_000).await;
    let puts: Vec<_> = (0..25).map(|number| put("a", number, 300)).collect();
    assert!(unprocessed(&dynamodb, puts).await.is_empty());
    assert_eq!((count(&embedded, REJECTED).await, limits.refused()), (25, 0));
}

#[tokio::test]
async fn call_without_an_accepted_item_fails_as_a_whole() {
    let (embedded, dynamodb, _) = limited("source", 1).await;
    let call = dynamodb.batch_write_item().request_items(REJECTED, vec![put("a", 1, 2), put("a", 2, 2)]);
    let error = call.send().await.unwrap_err().into_service_error();
    assert!(error.is_provisioned_throughput_exceeded_exception(), "{error:?}");
    assert_eq!(count(&embedded, REJECTED).await, 0);
}

/// Each partition gets either more than it can ever accept or less than it always accepts, so timing does not matter.
#[tokio::test]
async fn statements_above_the_limit_of_their_partition_fail_individually() {
    let (embedded, dynamodb, limits) = limited("position", 300).await;
    let data = |units: usize| AttributeValue::B(Blob::new(vec![0; units * 1_024]));
    let statement = |text: String, parameters: Vec<AttributeValue>| {
        BatchStatementRequest::builder().statement(text).set_parameters(Some(parameters)).build().unwrap()
    };
    let insert = |user: &str, units| {
        statement(format!("INSERT INTO \"{STATE}\" VALUE {{'data': ?, 'user_id': ?}}"), vec![data(units), text(user)])
    };
    let update = |user: &str, units| {
        let text_of_update = format!("UPDATE \"{STATE}\" SET \"data\" = ? WHERE \"user_id\" = ?");
        statement(text_of_update, vec![data(units), text(user)])
    };
    let run = async |statements: Vec<BatchStatementRequest>| -> Vec<Option<BatchStatementErrorCodeEnum>> {
        let answer = dynamodb.batch_execute_statement().set_statements(Some(statements)).send().await.unwrap();
        answer.responses.unwrap().into_iter().map(|response| response.error?.code).collect()
    };
    let throttled = || Some(BatchStatementErrorCodeEnum::ProvisionedThroughputExceeded);
    assert_eq!(run(vec![insert("a", 390), insert("b", 1), insert("c", 1)]).await, [throttled(), None, None]);
    assert_eq!(run(vec![update("b", 390), update("c", 1)]).await, [throttled(), None]);
    assert_eq!(run(vec![insert("d", 390)]).await, [throttled()]);
    assert_eq!((count(&embedded, STATE).await, limits.refused()), (2, 3));
}
