//! Each function's role allows exactly the calls that the function makes and those made on its behalf.

use kinesis_function::config::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_types::SdkConfig;
use kinesis_function::handler::Handler;
use kinesis_function::invocation::handle;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::{HandMadeRecord, LocalAws, LocalAwsOptions, Template, hand_made_event};
use serde_json::Value;
use sessionizer_fn::handler::Sessionizer;
use sink_fn::handler::Sink;

use crate::template::{properties, resources};

/// An action and the logical id of the resource, or `*`.
type Permission = (String, String);

const NOW_MS: u64 = 1_721_390_600_000;

/// Calls of the event source mapping on the function's behalf. Source: the Lambda developer guide, "Configuring
/// permissions" for Kinesis.
const READING: [&str; 5] = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
];
/// Calls of Lambda on the function's behalf for its logs and traces.
const LOGGING: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
const TRACING: [&str; 2] = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"];

fn permissions(actions: &[&str], resource: &str) -> BTreeSet<Permission> {
    actions.iter().map(|action| ((*action).to_owned(), resource.to_owned())).collect()
}

/// The permissions of the role called `logical_id`.
fn allowed(logical_id: &str) -> BTreeSet<Permission> {
    let role = properties(logical_id);
    assert!(role.get("ManagedPolicyArns").is_none(), "{logical_id} has permissions from elsewhere");
    let policies = role["Policies"].as_array().unwrap();
    let statements = policies.iter().flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    let mut allowed = BTreeSet::new();
    for statement in statements {
        // A conditional statement: `!If [CONDITION, STATEMENT, !Ref AWS::NoValue]`.
        let statement = statement.get("Fn::If").map_or(statement, |choice| &choice[1]);
        assert_eq!(statement["Effect"], "Allow");
        let actions = match &statement["Action"] {
            Value::String(action) => vec![action.clone()],
            Value::Array(actions) => actions.iter().map(|action| action.as_str().unwrap().to_owned()).collect(),
            other => panic!("{other} is not an action"),
        };
        for action in actions {
            assert!(!action.contains('*'), "{action} has a wildcard");
            assert!(allowed.insert((action, resource(&statement["Resource"]))), "twice: {statement}");
        }
    }
    allowed
}

/// The logical id in `!GetAtt NAME.Arn`, or the parameter's name in `!Ref NAME`; for `!If`, that of its first branch.
fn resource(value: &Value) -> String {
    if let Some(choice) = value.get("Fn::If") {
        return resource(&choice[1]);
    }
    let arn = value.get("Fn::GetAtt").map(|path| path.as_str().unwrap().strip_suffix(".Arn").unwrap());
    arn.or_else(|| value.get("Ref")?.as_str()).or_else(|| value.as_str()).unwrap().to_owned()
}

/// A client configuration that records every call made with it.
fn recording(embedded: &LocalAws) -> (SdkConfig, Arc<Mutex<Vec<Call>>>) {
    let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
    let kept = Arc::clone(&calls);
    let config = embedded.client_config();
    let http = FaultyHttpClient::new(config.http_client().unwrap(), move |call| {
        kept.lock().unwrap().push(call.clone());
        Fault::None
    });
    (config.to_builder().http_client(http).build(), calls)
}

/// The permissions that `calls` need.
fn needed(calls: &[Call]) -> BTreeSet<Permission> {
    let mut logical_ids = BTreeMap::new();
    for (logical_id, resource) in resources() {
        let properties = &resource["Properties"];
        if let Some(name) = properties["TableName"].as_str().or_else(|| properties["Name"].as_str()) {
            logical_ids.insert(name.to_owned(), logical_id);
        }
    }
    let on = |action: &str, name: &str| (action.to_owned(), logical_ids[name].clone());
    let mut needed = BTreeSet::new();
    for call in calls {
        let body = &call.body;
        match call.operation.as_str() {
            "BatchExecuteStatement" => needed.extend(body["Statements"].as_array().unwrap().iter().map(|statement| {
                let text = statement["Statement"].as_str().unwrap();
                let action = match text.split_whitespace().next().unwrap() {
                    "INSERT" => "dynamodb:PartiQLInsert",
                    "UPDATE" => "dynamodb:PartiQLUpdate",
                    "DELETE" => "dynamodb:PartiQLDelete",
                    "SELECT" => "dynamodb:PartiQLSelect",
                    other => panic!("{other}?"),
                };
                on(action, text.split('"').nth(1).unwrap())
            })),
            operation @ ("BatchGetItem" | "BatchWriteItem") => {
                let tables = body["RequestItems"].as_object().unwrap().keys();
                needed.extend(tables.map(|table| on(&format!("dynamodb:{operation}"), table)));
            }
            operation @ ("GetItem" | "PutItem") => {
                needed.insert(on(&format!("dynamodb:{operation}"), body["TableName"].as_str().unwrap()));
            }
            "PutRecords" => drop(needed.insert(on("kinesis:PutRecords", body["StreamName"].as_str().unwrap()))),
            other => panic!("this test does not support the call {other}"),
        }
    }
    needed
}

