//! The resources of the template, created in the embedded services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, KeyType, TableDescription, TimeToLiveStatus};
use local_aws::{LocalAws, LocalAwsError, LocalAwsOptions, Template};

const OURS: &str = include_str!("../../template.yaml");

async fn embedded() -> LocalAws {
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, None).await.unwrap();
    embedded
}

async fn table(embedded: &LocalAws, name: &str) -> TableDescription {
    let answer = embedded.dynamodb().describe_table().table_name(name).send().await.unwrap();
    answer.table.unwrap()
}

async fn open_shards(embedded: &LocalAws, stream: &str) -> Option<i32> {
    let call = embedded.kinesis().describe_stream_summary().stream_name(stream);
    Some(call.send().await.unwrap().stream_description_summary?.open_shard_count)
}

fn keys(elements: &[KeySchemaElement]) -> Vec<(&str, &KeyType)> {
    elements.iter().map(|it| (it.attribute_name(), it.key_type())).collect()
}

#[tokio::test]
async fn tables_have_their_keys() {
    let embedded = embedded().await;
    let state = table(&embedded, "session-state").await;
    assert_eq!(keys(state.key_schema()), [("user_id", &KeyType::Hash)]);

    let rejected = table(&embedded, "rejected-records").await;
    assert_eq!(keys(rejected.key_schema()), [("position", &KeyType::Hash)]);

    let sessions = table(&embedded, "sessions").await;
    assert_eq!(keys(sessions.key_schema()), [("user_id", &KeyType::Hash), ("ordinal", &KeyType::Range)]);
}

#[tokio::test]
async fn ttl_is_enabled_on_the_tables_that_the_template_says() {
    let embedded = embedded().await;
    let mut found = Vec::new();
    for name in ["state-log", "session-state", "sessions", "rejected-records"] {
        let call = embedded.dynamodb().describe_time_to_live().table_name(name);
        let ttl = call.send().await.unwrap().time_to_live_description.unwrap();
        let enabled = ttl.time_to_live_status == Some(TimeToLiveStatus::Enabled);
        found.push((name, enabled.then_some(ttl.attribute_name).flatten()));
    }
    let expires_at = || Some("expires_at".to_owned());
    let expected =
        [("state-log", None), ("session-state", None), ("sessions", expires_at()), ("rejected-records", expires_at())];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn streams_have_the_templates_shards_or_the_requested_ones() {
    let as_in_the_template = embedded().await;
    assert_eq!(open_shards(&as_in_the_template, "click-stream").await, Some(4));

    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(12)).await.unwrap();
    assert_eq!(open_shards(&embedded, "click-stream").await, Some(12));
    assert_eq!(open_shards(&embedded, "session-stream").await, Some(12));
}

#[tokio::test]
async fn query_finds_a_users_sessions_in_the_order_of_their_numbers() {
    let embedded = embedded().await;
    let dynamodb = embedded.dynamodb();
    for (user_id, ordinal) in [("a", 10), ("b", 0), ("a", 9)] {
        let put = dynamodb.put_item().table_name("sessions").item("user_id", AttributeValue::S(user_id.to_owned()));
        put.item("ordinal", AttributeValue::N(ordinal.to_string())).send().await.unwrap();
    }
    let query = dynamodb.query().table_name("sessions").key_condition_expression("user_id = :user");
    let query = query.expression_attribute_values(":user", AttributeValue::S("a".to_owned())).consistent_read(true);
    let found = query.send().await.unwrap().items.unwrap();
    let found: Vec<_> = found.iter().map(|item| item["ordinal"].as_n().unwrap().as_str()).collect();
    assert_eq!(found, ["9", "10"]);
}

#[tokio::test]
async fn an_error_names_a_table_of_an_earlier_run_with_different_keys() {
    let data_dir = tempfile::tempdir().unwrap();
    let options = || LocalAwsOptions { data_dir: Some(data_dir.path().to_owned()), ..Default::default() };
    let earlier = OURS.replace("AttributeName: ordinal", "AttributeName: number");
    let earlier = Template::parse(&earlier, &BTreeMap::new()).unwrap();
    let embedded = LocalAws::start(options()).await.unwrap();
    embedded.create_resources(&earlier, Some(1)).await.unwrap();
    embedded.stop().await;

    let embedded = LocalAws::start(options()).await.unwrap();
    let now = Template::of_this_project().unwrap();
    let error = embedded.create_resources(&now, Some(1)).await.unwrap_err();
    assert!(matches!(&error, LocalAwsError::OtherKeys { table, .. } if table == "sessions"), "{error}");
}

#[tokio::test]
async fn an_error_names_a_stream_that_already_exists() {
    let embedded = embedded().await;
    let again = embedded.create_resources(&Template::of_this_project().unwrap(), None).await;
    let error = again.unwrap_err().to_string();
    assert_eq!(error, "CreateStream of click-stream failed");
}
