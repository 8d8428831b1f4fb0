//! The pipe that publishes ends of sessions: its filter lets closed boundaries through, and nothing else.

use serde_json::{Value, json};
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::columns::declaration::SessionColumns;
use shared::columns::published::PublishedColumns;
use shared::event_time::EventTime;
use shared::session::{Status, TouchedSession};
use shared::user_id::UserId;

use crate::template::properties;

/// Whether `event` matches `pattern`: each of the pattern's keys leads to one of the values in its list.
fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(keys) => {
            keys.iter().all(|(key, pattern)| event.get(key).is_some_and(|value| matches(pattern, value)))
        }
        Value::Array(values) => values.contains(event),
        other => panic!("not a pattern: {other}"),
    }
}

/// A record of session-stream as a pipe compares it: with its data as JSON.
fn record(status: Status) -> Value {
    let time = |ms| EventTime::from_ms(ms).unwrap();
    let session = TouchedSession {
        ordinal: 0,
        start: time(1_721_390_000_000),
        attributes: Attributes::default(),
        columns: PublishedColumns::default(),
        status,
    };
    let boundary = Boundary::of(&UserId::new("user1").unwrap(), session, &SessionColumns::default(), Version::new(1));
    let data: Value = serde_json::from_slice(&boundary.encode().unwrap()).unwrap();
    json!({ "partitionKey": "user1", "data": data })
}

#[test]
fn pipe_lets_ends_through_and_nothing_else() {
    let pipe = properties("SessionEndsPipe");
    let filters = pipe["SourceParameters"]["FilterCriteria"]["Filters"].as_array().unwrap();
    let patterns: Vec<Value> =
        filters.iter().map(|filter| serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap()).collect();
    let passes = |status| patterns.iter().any(|pattern| matches(pattern, &record(status)));
    let end = EventTime::from_ms(1_721_390_004_000).unwrap();
    assert!(passes(Status::Closed { end, event_count: 2 }));
    assert!(!passes(Status::Open));
    assert!(!passes(Status::Retracted));
}

#[test]
fn pipe_reads_session_stream_and_passes_the_boundary_on_as_it_is() {
    let pipe = properties("SessionEndsPipe");
    assert_eq!(pipe["Source"], json!({ "Fn::GetAtt": "SessionStream.Arn" }));
    assert_eq!(pipe["Target"], json!({ "Ref": "SessionEndsBus" }));
    assert_eq!(pipe["TargetParameters"]["InputTemplate"], "<$.data>");
    assert_eq!(pipe["SourceParameters"]["KinesisStreamParameters"]["MaximumRetryAttempts"], -1);
}
