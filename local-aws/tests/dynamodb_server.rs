//! The embedded DynamoDB, called through the SDK: in memory, or in a directory that outlives it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::{DynamoDbServer, LocalAws, LocalAwsError, LocalAwsOptions, Template};
use tokio::net::TcpStream;

async fn embedded_in(data_dir: Option<&std::path::Path>) -> LocalAws {
    let options = LocalAwsOptions { data_dir: data_dir.map(std::path::Path::to_owned), ..LocalAwsOptions::default() };
    let embedded = LocalAws::start(options).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(1)).await.unwrap();
    embedded
}

fn item() -> HashMap<String, AttributeValue> {
    let map = HashMap::from([("start".to_owned(), AttributeValue::N("1721390000000".to_owned()))]);
    HashMap::from([
        ("user_id".to_owned(), AttributeValue::S("user1".to_owned())),
        ("version".to_owned(), AttributeValue::N("7".to_owned())),
        ("current".to_owned(), AttributeValue::M(map)),
        ("raw".to_owned(), AttributeValue::B(vec![0, 255].into())),
        ("none".to_owned(), AttributeValue::Null(true)),
    ])
}

async fn put(dynamodb: &Client) {
    dynamodb.put_item().table_name("session-state").set_item(Some(item())).send().await.unwrap();
}

async fn get(dynamodb: &Client) -> Option<HashMap<String, AttributeValue>> {
    let key = AttributeValue::S("user1".to_owned());
    let call = dynamodb.get_item().table_name("session-state").key("user_id", key);
    call.consistent_read(true).send().await.unwrap().item
}

#[tokio::test]
async fn an_item_is_returned_as_it_was_put() {
    let embedded = embedded_in(None).await;
    put(&embedded.dynamodb()).await;
    assert_eq!(get(&embedded.dynamodb()).await, Some(item()));
}

#[tokio::test]
async fn two_servers_in_memory_share_nothing() {
    let (one, other) = (embedded_in(None).await, embedded_in(None).await);
    put(&one.dynamodb()).await;
    assert_eq!(get(&other.dynamodb()).await, None);
}

#[tokio::test]
async fn a_data_directory_keeps_items_from_one_run_to_the_next() {
    let data_dir = tempfile::tempdir().unwrap();
    let first = embedded_in(Some(data_dir.path())).await;
    put(&first.dynamodb()).await;
    first.stop().await;

    let second = embedded_in(Some(data_dir.path())).await;
    assert_eq!(get(&second.dynamodb()).await, Some(item()));
    second.stop().await;
}

#[tokio::test]
async fn streams_of_the_next_run_assign_higher_sequence_numbers() {
    let data_dir = tempfile::tempdir().unwrap();
    let mut last = String::new();
    for _ in 0..3 {
        let embedded = embedded_in(Some(data_dir.path())).await;
        let put = embedded.kinesis().put_record().stream_name("click-stream");
        let put = put.partition_key("user1").data(b"{}".to_vec().into()).send().await.unwrap();
        assert!(put.sequence_number > last, "{} after {last}", put.sequence_number);
        last = put.sequence_number;
        embedded.stop().await;
    }
}

#[tokio::test]
async fn an_error_names_a_data_directory_that_cannot_be_created() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let below_a_file = file.path().join("data");
    let error = DynamoDbServer::start(Some(&below_a_file)).await.unwrap_err();
    assert!(matches!(error, LocalAwsError::DataDir { .. }), "{error:?}");
    assert!(error.to_string().contains(below_a_file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn an_error_names_a_file_that_is_not_a_database() {
    let data_dir = tempfile::tempdir().unwrap();
    let file = data_dir.path().join("dynamodb.sqlite");
    std::fs::write(&file, "not a database, and long enough to be recognized as such").unwrap();
    let error = DynamoDbServer::start(Some(data_dir.path())).await.unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_dropped_server_closes_its_port() {
    let server = DynamoDbServer::start(None).await.unwrap();
    let address = server.url().trim_start_matches("http://").to_owned();
    drop(server);
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect(&address).await.is_ok() {
        assert!(Instant::now() < deadline, "{address} still answers");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
