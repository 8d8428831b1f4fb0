//! The streams of testdata, cut in several ways. Each is run, and then closed in a second run on the same tables.

use std::fs;

use local::summary::Summary;
use tempfile::TempDir;

use crate::closed::closed;
use crate::{Input, Shape, assert_same, testdata};

const CONTRACT_KEYS: [&str; 6] =
    ["user_id", "session_timestamp", "session_time", "session_id", "event_type", "device_type"];

/// Users of `hourlate` with many clicks each.
const BUSY_USERS: [&str; 4] = ["user1", "user2", "user3", "user5"];

type Parameters = &'static [(&'static str, &'static str)];

async fn yields_its_sessions(stream: &str, shape: Shape) -> Summary {
    yields_its_sessions_with(&[], stream, shape).await
}

async fn yields_its_sessions_with(parameters: Parameters, stream: &str, shape: Shape) -> Summary {
    let clicks = fs::read(testdata(&format!("{stream}.clicks.ndjson"))).unwrap();
    let expected = fs::read_to_string(testdata(&format!("{stream}.sessions.ndjson"))).unwrap();
    yields(parameters, &clicks, &expected, shape).await
}

async fn yields(parameters: Parameters, clicks: &[u8], expected: &str, shape: Shape) -> Summary {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("clicks"), clicks).unwrap();
    fs::write(path("nothing"), "").unwrap();

    let input = Input { parameters, data_dir: Some(path("tables")), ..Input::new(path("clicks"), shape) };
    let (actual, summary) = input.sessions().await;
    assert_same(&actual, expected);
    assert_eq!((summary.sessionizer.late, summary.sessionizer.closed_by_inactivity), (0, 0));

    let last = Input { parameters, data_dir: Some(path("tables")), close: true, ..Input::new(path("nothing"), shape) };
    let (actual, closing) = last.sessions().await;
    assert_same(&actual, &closed(expected, clicks));
    let open = expected.matches(r#""status":"open""#).count() as u64;
    assert_eq!((closing.sessionizer.closed_by_inactivity, closing.sessionizer.applied), (open, 0));
    summary
}

#[tokio::test(flavor = "multi_thread")]
async fn walkthroughs_stream_in_large_batches() {
    yields_its_sessions("walk", Shape { shards: 4, batch_size: 5_000 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clicks_in_one_second() {
    yields_its_sessions("bursts", Shape { shards: 4, batch_size: 100 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disorder_just_below_the_gap() {
    let summary = yields_its_sessions("disorder", Shape { shards: 1, batch_size: 5_000 }).await;
    assert!(summary.sessionizer.merged > 0, "the stream has clicks that merge sessions");
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_delivered_twice() {
    yields_its_sessions("duplicates", Shape { shards: 1, batch_size: 5_000 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_records_in_small_batches_over_one_shard() {
    let summary = yields_its_sessions("hostile", Shape { shards: 1, batch_size: 20 }).await;
    assert_eq!(summary.sessionizer.adjusted_attributes, 3);
    assert!(summary.rejected.len() > 5, "several reasons: {:?}", summary.rejected);
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_up_to_an_hour_late_on_one_shard() {
    yields_its_sessions("hourlate", Shape { shards: 1, batch_size: 100 }).await;
    yields_its_sessions("hourlate", Shape { shards: 1, batch_size: 5_000 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_up_to_an_hour_late_on_four_shards() {
    yields_its_sessions("hourlate", Shape { shards: 4, batch_size: 100 }).await;
    yields_its_sessions("hourlate", Shape { shards: 4, batch_size: 5_000 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_cut_at_midnights() {
    let parameters: Parameters = &[("SessionCut", "daily"), ("SessionCutOffsetMinutes", "120")];
    for shape in [Shape { shards: 1, batch_size: 100 }, Shape { shards: 4, batch_size: 5_000 }] {
        let summary = yields_its_sessions_with(parameters, "midnights", shape).await;
        assert!(summary.sessionizer.merged > 10, "the stream has clicks that merge sessions");
    }
}

/// Users are independent, so some users' clicks yield the same sessions alone.
#[tokio::test(flavor = "multi_thread")]
async fn clicks_up_to_an_hour_late_one_by_one() {
    let of_busy_users = |name: &str| {
        let text = fs::read_to_string(testdata(name)).unwrap();
        let is_busy = |line: &&str| BUSY_USERS.iter().any(|user| line.contains(&format!(r#""user_id":"{user}","#)));
        text.lines().filter(is_busy).map(|line| format!("{line}\n")).collect::<String>()
    };
    let (clicks, expected) = (of_busy_users("hourlate.clicks.ndjson"), of_busy_users("hourlate.sessions.ndjson"));
    assert_eq!((clicks.lines().count(), expected.lines().count()), (299, 25));
    for shards in [1, 4] {
        let summary = yields(&[], clicks.as_bytes(), &expected, Shape { shards, batch_size: 1 }).await;
        assert!(summary.sessionizer.merged > 10, "the clicks merge sessions");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: 20,000 invocations"]
async fn all_clicks_up_to_an_hour_late_one_by_one() {
    for shards in [1, 4] {
        yields_its_sessions("hourlate", Shape { shards, batch_size: 1 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ends_alone_yield_the_sessions_once_all_are_closed() {
    for (stream, shape) in
        [("disorder", Shape { shards: 1, batch_size: 500 }), ("hourlate", Shape { shards: 4, batch_size: 100 })]
    {
        let clicks = testdata(&format!("{stream}.clicks.ndjson"));
        let expected = fs::read_to_string(testdata(&format!("{stream}.sessions.ndjson"))).unwrap();
        let expected = closed(&expected, &fs::read(&clicks).unwrap());
        let input = Input { parameters: &[("Boundaries", "closed")], close: true, ..Input::new(clicks, shape) };
        let (actual, summary) = input.sessions().await;
        assert_same(&actual, &expected);
        assert!(summary.sessionizer.merged > 0, "the stream has clicks that merge sessions");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flink_jobs_rows_are_the_sessions_without_each_users_first_on_its_six_keys() {
    let shape = Shape { shards: 4, batch_size: 100 };
    let input = Input { parameters: &[("FirstSession", "skip")], ..Input::new(testdata("walk.clicks.ndjson"), shape) };
    let (actual, _) = input.sessions().await;
    let six_keys = |line: &str| {
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let fields = CONTRACT_KEYS.map(|key| format!("\"{key}\":{}", row[key]));
        format!("{{{}}}\n", fields.join(","))
    };
    let actual: String = actual.lines().map(six_keys).collect();
    assert_same(&actual, &fs::read_to_string(testdata("walk.flink.ndjson")).unwrap());
}
