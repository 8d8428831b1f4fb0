//! Each rejected record is redriven once, and stored again if it is rejected again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::primitives::Blob;
use local::export;
use local::pipeline::{Options, Pipeline};
use ops::redrive::{Mode, Plan, Reasons, Redriven};
use ops::stored::{self, ReadLimit};

async fn pipeline(data_dir: &Path, max_clock_skew_seconds: u64) -> Pipeline {
    let skew = ("MaxClockSkewSeconds".to_owned(), max_clock_skew_seconds.to_string());
    let options = Options {
        parameters: [skew].into(),
        shards: Some(2),
        data_dir: Some(data_dir.to_owned()),
        ..Options::default()
    };
    Pipeline::start(options).await.unwrap()
}

async fn put(pipeline: &Pipeline, records: &[Vec<u8>]) {
    for (number, data) in records.iter().enumerate() {
        let put = pipeline.kinesis().put_record().stream_name(&pipeline.click_stream);
        put.partition_key(format!("key {number}")).data(Blob::new(data.clone())).send().await.unwrap();
    }
    pipeline.drain(records.len() as u64).await.unwrap();
}

async fn redriven(pipeline: &Pipeline, reasons: &[&str], mode: Mode) -> Redriven {
    let reasons = Reasons::new(reasons.iter().map(ToString::to_string).collect()).unwrap();
    let dynamodb = pipeline.dynamodb();
    let plan = Plan::list(&dynamodb, &pipeline.rejected_table, &reasons).await.unwrap();
    plan.carry_out(&pipeline.kinesis(), mode, |_| ()).await.unwrap()
}

async fn rejected(pipeline: &Pipeline) -> Vec<(String, String)> {
    let rows = export::rejected(&pipeline.dynamodb(), &pipeline.rejected_table, 0).await.unwrap();
    rows.into_iter().map(|row| (row.reason, row.sequence_number)).collect()
}

fn counts(pairs: &[(&str, u64)]) -> std::collections::BTreeMap<String, u64> {
    pairs.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_rejected_for_clock_skew_become_sessions_once_the_limit_is_larger() {
    let folder = tempfile::TempDir::new().unwrap();
    let strict = pipeline(folder.path(), 0).await;
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(600);
    let early = |user: &str| format!(r#"{{"user_id":"{user}","event_timestamp":{}}}"#, now_ms.as_millis()).into_bytes();
    let too_large = vec![b'x'; 1_000_000];
    put(&strict, &[early("a"), b"no click".to_vec(), early("b"), too_large]).await;
    strict.stop().await.unwrap();

    let lenient = pipeline(folder.path(), 900).await;
    let foreign = lenient.dynamodb().put_item().table_name(&lenient.rejected_table);
    let key = |name: &str| aws_sdk_dynamodb::types::AttributeValue::S(name.to_owned());
    foreign.item("position", key("somebody's own")).send().await.unwrap();
    assert_eq!(
        redriven(&lenient, &["status_unknown"], Mode::ForReal).await,
        Redriven { foreign: 1, ..Redriven::default() }
    );
    let error = export::rejected(&lenient.dynamodb(), &lenient.rejected_table, 0).await.unwrap_err().to_string();
    assert!(error.contains(r#"position "somebody's own""#), "{error}");
    let delete = lenient.dynamodb().delete_item().table_name(&lenient.rejected_table);
    delete.key("position", key("somebody's own")).send().await.unwrap();

    let before = rejected(&lenient).await;
    assert_eq!(before.len(), 4);

    let in_the_future = ["event_timestamp_in_the_future"];
    let would = redriven(&lenient, &in_the_future, Mode::DryRun).await;
    assert_eq!(would.put, counts(&[("event_timestamp_in_the_future", 2)]));
    assert_eq!(rejected(&lenient).await, before, "a dry run changes nothing");

    assert_eq!(redriven(&lenient, &in_the_future, Mode::ForReal).await, would);
    lenient.drain(2).await.unwrap();
    let sessions = stored::sessions(&lenient.dynamodb(), &lenient.sessions_table, ReadLimit::WholeTable).await.unwrap();
    let ids: Vec<_> = sessions.items.iter().map(|session| session.session_id()).collect();
    assert_eq!(ids, ["a_0", "b_0"]);
    assert_eq!(lenient.sessionizer_total.now().applied, 2);

    // Remaining: one record rejected again, under its new position, and one that was truncated when it was stored.
    let all = redriven(&lenient, &[], Mode::ForReal).await;
    assert_eq!((all.put, all.cut), (counts(&[("not_json", 1)]), counts(&[("not_json", 1)])));
    lenient.drain(3).await.unwrap();
    let after = rejected(&lenient).await;
    assert_eq!(after.len(), 2);
    assert!(after.iter().all(|(reason, _)| reason == "not_json"), "{after:?}");
    assert_eq!(after.iter().filter(|item| before.contains(item)).count(), 1, "the other record has a new position");
    lenient.stop().await.unwrap();
}
