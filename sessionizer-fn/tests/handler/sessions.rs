//! Processing without faults.

use crate::world::{BEGIN_MS, World, click, invoke, named};

#[tokio::test]
async fn clicks_are_committed_and_their_boundaries_published() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_500), click(3, "a", 101_000), click(4, "a", 120_000)];
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!(named(&answer), None);
    assert_eq!((answer.report.applied, answer.report.published, answer.records.undone), (4, 3, 0));
    assert_eq!(
        world.told().await,
        [("a_0".to_owned(), "closed"), ("a_1".to_owned(), "open"), ("b_0".to_owned(), "open")]
    );
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.event_count), (1, 1));
    assert_eq!(state.sessions.previous.unwrap().event_count, 2);
}

#[tokio::test]
async fn boundaries_carry_the_version_of_the_state_they_come_from() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000)]).await;
    let first = world.state("a").await.version;
    invoke(&sessionizer, "s1", &[click(2, "a", 120_000)]).await;
    let second = world.state("a").await.version;
    assert!(second > first);
    let versions: Vec<_> = world.published().await.iter().map(|boundary| boundary.version).collect();
    assert_eq!(versions, [first, second, second]);
}

#[tokio::test]
async fn every_session_of_a_user_is_published_even_if_a_batch_has_hundreds() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..400).map(|n| click(n + 1, "a", 100_000 + 20_000 * n)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 400));
    let told = world.told().await;
    for ordinal in 0..400 {
        let status = if ordinal == 399 { "open" } else { "closed" };
        assert!(told.contains(&(format!("a_{ordinal}"), status)), "a_{ordinal} is not {status}");
    }
}

#[tokio::test]
async fn users_beyond_one_request_are_all_done() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..260).map(|n| click(n + 1, &format!("user{n}"), 100_000 + n)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (None, 260, 260));
    assert_eq!(world.told().await.len(), 260);
}

#[tokio::test]
async fn first_session_is_left_out_if_configured() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&[("FIRST_SESSION", "skip")]);
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000), click(2, "a", 120_000), click(3, "b", 120_000)]).await;
    assert_eq!(world.told().await, [("a_1".to_owned(), "open")]);
}

#[tokio::test]
async fn bad_attributes_never_reject_a_click_and_are_counted() {
    let world = World::start().await;
    let json = format!(
        r#"{{"user_id":"a","event_timestamp":{BEGIN_MS}.0,"event_name":404,"event_type":"{}","device_type":["mobile"]}}"#,
        "é".repeat(200)
    );
    let odd = (1, "a".to_owned(), json.into_bytes());
    let answer = invoke(&world.sessionizer(), "s1", &[odd, click(2, "a", 1_000)]).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.adjusted_attributes), (None, 2, 3));
    let attributes = &world.published().await[0].attributes;
    assert_eq!(attributes.event_name.as_deref(), Some("404"));
    assert_eq!(attributes.event_type.as_deref(), Some("é".repeat(128).as_str()));
    assert_eq!(attributes.device_type, None);
}

#[tokio::test]
async fn event_without_a_valid_sequence_number_is_an_error() {
    let world = World::start().await;
    let event = serde_json::json!({"Records": [{"kinesis": {"data": "", "approximateArrivalTimestamp": 1.0, "sequenceNumber": "x"}, "eventID": "s:1", "eventSourceARN": "arn:aws:kinesis:r:1:stream/s"}]});
    let time = kinesis_function::time_budget::TimeBudget::until(u64::MAX / 2_000);
    let (sessionizer, event) = (world.sessionizer(), serde_json::from_value(event).unwrap());
    let error = kinesis_function::invocation::handle(&sessionizer, event, time).await.unwrap_err();
    assert!(error.to_string().contains("sequence number \"x\""), "{error}");
}