fn event<E: serde::de::DeserializeOwned>(stream: &str, first: u64, records: &[&str]) -> E {
    let records = records.iter().zip(first..).map(|(data, number)| HandMadeRecord {
        sequence_number: number.to_string(),
        partition_key: "u".to_owned(),
        data: data.as_bytes().to_vec(),
        arrival_ms: 1_721_390_500_000,
    });
    serde_json::from_str(&hand_made_event(stream, "shardId-000000000000", records.collect()).unwrap()).unwrap()
}

fn ten_seconds() -> TimeBudget {
    TimeBudget::lasting(NOW_MS, Duration::from_secs(10))
}

async fn embedded() -> (LocalAws, Template) {
    let embedded = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    let template = Template::of_this_project().unwrap();
    embedded.create_resources(&template, Some(1)).await.unwrap();
    (embedded, template)
}

#[tokio::test]
async fn sessionizers_role_allows_exactly_its_calls() {
    let (embedded, template) = embedded().await;
    let (sdk, calls) = recording(&embedded);
    let environment = template.function("SessionizerFunction").unwrap().environment.clone();
    let config = sessionizer_fn::config::Config::from_variables(environment).unwrap();
    let sessionizer =
        Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &aws_sdk_kinesis::Client::new(&sdk));
    sessionizer.warm_up().await;
    // A new user, an unreadable record, the existing user, and all of it again.
    let click = |user: &str, ms: u64| format!(r#"{{"user_id":"{user}","event_timestamp":{ms}}}"#);
    let batch = |records: Vec<String>, first: u64, now_ms: u64| {
        let event = event("click-stream", first, &records.iter().map(String::as_str).collect::<Vec<_>>());
        let time = TimeBudget::lasting(now_ms, Duration::from_secs(10));
        let sessionizer = sessionizer.clone();
        async move {
            let answer = handle(&sessionizer, event, time).await.unwrap();
            assert_eq!(answer.records.undone, 0);
            answer.report
        }
    };
    for _delivery in 0..2 {
        batch(vec![click("u", 1_721_390_100_000), "[]".to_owned()], 1, NOW_MS).await;
        batch(vec![click("u", 1_721_390_200_000), click("u", 1_721_390_300_000)], 3, NOW_MS).await;
    }
    // A sweep closes one half of the users, and hours later the next commit, of the other half, moves them to rest: at
    // first as new items, in the end as items that exist.
    let mut now_ms = NOW_MS;
    for (round, half) in (1..).zip(["a", "b", "a", "b"]) {
        now_ms += 7_200_000;
        let users = (0..30).map(|user| click(&format!("{half}{user}"), 1_721_390_100_000 + round * 60_000)).collect();
        let report = batch(users, round * 1_000, now_ms).await;
        assert_eq!(report.users_at_rest > 0, round > 1, "round {round}: {report:?}");
        now_ms += 7_200_000;
        let time = TimeBudget::lasting(now_ms, Duration::from_secs(10));
        assert_eq!(handle_sweep(&sessionizer, time).await.unwrap().outcome, Ok(()));
    }
    let mut expected = needed(&calls.lock().unwrap());
    expected.extend(permissions(&READING, "ClickStream"));
    expected.extend(permissions(&["kms:Decrypt"], "ClickStreamKeyArn")); // to read a stream with a customer managed key
    expected.extend(permissions(&LOGGING, "SessionizerLogs"));
    expected.extend(permissions(&TRACING, "*"));
    assert_eq!(allowed("SessionizerRole"), expected);
}

#[tokio::test]
async fn sinks_role_allows_exactly_its_calls() {
    let (embedded, template) = embedded().await;
    let (sdk, calls) = recording(&embedded);
    let environment = template.function("SinkFunction").unwrap().environment.clone();
    let config = sink_fn::config::Config::from_variables(environment).unwrap();
    let sink = Sink::new(config, &aws_sdk_dynamodb::Client::new(&sdk));
    sink.warm_up().await;
    let boundary = |status: &str, version: u64| {
        format!(
            r#"{{"user_id":"u","session_timestamp":100000,"session_time":"1970-01-01 00:01:40","session_id":"u_0","event_type":null,"device_type":null,"status":"{status}","version":{version}}}"#
        )
    };
    // A new session, an unreadable record, and a newer version of the session.
    for (first, records) in [(1, [boundary("open", 1), "[]".to_owned()]), (3, ["[]".to_owned(), boundary("open", 2)])] {
        let event = event("session-stream", first, &records.each_ref().map(String::as_str));
        let answer = handle(&sink, event, ten_seconds()).await.unwrap();
        assert_eq!((answer.records.undone, answer.report.written, answer.records.rejected), (0, 1, 1));
    }
    let mut expected = needed(&calls.lock().unwrap());
    expected.extend(permissions(&READING, "SessionStream"));
    expected.extend(permissions(&LOGGING, "SinkLogs"));
    expected.extend(permissions(&TRACING, "*"));
    assert_eq!(allowed("SinkRole"), expected);
}
