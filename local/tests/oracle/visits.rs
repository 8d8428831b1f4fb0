//! Clicks that arrive out of order in normal operation: through several shards, or from a clock that is ahead.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use local::pipeline::{Options, Pipeline};
use ops::stored::{self, ReadLimit};
use shared::session::Status;

const MINUTE_MS: u64 = 60_000;

/// Puts clicks of `user` with these times in one request, each with its own random partition key.
async fn put(pipeline: &Pipeline, user: &str, times: impl IntoIterator<Item = u64>) {
    let entry = |ms: u64| {
        let click = format!(r#"{{"user_id":"{user}","event_timestamp":{ms}}}"#);
        let key = fastrand::u64(..).to_string();
        PutRecordsRequestEntry::builder().partition_key(key).data(Blob::new(click)).build().unwrap()
    };
    let entries = times.into_iter().map(entry).collect();
    let put = pipeline.kinesis().put_records().stream_name(&pipeline.click_stream).set_records(Some(entries));
    assert_eq!(put.send().await.unwrap().failed_record_count, Some(0));
}

/// Closes everything and returns the number of clicks of each session, in order.
async fn clicks_of_sessions(pipeline: &Pipeline, records: u64) -> Vec<u64> {
    pipeline.drain(records).await.unwrap();
    pipeline.sweeps.close_all().await.unwrap();
    pipeline.drain(records).await.unwrap();
    let sessions =
        stored::sessions(&pipeline.dynamodb(), &pipeline.sessions_table, ReadLimit::WholeTable).await.unwrap();
    let mut sessions = sessions.items;
    sessions.sort_by_key(|session| session.session_timestamp);
    let count = |status: Option<Status>| match status {
        Some(Status::Closed { event_count, .. }) => event_count,
        other => panic!("not closed: {other:?}"),
    };
    sessions.into_iter().map(|session| count(session.status)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_visits_through_random_partition_keys_are_as_many_sessions() {
    const VISITS: u64 = 20;
    const CLICKS_PER_VISIT: u64 = 10;
    let settings = [("SessionGapSeconds", "1800"), ("AllowedLatenessSeconds", "86400")];
    let parameters = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let pipeline = Pipeline::start(Options { parameters, shards: Some(4), ..Options::default() }).await.unwrap();
    let first_ms = 1_721_390_000_000;
    let visit = |number: u64| (0..CLICKS_PER_VISIT).map(move |click| first_ms + (number * 69 + click) * MINUTE_MS);
    put(&pipeline, "visitor", (0..VISITS).flat_map(visit)).await;
    let counts = clicks_of_sessions(&pipeline, VISITS * CLICKS_PER_VISIT).await;
    assert_eq!(counts, [CLICKS_PER_VISIT; VISITS as usize]);
    assert_eq!(pipeline.sessionizer_total.now().late, 0);
    pipeline.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_click_a_quarter_of_an_hour_ahead_costs_no_other_click() {
    let pipeline = Pipeline::start(Options { shards: Some(1), ..Options::default() }).await.unwrap();
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    put(&pipeline, "ahead", [now_ms + 14 * MINUTE_MS]).await;
    pipeline.drain(1).await.unwrap();
    put(&pipeline, "ahead", [now_ms, now_ms + 1_000]).await;
    assert_eq!(clicks_of_sessions(&pipeline, 3).await, [2, 1]);
    let total = pipeline.sessionizer_total.now();
    assert_eq!((total.applied, total.late), (3, 0));
    pipeline.stop().await.unwrap();
}
