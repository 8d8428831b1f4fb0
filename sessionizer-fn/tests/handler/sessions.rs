//! Sessions over one batch and several, without faults.

use crate::world::{BEGIN_MS, Sent, World, click, invoke, named, record};

fn told<const N: usize>(expected: [(&str, &'static str); N]) -> [(String, &'static str); N] {
    expected.map(|(id, status)| (id.to_owned(), status))
}

#[tokio::test]
async fn clicks_are_committed_and_their_boundaries_published() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_500), click(3, "a", 101_000), click(4, "a", 120_000)];
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!(named(&answer), None);
    assert_eq!((answer.report.applied, answer.report.published, answer.records.undone), (4, 3, 0));
    assert_eq!((answer.report.users, answer.report.started, answer.report.closed), (2, 3, 1));
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_1", "open"), ("b_0", "open")]));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 101000, 2 clicks", "1: 120000 open"]);
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2), (1, 120_000, 120_000, 1)]);
}

#[tokio::test]
async fn session_goes_on_from_batch_to_batch_and_is_told_when_it_starts_and_when_the_next_one_does() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    for (number, ms) in (1..).zip([100_000, 105_000, 114_999, 124_998]) {
        assert_eq!(named(&invoke(&sessionizer, "s1", &[click(number, "a", ms)]).await), None);
    }
    assert_eq!(world.told().await, told([("a_0", "open")]));
    // A gap of exactly ten seconds.
    invoke(&sessionizer, "s1", &[click(5, "a", 134_998)]).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 to 124998, 4 clicks", "1: 134998 open"]);
}

#[tokio::test]
async fn boundaries_carry_the_version_of_their_commit() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let bucket = world.bucket_of("a");
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000)]).await;
    let first = world.bucket(bucket).await.log().version();
    invoke(&sessionizer, "s1", &[click(2, "a", 120_000)]).await;
    let second = world.bucket(bucket).await.log().version();
    assert!(second > first);
    let versions: Vec<_> = world.published().await.iter().map(|boundary| boundary.version).collect();
    assert_eq!(versions, [first, second, second]);
}

#[tokio::test]
async fn late_click_inserts_a_session_and_renumbers_those_behind_it() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000), click(2, "a", 160_000), click(3, "a", 200_000)]).await;
    let answer = invoke(&sessionizer, "s1", &[click(4, "a", 130_000)]).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.late), (None, 1, 0));
    let expected = [
        "0: 100000 to 100000, 1 clicks",
        "1: 130000 to 130000, 1 clicks",
        "2: 160000 to 160000, 1 clicks",
        "3: 200000 open",
    ];
    assert_eq!(world.sessions("a").await, expected);
    let table = world.table().await;
    let names: Vec<_> = table.values().map(|boundary| boundary.attributes.event_name.as_deref().unwrap()).collect();
    assert_eq!(names, ["e1", "e4", "e2", "e3"], "sessions keep their attributes under their new ordinals");
}

#[tokio::test]
async fn late_click_merges_two_sessions_and_retracts_the_last_ordinal() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000), click(2, "a", 115_000), click(3, "a", 200_000)]).await;
    let answer = invoke(&sessionizer, "s1", &[click(4, "a", 107_500)]).await;
    assert_eq!((named(&answer), answer.report.merged), (None, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 115000, 3 clicks", "1: 200000 open"]);
    assert!(world.told().await.contains(&("a_2".to_owned(), "retracted")));
}

#[tokio::test]
async fn click_beyond_the_lateness_changes_nothing_but_a_counter() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "s1", &[click(1, "a", 4_000_000)]).await;
    // 4,000 s less an hour and the gap.
    let answer = invoke(&sessionizer, "s1", &[click(2, "a", 390_000), click(3, "a", 390_001)]).await;
    assert_eq!((named(&answer), answer.report.late, answer.report.applied), (None, 1, 1));
    assert_eq!(world.sessions("a").await, ["0: 390001 to 390001, 1 clicks", "1: 4000000 open"]);
}

#[tokio::test]
async fn hundreds_of_sessions_of_one_user_in_one_batch_are_all_published() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..400).map(|n| click(n + 1, "a", 100_000 + 20_000 * n)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.commits), (None, 400, 1));
    world.assert_table_is_of(&clicks).await;
    assert_eq!(world.table().await.len(), 400);
}

#[tokio::test]
async fn users_of_all_buckets_are_done_by_one_batch() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..260).map(|n| click(n + 1, &format!("user{n}"), 100_000 + n)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (None, 260, 260));
    assert_eq!((answer.report.commits, answer.report.buckets_loaded), (4, 4));
    assert_eq!(world.told().await.len(), 260);
    for bucket in 0..4 {
        let logged = world.bucket(bucket).await.users().count();
        let expected = clicks.iter().filter(|click| world.bucket_of(&click.partition_key) == bucket).count();
        assert_eq!(logged, expected, "bucket {bucket} has users that are not its own");
    }
}

#[tokio::test]
async fn first_session_is_left_out_if_configured() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&[("FIRST_SESSION", "skip")]);
    invoke(&sessionizer, "s1", &[click(1, "a", 100_000), click(2, "a", 120_000), click(3, "b", 120_000)]).await;
    assert_eq!(world.told().await, told([("a_1", "open")]));
    invoke(&sessionizer, "s1", &[click(4, "a", 140_000)]).await;
    assert_eq!(world.told().await, told([("a_1", "closed"), ("a_1", "open"), ("a_2", "open")]));
}

#[tokio::test]
async fn starts_are_left_out_if_configured() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&[("BOUNDARIES", "closed")]);
    let answer = invoke(&sessionizer, "s1", &[click(1, "a", 100_000), click(2, "a", 120_000)]).await;
    assert_eq!((named(&answer), answer.report.started, answer.report.published), (None, 2, 1));
    assert_eq!(world.told().await, told([("a_0", "closed")]));
    // A late click makes both sessions one, which is open.
    invoke(&sessionizer, "s1", &[click(3, "a", 109_000), click(4, "a", 115_000)]).await;
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_1", "retracted")]));
    invoke(&sessionizer, "s1", &[click(5, "a", 140_000)]).await;
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_0", "closed"), ("a_1", "retracted")]));
}

#[tokio::test]
async fn bad_attributes_never_reject_a_click_and_are_counted() {
    let world = World::start().await;
    let json = format!(
        r#"{{"user_id":"a","event_timestamp":{BEGIN_MS}.0,"event_name":404,"event_type":"{}","device_type":["mobile"]}}"#,
        "é".repeat(200)
    );
    let odd: Sent = record(1, "a", json.as_bytes());
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
