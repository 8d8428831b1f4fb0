//! Reading the sessions table: order, tombstones, and items that the sink did not write.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use ops::stored::{ReadLimit, sessions};

async fn services() -> LocalAws {
    let services = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    services.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
    services
}

/// Puts session `ordinal` of `user`, with this id and status.
async fn put(services: &LocalAws, user: &str, ordinal: u64, session_id: &str, status: &str) {
    let texts = [("user_id", user), ("session_id", session_id), ("status", status), ("session_time", "any")];
    let numbers = [("ordinal", ordinal), ("session_timestamp", 1_721_390_000_000), ("version", 1)];
    let texts = texts.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned())));
    let numbers = numbers.map(|(name, value)| (name.to_owned(), AttributeValue::N(value.to_string())));
    let item: HashMap<_, _> = texts.into_iter().chain(numbers).collect();
    services.dynamodb().put_item().table_name("sessions").set_item(Some(item)).send().await.unwrap();
}

#[tokio::test]
async fn sessions_are_sorted_by_id_as_bytes_without_tombstones() {
    let services = services().await;
    for (user, ordinal, status) in [("a", 9, "open"), ("b", 0, "open"), ("a", 10, "open"), ("a", 11, "retracted")] {
        put(&services, user, ordinal, &format!("{user}_{ordinal}"), status).await;
    }
    let read = sessions(&services.dynamodb(), "sessions", ReadLimit::WholeTable).await.unwrap();
    let ids: Vec<_> = read.items.iter().map(|session| session.session_id()).collect();
    assert_eq!(ids, ["a_10", "a_9", "b_0"]);
}

#[tokio::test]
async fn item_that_is_no_session_is_an_error_that_names_its_key_and_the_attribute() {
    for (session_id, status, attribute) in [("a_7", "paused", "status"), ("a_8", "open", "session_id")] {
        let services = services().await;
        put(&services, "a", 7, session_id, status).await;
        let error = sessions(&services.dynamodb(), "sessions", ReadLimit::WholeTable).await.unwrap_err().to_string();
        let expected = format!("the item with user_id \"a\", ordinal 7: attribute {attribute} is missing or invalid");
        assert!(error.contains(&expected), "{error}");
    }
}
