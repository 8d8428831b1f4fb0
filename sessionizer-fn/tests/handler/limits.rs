//! Records, events and users at the limits of Kinesis, Lambda and DynamoDB.

use shared::limits::{END_OF_EVENT_TIME_MS, MAX_ATTRIBUTE_BYTES, MAX_USER_ID_CHARS, MIN_CLICK_TIME_MS};

use crate::world::{ARRIVAL_MS, BEGIN_MS, Sent, World, click_at, invoke, invoke_at, live, named, record};

/// The longest possible user id: 256 characters of 4 bytes.
fn longest_user_id() -> String {
    "🦀".repeat(MAX_USER_ID_CHARS)
}

/// A click with the largest possible attributes, `ms` milliseconds after [`BEGIN_MS`].
fn largest_click(sequence_number: u64, user: &str, ms: u64) -> Sent {
    let at = BEGIN_MS + ms;
    let text = "x".repeat(MAX_ATTRIBUTE_BYTES);
    let json = format!(
        r#"{{"user_id":"{user}","event_timestamp":{at},"event_name":"{text}","event_type":"{text}","device_type":"{text}"}}"#
    );
    Sent { data: json.into_bytes(), ..live(sequence_number, user, ms) }
}

#[tokio::test]
async fn longest_user_id_with_the_largest_attributes_is_committed_published_leaves_and_comes_back() {
    let (world, user) = (World::with_ring(4).await, longest_user_id());
    let sessionizer = world.sessionizer();
    let mut clicks: Vec<_> = (0..25).map(|n| largest_click(n + 1, &user, 100_000 + n * 20_000)).collect();
    let answer = invoke_at(600_000, &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 25));
    for n in 0..6 {
        let ms = 700_000 + 60_000 * n;
        clicks.push(live(ms, "busy", ms));
        assert_eq!(named(&invoke_at(ms + 500, &sessionizer, "s1", &clicks[clicks.len() - 1..]).await), None);
    }
    assert!(world.logged(&user).await.is_none());
    let back = [largest_click(2_000_000, &user, 2_000_000)];
    let answer = invoke_at(2_000_500, &sessionizer, "s1", &back).await;
    assert_eq!((named(&answer), answer.report.users_read), (None, 1));
    clicks.extend(back);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn longest_user_ids_that_differ_only_in_their_ends_are_different_users() {
    let world = World::start().await;
    let [one, two] = ["a", "b"].map(|last| format!("{}{last}", "🦀".repeat(MAX_USER_ID_CHARS - 1)));
    let clicks = [largest_click(1, &one, 100_000), largest_click(2, &two, 103_000), largest_click(3, &one, 106_000)];
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &clicks).await), None);
    world.assert_table_is_of(&clicks).await;
}

/// Of more than 32 sessions, or more than 4 KB of attributes, the oldest are left behind: final, and told.
#[tokio::test]
async fn window_that_is_full_leaves_its_oldest_sessions_behind() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let many: Vec<_> = (0..40).map(|n| live(n + 1, "many", 100_000 + n * 20_000)).collect();
    let wide: Vec<_> = (0..10).map(|n| largest_click(n + 101, "wide", 900_000 + n * 20_000)).collect();
    for clicks in [&many, &wide] {
        assert_eq!(named(&invoke(&sessionizer, "s1", clicks).await), None);
    }
    assert_eq!((world.window("many").await.len(), world.window("wide").await.len()), (32, 5));
    // Too old for the window, though within the lateness.
    let late = [live(201, "many", 110_000), live(202, "wide", 910_000)];
    let answer = invoke(&sessionizer, "s1", &late).await;
    assert_eq!((answer.report.late, answer.report.applied), (2, 0));
    world.assert_table_is_of(many.iter().chain(&wide)).await;
}

#[tokio::test]
async fn click_from_beyond_the_clock_skew_does_not_freeze_its_user() {
    let world = World::start().await;
    let skew = 900_000;
    let sent = [MIN_CLICK_TIME_MS, END_OF_EVENT_TIME_MS - 1, ARRIVAL_MS + skew + 1, ARRIVAL_MS, ARRIVAL_MS + skew];
    let clicks: Vec<_> = sent.into_iter().zip(1..).map(|(ms, number)| click_at(number, "a", ms)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.records.rejected), (None, 3, 2));
    for item in world.rejected().await {
        assert_eq!(item["reason"].as_s().unwrap(), "event_timestamp_in_the_future");
    }
    let window = world.state("a").await.window;
    assert_eq!((window.last_ordinal(), window.last().unwrap().start.ms()), (Some(2), ARRIVAL_MS + skew));
    assert_eq!(world.published().await[0].session_time, "1973-03-03 09:46:40");
    // A click on time is within the lateness of the one that is ahead.
    let on_time = [click_at(9, "a", ARRIVAL_MS + 1_000)];
    assert_eq!(invoke(&world.sessionizer(), "s1", &on_time).await.report.late, 0);
}

/// Five records of 900 KiB are 6 MB in base64, Lambda's largest event.
#[tokio::test]
async fn event_of_six_megabytes_is_processed_whatever_its_records_contain() {
    let world = World::start().await;
    let filling = 900 * 1_024;
    let user = |n| format!("user{n}");
    let click_with = |n: u64, field: String| {
        let json = format!(r#"{{"user_id":"user{n}","event_timestamp":{BEGIN_MS},"unknown":{field}}}"#);
        record(n, &user(n), json.as_bytes())
    };
    let records = [
        click_with(1, format!("\"{}\"", "x".repeat(filling))),
        click_with(2, format!("{}{}", "[".repeat(filling / 2), "]".repeat(filling / 2))),
        click_with(3, r#""\ud83d\ude00""#.to_owned()),
        record(4, &user(4), &vec![0xFF; filling]),
        click_with(5, "[".repeat(filling)),
        click_with(6, "1".repeat(filling)),
    ];
    let answer = invoke(&world.sessionizer(), "s1", &records).await;
    assert_eq!((named(&answer), answer.report.applied, answer.records.rejected), (None, 4, 2));
    let mut reasons: Vec<_> =
        world.rejected().await.iter().map(|item| item["reason"].as_s().unwrap().clone()).collect();
    reasons.sort();
    assert_eq!(reasons, ["not_json", "not_utf8"]);
}
