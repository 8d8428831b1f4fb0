use super::*;
use crate::page::history::Kept;

fn events(feed: &Feed) -> Vec<(&'static str, String)> {
    let of = |event: &Kept| (event.kind.name(), event.data.to_string());
    feed.lock().history.after(None).events.iter().map(of).collect()
}

/// The JSON of an event without the time at which it was read.
fn without_at(json: &str) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_str(json).unwrap();
    assert!(value.as_object_mut().unwrap().remove("at").is_some_and(|at| at.is_u64()));
    value
}

#[test]
fn a_boundary_is_passed_on_with_every_key_it_has_in_one_line() {
    let feed = Feed::default();
    let own_keys = concat!(
        "{\"user_id\":\"a\",\r\n\"session_timestamp\":1721390000000,\"session_time\":\"2024-07-19 11:53:20\",",
        "\"session_id\":\"a_0\",\"event_type\":null,\"device_type\":null,\"event_name\":\"line\\nbreak\",",
        "\"status\":\"open\",\"basket\":[1,2],\"version\":7}",
    );
    let large = own_keys.replace("[1,2]", &format!("\"{}\"", "x".repeat(MAX_SHOWN_BOUNDARY_BYTES)));
    let batch = [own_keys, "not a boundary", &large.replace("a_0", "a_1")];
    take_boundaries(&feed, &batch.map(|data| data.as_bytes().to_vec()));
    let events = events(&feed);
    assert_eq!(events.len(), 1);
    let (kind, json) = &events[0];
    assert!(!json.contains(['\r', '\n']), "{json}");
    let boundary = &without_at(json)["boundary"];
    assert_eq!(*kind, "boundary");
    assert_eq!(boundary["basket"], serde_json::json!([1, 2]));
    assert_eq!(boundary["event_name"], "line\nbreak");
    assert!(json.contains(r#""device_type":null,"event_name""#), "the order of keys is that of the record: {json}");
    assert_eq!(feed.lock().counters.open, 2, "a boundary that is too large to show is counted");
}

#[test]
fn clicks_are_passed_on_with_whether_they_are_late_and_unreadable_records_are_not() {
    let feed = Feed::default();
    let click = |ms: u64| format!(r#"{{"user_id":"a","event_timestamp":"{ms}","event_name":"search"}}"#);
    let far_future = unix_ms() + 3_600_000;
    let batch = [click(1_721_390_009_000), "{".to_owned(), click(far_future), click(1_721_390_001_000)];
    take_clicks(&feed, &batch.map(String::into_bytes), &ClickFormat::default(), 900_000);
    let shown: Vec<_> = events(&feed).iter().map(|(_, json)| without_at(json)).collect();
    let expected =
        |time: u64, is_late: bool| serde_json::json!({"user": "a", "time": time, "name": "search", "is_late": is_late});
    assert_eq!(shown, [expected(1_721_390_009_000, false), expected(1_721_390_001_000, true)]);
}

#[test]
fn rejected_records_are_counted_by_reason_and_passed_on() {
    let feed = Feed::default();
    let table = RejectedReader::new(
        // Never called.
        aws_sdk_dynamodb::Client::from_conf(
            aws_sdk_dynamodb::Config::builder()
                .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::v2026_01_12())
                .build(),
        ),
        "rejected-records".to_owned(),
    );
    let rejection = |reason: &str| ShownRejection {
        at: 1_721_390_000_000,
        partition_key: "a".to_owned(),
        reason: reason.to_owned(),
        message: "why".to_owned(),
    };
    take_rejected(&feed, &table, &["not_json", "user_id_missing", "not_json"].map(rejection));
    let expected = [("not_json".to_owned(), 2), ("user_id_missing".to_owned(), 1)];
    assert_eq!(feed.lock().counters.rejected, expected.into());
    assert_eq!(events(&feed).len(), 3);
    let expected = serde_json::json!({"partition_key": "a", "reason": "not_json", "message": "why"});
    assert_eq!(without_at(&events(&feed)[0].1), expected);
}
