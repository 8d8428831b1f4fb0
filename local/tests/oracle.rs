//! Whole files through the whole pipeline, compared with sessions computed by sorting them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use local::pipeline::Options;
use local::run::{Run, parameters, run};
use local::summary::{Oversized, OversizedLine, Summary};
use tempfile::TempDir;

const CONTRACT_KEYS: [&str; 6] =
    ["user_id", "session_timestamp", "session_time", "session_id", "event_type", "device_type"];

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)
}

struct Shape {
    shards: u32,
    batch_size: u32,
    parallelization: u32,
}

/// Runs `input` and returns the sessions table as text.
async fn sessions(
    input: PathBuf,
    shape: &Shape,
    first_session: Option<&str>,
    data_dir: Option<PathBuf>,
) -> (String, Summary) {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("sessions.ndjson");
    let options = Options {
        parameters: parameters(None, first_session, Some(shape.parallelization)),
        shards: Some(shape.shards),
        batch_size: Some(shape.batch_size),
        data_dir,
    };
    let summary = run(Run { input, sessions: Some(output.clone()), options, ..Run::default() }).await.unwrap();
    assert!(summary.is_everything_accounted_for(), "{summary}");
    (fs::read_to_string(output).unwrap(), summary)
}

/// The first difference, so that a failure does not print whole files.
fn assert_same(actual: &str, expected: &str) {
    for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "line {}", line + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "number of sessions");
    assert_eq!(actual, expected);
}

async fn yields_its_sessions(stream: &str, shape: Shape) -> Summary {
    let expected = fs::read_to_string(testdata(&format!("{stream}.sessions.ndjson"))).unwrap();
    let (actual, summary) = sessions(testdata(&format!("{stream}.clicks.ndjson")), &shape, None, None).await;
    assert_same(&actual, &expected);
    summary
}

#[tokio::test(flavor = "multi_thread")]
async fn walkthroughs_stream_in_large_batches() {
    yields_its_sessions("walk", Shape { shards: 4, batch_size: 5_000, parallelization: 1 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clicks_in_one_second() {
    yields_its_sessions("bursts", Shape { shards: 4, batch_size: 100, parallelization: 4 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disorder_just_below_the_gap() {
    let summary = yields_its_sessions("disorder", Shape { shards: 4, batch_size: 100, parallelization: 1 }).await;
    assert_eq!(summary.sessionizer.late, 0);
    assert!(summary.sessionizer.merged > 0, "the stream has clicks that merge sessions");
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_delivered_twice() {
    yields_its_sessions("duplicates", Shape { shards: 4, batch_size: 5_000, parallelization: 4 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_records_in_small_batches_over_one_shard() {
    // Three clicks arrive minutes late, too late for the session rule, so they are put first.
    let too_late = br#"{"user_id":"user1","event_timestamp":1721390400000,"event_type":7}"#.as_slice();
    let clicks = fs::read(testdata("hostile.clicks.ndjson")).unwrap();
    let (late, in_time): (Vec<_>, Vec<_>) = clicks.split(|byte| *byte == b'\n').partition(|line| *line == too_late);
    assert_eq!(late.len(), 3);
    let folder = TempDir::new().unwrap();
    let input = folder.path().join("clicks.ndjson");
    fs::write(&input, [late, in_time].concat().join(&b'\n')).unwrap();

    let shape = Shape { shards: 1, batch_size: 20, parallelization: 1 };
    let (actual, summary) = sessions(input, &shape, None, None).await;
    assert_same(&actual, &fs::read_to_string(testdata("hostile.sessions.ndjson")).unwrap());
    assert_eq!((summary.sessionizer.late, summary.sessionizer.adjusted_attributes), (0, 3));
    assert!(summary.rejected.len() > 5, "several reasons: {:?}", summary.rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn flink_jobs_rows_are_the_sessions_without_each_users_first_on_its_six_keys() {
    let shape = Shape { shards: 4, batch_size: 100, parallelization: 1 };
    let (actual, _) = sessions(testdata("walk.clicks.ndjson"), &shape, Some("skip"), None).await;
    let six_keys = |line: &str| {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let fields = CONTRACT_KEYS.map(|key| format!("\"{key}\":{}", row[key]));
        format!("{{{}}}\n", fields.join(","))
    };
    let actual: String = actual.lines().map(six_keys).collect();
    assert_same(&actual, &fs::read_to_string(testdata("walk.flink.ndjson")).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_run_on_the_same_data_continues_where_the_first_one_ended() {
    let folder = TempDir::new().unwrap();
    let clicks = fs::read_to_string(testdata("bursts.clicks.ndjson")).unwrap();
    let lines: Vec<_> = clicks.lines().collect();
    let shape = Shape { shards: 2, batch_size: 1_000, parallelization: 1 };
    let mut last = String::new();
    for (part, lines) in lines.chunks(lines.len().div_ceil(2)).enumerate() {
        let input = folder.path().join(format!("part{part}.ndjson"));
        fs::write(&input, lines.join("\n")).unwrap();
        last = sessions(input, &shape, None, Some(folder.path().join("data"))).await.0;
    }
    assert_same(&last, &fs::read_to_string(testdata("bursts.sessions.ndjson")).unwrap());
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
