//! docs/operations.md lists the permissions that each command needs: those for the calls it makes and no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use local_aws::faults::{Fault, FaultyHttpClient};
use local_aws::{LocalAws, LocalAwsOptions, Template};
use ops::output::{Format, Output};
use ops::redrive::{Mode, Plan, Reasons};
use ops::tables::{self, Tables};
use ops::target::Target;

const PAGE: &str = include_str!("../../docs/operations.md");

/// The actions in the row of the page's table that starts with `command`, without KMS actions.
fn listed(command: &str) -> BTreeSet<String> {
    let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{command}` |"))).expect("the command has a row");
    let is_action = |text: &&str| text.starts_with("dynamodb:") || text.starts_with("kinesis:");
    row.split('`').filter(is_action).map(str::to_owned).collect()
}

/// The services with one rejected record, and the operations called through the returned configuration.
async fn recorded() -> (LocalAws, SdkConfig, Arc<Mutex<BTreeSet<String>>>) {
    let services = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    services.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let number = |number: u64| AttributeValue::N(number.to_string());
    let put = services.dynamodb().put_item().table_name("rejected-records");
    let put = put.item("position", text("click-stream/shardId-000000000000/1")).item("partition_key", text("a"));
    let put = put.item("source", text("click-stream/shardId-000000000000")).item("sequence_number", text("1"));
    let put = put.item("reason", text("not_json")).item("message", text("expected value"));
    let put = put.item("arrival_time", number(1)).item("data_length", number(1));
    put.item("data", AttributeValue::B(Blob::new("x"))).send().await.unwrap();

    let calls: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let kept = Arc::clone(&calls);
    let config = services.client_config().clone();
    let http = FaultyHttpClient::new(config.http_client().unwrap(), move |call| {
        let service = if call.operation == "PutRecords" { "kinesis" } else { "dynamodb" };
        kept.lock().unwrap().insert(format!("{service}:{}", call.operation));
        Fault::None
    });
    let config = config.to_builder().http_client(http).build();
    (services, config, calls)
}

#[tokio::test]
async fn tables_needs_exactly_the_permissions_on_the_page() {
    let (_services, sdk, calls) = recorded().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    let names = ["sessions", "state-log", "session-state", "rejected-records"];
    let [sessions, state_log, states, rejected] = Target::of(&sdk, &dynamodb, &[], names).await.unwrap().tables;
    let (sessions, state_log, states, rejected) = (&sessions, &state_log, &states, &rejected);
    let tables = Tables { sessions, state_log, states, rejected, limit: 10, width: None };
    tables::show(&dynamodb, &tables, &mut Output::new(Vec::new(), Format::Text)).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), listed("tables"));
}

#[tokio::test]
async fn redrive_needs_exactly_the_permissions_on_the_page_and_a_dry_run_only_those_for_reading() {
    let (_services, sdk, calls) = recorded().await;
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    Target::of(&sdk, &dynamodb, &[], ["rejected-records"]).await.unwrap();
    let redrive = async |mode| {
        let plan = Plan::list(&dynamodb, "rejected-records", &Reasons::new(Vec::new()).unwrap()).await.unwrap();
        plan.carry_out(&kinesis, mode, |_| ()).await.unwrap()
    };
    redrive(Mode::DryRun).await;
    assert_eq!(*calls.lock().unwrap(), listed("redrive --dry-run"));
    redrive(Mode::ForReal).await;
    assert_eq!(*calls.lock().unwrap(), listed("redrive"));
}
