//! docs/sessionctl.md lists the permissions that each command needs: those for the calls it makes and no others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_types::SdkConfig;
use kinesis_function::config::Settings as _;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Fault, FaultyHttpClient};
use local_aws::{HandMadeRecord, LocalAws, LocalAwsOptions, Template};
use ops::active;
use ops::config::TableNames;
use ops::forget::Forget;
use ops::output::{Format, Output};
use ops::produce::{Load, Options, Share, produce};
use ops::redrive::{Mode, Plan, Reasons};
use ops::state_logs::StateLogs;
use ops::tables::{self, Tables};
use ops::target::Target;
use ops::timeline::Timeline;
use ops::user_sessions::{self, Asked};
use ops::user_state::UserState;
use ops::users::StateTables;
use ops::watch::Watch;
use shared::click_format::ClickFormat;
use shared::user_id::UserId;

const PAGE: &str = include_str!("../../docs/sessionctl.md");

/// The operations of Kinesis that commands call.
const KINESIS: [&str; 5] = ["PutRecords", "DescribeStreamSummary", "ListShards", "GetShardIterator", "GetRecords"];

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
        let is_of_kinesis = KINESIS.contains(&call.operation.as_str());
        let service = if is_of_kinesis { "kinesis" } else { "dynamodb" };
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

/// A user `u` with a click, a session and a rejected record; and the recording of what follows.
async fn with_a_user() -> (LocalAws, SdkConfig, Arc<Mutex<BTreeSet<String>>>) {
    let (services, sdk, calls) = recorded().await;
    let (dynamodb, kinesis) = (services.dynamodb(), services.kinesis());
    let variables = Template::of_this_project().unwrap().function("SessionizerFunction").unwrap().environment.clone();
    let config = sessionizer_fn::config::Config::from_variables(variables).unwrap();
    let sessionizer = sessionizer_fn::handler::Sessionizer::new(config, &dynamodb, &kinesis);
    let record = HandMadeRecord {
        sequence_number: "1".to_owned(),
        partition_key: "u".to_owned(),
        data: br#"{"user_id":"u","event_timestamp":1721390000000}"#.to_vec(),
        arrival_ms: 1_721_390_000_000,
    };
    let time = TimeBudget::lasting(1_721_390_000_000, Duration::from_secs(10));
    let place = ("click-stream", "shardId-000000000000");
    Box::pin(local_aws::invoke(&sessionizer, time, place, vec![record])).await.unwrap();
    let update = dynamodb.update_item().table_name("rejected-records");
    let update = update.key("position", AttributeValue::S("click-stream/shardId-000000000000/1".to_owned()));
    let update = update.update_expression("SET #data = :data").expression_attribute_names("#data", "data");
    let data = AttributeValue::B(Blob::new(r#"{"user_id":"u"}"#));
    update.expression_attribute_values(":data", data).send().await.unwrap();
    (services, sdk, calls)
}

fn output() -> Output<Vec<u8>> {
    Output::new(Vec::new(), Format::Text)
}

#[tokio::test]
async fn sessions_active_and_state_need_exactly_the_permissions_on_the_page() {
    let (_services, sdk, calls) = with_a_user().await;
    let (dynamodb, user_id) = (aws_sdk_dynamodb::Client::new(&sdk), UserId::new("u").unwrap());
    let asked = Asked::UserOrSession(user_id.clone());
    Target::of(&sdk, &dynamodb, &[], ["sessions"]).await.unwrap();
    user_sessions::show(&dynamodb, "sessions", &asked, None, None, &mut output()).await.unwrap();
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), listed("sessions"));

    Target::of(&sdk, &dynamodb, &[], ["sessions"]).await.unwrap();
    Timeline::of_user(&dynamodb, "sessions", &user_id).await.unwrap();
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), listed("timeline"));

    Target::of(&sdk, &dynamodb, &[], ["state-log"]).await.unwrap();
    let logs = StateLogs::open(&dynamodb, "state-log").await.unwrap().unwrap();
    active::show(&logs, 1, &mut output(), |_| ()).await.unwrap();
    assert_eq!(std::mem::take(&mut *calls.lock().unwrap()), listed("active"));

    Target::of(&sdk, &dynamodb, &[], ["state-log", "session-state"]).await.unwrap();
    UserState::read(&dynamodb, StateTables { log: "state-log", rest: "session-state" }, user_id).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), listed("state"));
}

#[tokio::test]
async fn watch_needs_exactly_the_permissions_on_the_page() {
    let (_services, sdk, calls) = with_a_user().await;
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    let target = Target::of(&sdk, &dynamodb, &[], []).await.unwrap();
    target.with_streams(&kinesis, &["session-stream"]).await.unwrap();
    let watch = Watch::start(&kinesis, "session-stream", None).await.unwrap();
    let has_read = async {
        while !calls.lock().unwrap().contains("kinesis:GetRecords") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    watch.show(&mut output(), has_read).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), listed("watch"));
}

#[tokio::test]
async fn produce_needs_exactly_the_permissions_on_the_page() {
    let (_services, sdk, calls) = recorded().await;
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    let target = Target::of(&sdk, &dynamodb, &[], []).await.unwrap();
    target.with_streams(&kinesis, &["click-stream"]).await.unwrap();
    let none = Share::default();
    let load = Load::new(Options {
        rate: 10,
        users: 2,
        gap_seconds: 10,
        late: none,
        late_by_seconds: 60,
        duplicate: none,
        broken: none,
        duration_seconds: 1,
        seed: 1,
    });
    let never = std::future::pending;
    let produced = produce(&kinesis, "click-stream", &load.unwrap(), never(), never(), |_| ()).await;
    assert_eq!(produced.accepted, 10);
    assert_eq!(*calls.lock().unwrap(), listed("produce"));
}

#[tokio::test]
async fn forget_needs_exactly_the_permissions_on_the_page_and_a_dry_run_only_those_for_reading() {
    let (_services, sdk, calls) = with_a_user().await;
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    let names = ["sessions", "state-log", "session-state", "rejected-records"];
    let target = Target::of(&sdk, &dynamodb, &[], names).await.unwrap();
    target.with_streams(&kinesis, &["session-stream", "click-stream"]).await.unwrap();
    let [sessions, state_log, states, rejected] = names.map(str::to_owned);
    let (tables, user_id) = (TableNames { sessions, state_log, states, rejected }, UserId::new("u").unwrap());
    let forget = Forget {
        dynamodb: &dynamodb,
        tables: &tables,
        format: &ClickFormat::default(),
        user_id: &user_id,
        by_partition_key: false,
        stream_hours: 24,
        settling: Duration::ZERO,
    };
    let found = forget.find(|_| ()).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), listed("forget --dry-run"));
    forget.carry_out(&found, ops::time_text::now_ms, |_, _| ()).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), listed("forget"));
}
