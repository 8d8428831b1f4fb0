//! Runs that continue the tables of an earlier one, and a run's other outputs.

use std::fs;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use local::pipeline::Options;
use local::run::{Run, run};
use local::summary::{Oversized, OversizedLine};
use local_aws::{LocalAws, LocalAwsOptions};
use tempfile::TempDir;

use crate::closed::closed;
use crate::{Input, Shape, assert_same, testdata};

#[tokio::test(flavor = "multi_thread")]
async fn second_run_on_the_same_data_continues_where_the_first_one_ended() {
    let folder = TempDir::new().unwrap();
    let clicks = fs::read_to_string(testdata("bursts.clicks.ndjson")).unwrap();
    let lines: Vec<_> = clicks.lines().collect();
    let shape = Shape { shards: 2, batch_size: 1_000 };
    let mut last = String::new();
    for (part, lines) in lines.chunks(lines.len().div_ceil(2)).enumerate() {
        let input = folder.path().join(format!("part{part}.ndjson"));
        fs::write(&input, lines.join("\n")).unwrap();
        // The first part ends with every session closed, and the second part reopens the sessions of most of them.
        let input = Input { data_dir: Some(folder.path().join("data")), close: true, ..Input::new(input, shape) };
        last = input.sessions().await.0;
    }
    let expected = fs::read_to_string(testdata("bursts.sessions.ndjson")).unwrap();
    assert_same(&last, &closed(&expected, clicks.as_bytes()));
}

#[tokio::test(flavor = "multi_thread")]
async fn boundaries_and_rejected_records_are_written_to_the_requested_files() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let long = "x".repeat(1_100_000);
    let click = |user: &str, ms: u64| format!(r#"{{"user_id":"{user}","event_timestamp":{ms}}}"#);
    let lines =
        [click("a", 1_721_390_000_000), "no click".to_owned(), long, String::new(), click("a", 1_721_390_020_000)];
    fs::write(path("in"), lines.join("\n")).unwrap();
    let summary = run(Run {
        input: path("in"),
        sessions: None,
        boundaries: Some(path("boundaries")),
        rejected: Some(path("rejected")),
        close: false,
        // One click per batch: a session that opens and closes within one batch is published once, as closed.
        options: Options { shards: Some(1), batch_size: Some(1), ..Options::default() },
    })
    .await
    .unwrap();
    let too_long = OversizedLine { number: 3, bytes: 1_100_000, partition_key_bytes: None };
    let too_long = Oversized { count: 1, first: vec![too_long] };
    assert_eq!((summary.read, summary.sessionizer.applied, &summary.too_long), (4, 2, &too_long));
    assert!(!summary.is_everything_accounted_for(), "an oversized line has no outcome");
    let boundaries = fs::read_to_string(path("boundaries")).unwrap();
    assert_eq!(boundaries.matches("\"status\":\"open\"").count(), 2, "{boundaries}");
    let rejected = fs::read_to_string(path("rejected")).unwrap();
    assert_eq!(rejected.lines().count(), 1);
    assert!(rejected.contains(r#""reason":"not_json""#) && rejected.contains(r#""data":"bm8gY2xpY2s=""#), "{rejected}");
}

#[tokio::test(flavor = "multi_thread")]
async fn state_that_cannot_be_read_ends_the_run_with_an_error_that_names_it() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("in"), r#"{"user_id":"a","event_timestamp":1721390000000}"#).unwrap();
    let data_dir = Some(path("data"));
    let run_again = || {
        let options = Options { data_dir: data_dir.clone(), ..Options::default() };
        run(Run { input: path("in"), sessions: Some(path("sessions")), options, ..Run::default() })
    };
    run_again().await.unwrap();

    let services = LocalAws::start(LocalAwsOptions { data_dir: data_dir.clone(), ..LocalAwsOptions::default() });
    let services = services.await.unwrap();
    let commits = services.dynamodb().scan().table_name("state-log").send().await.unwrap().items.unwrap();
    let commit = commits.into_iter().find(|item| item.contains_key("entries")).unwrap();
    let slot = commit["slot"].as_s().unwrap().clone();
    let damage = services.dynamodb().put_item().table_name("state-log").set_item(Some(commit));
    damage.item("entries", AttributeValue::B(Blob::new(*b"\xff"))).send().await.unwrap();
    services.stop().await;

    let error = run_again().await.unwrap_err().to_string();
    let expected = format!(
        "SessionizerFunction cannot process every record: state (unreadable), 1 times, first: the item {slot:?} of the \
         state-log table cannot be read: entries: "
    );
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(fs::read_to_string(path("sessions")).unwrap(), "", "a run that fails leaves its outputs empty");
}
