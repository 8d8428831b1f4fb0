//! Clicks in another format than the contract's.

use sessionizer_fn::report::Report;

use crate::world::{World, invoke, named, record};

const VARIABLES: [(&str, &str); 5] = [
    ("USER_ID_FIELD", "/userId,/anonymousId"),
    ("EVENT_TIMESTAMP_FIELD", "/timestamp"),
    ("EVENT_TIMESTAMP_FORMAT", "iso8601"),
    ("EVENT_NAME_FIELD", "/event"),
    ("EVENT_NAMES_IGNORED", "ping"),
];

#[tokio::test]
async fn fields_times_and_filter_are_those_that_are_configured() {
    let world = World::start().await;
    let event = |event: &str, time: &str| {
        format!(r#"{{"userId":"","anonymousId":"a","event":"{event}","timestamp":"2024-07-19T11:53:{time}Z"}}"#)
    };
    let events = [event("view", "20.5"), event("ping", "25"), event("view", "31"), event("ping", "x")];
    let events: Vec<_> = (1..).zip(&events).map(|(number, json)| record(number, "a", json.as_bytes())).collect();
    let answer = invoke(&world.sessionizer_with(&VARIABLES), "s1", &events).await;
    assert_eq!(named(&answer), None, "{answer:?}");
    assert_eq!((answer.report.applied, answer.report.filtered, answer.records.rejected), (2, 2, 0));
    // 10.5 s without activity: the ping in between keeps no session alive.
    assert_eq!(world.window("a").await.len(), 2);
}

/// Whatever else is wrong with the events, and although they leave no trace in any table.
#[tokio::test]
async fn batch_of_nothing_but_filtered_events_is_done() {
    let world = World::start().await;
    let pings = [r#"{"userId":"a","event":"ping","timestamp":"2024-07-19T11:53:20Z"}"#, r#"{"event":"ping"}"#];
    let pings: Vec<_> = (1..).zip(pings).map(|(number, json)| record(number, "a", json.as_bytes())).collect();
    let sessionizer = world.sessionizer_with(&VARIABLES);
    for _ in 0..2 {
        let answer = invoke(&sessionizer, "s1", &pings).await;
        assert_eq!(named(&answer), None, "{answer:?}");
        let Report { filtered, commits, .. } = answer.report;
        assert_eq!((filtered, commits, answer.records.rejected), (2, 0, 0));
    }
    assert!(world.rejected().await.is_empty());
}

#[tokio::test]
async fn rejections_name_the_path() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&VARIABLES);
    let answer = invoke(&sessionizer, "s1", &[record(1, "a", br#"{"userId":"u","timestamp":1721390000}"#)]).await;
    assert_eq!((named(&answer), answer.records.rejected), (None, 1));
    let item = &world.rejected().await[0];
    assert_eq!(item["reason"].as_s().unwrap(), "event_timestamp_wrong_format");
    let message = item["message"].as_s().unwrap();
    assert!(message.contains("/timestamp is 1721390000") && message.contains("as seconds"), "{message}");
}
