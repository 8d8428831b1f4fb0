//! Records, events and items at the limits of Kinesis, Lambda and DynamoDB.

use sessionizer_fn::state::MAX_CURSORS;
use shared::limits::{END_OF_EVENT_TIME_MS, MAX_ATTRIBUTE_BYTES, MAX_USER_ID_CHARS, MIN_CLICK_TIME_MS};

use crate::world::{ARRIVAL_MS, BEGIN_MS, Sent, World, click_at, invoke, named};

/// More sessions with the largest attributes than fit into an outbox.
const SESSIONS_PER_SHARD: u64 = 25;

/// The longest possible user id: 256 characters of 4 bytes.
fn longest_user_id() -> String {
    "🦀".repeat(MAX_USER_ID_CHARS)
}

/// A click with the largest possible attributes, `ms` milliseconds after [`BEGIN_MS`].
fn largest_click(sequence_number: u64, user: &str, ms: u64) -> Sent {
    let ms = BEGIN_MS + ms;
    let text = "x".repeat(MAX_ATTRIBUTE_BYTES);
    let json = format!(
        r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"{text}","event_type":"{text}","device_type":"{text}"}}"#
    );
    (sequence_number, user.to_owned(), json.into_bytes())
}

#[tokio::test]
async fn longest_user_id_with_the_largest_attributes_on_the_most_shards_is_committed_and_published() {
    let (world, user) = (World::start().await, longest_user_id());
    let sessionizer = world.sessionizer();
    for shard in 0..=MAX_CURSORS as u64 {
        let clicks: Vec<_> = (0..SESSIONS_PER_SHARD)
            .map(|n| largest_click(n + 1, &user, (SESSIONS_PER_SHARD * shard + n) * 20_000))
            .collect();
        let answer = invoke(&sessionizer, &format!("shardId-{shard:012}"), &clicks).await;
        assert_eq!((named(&answer), answer.report.applied), (None, SESSIONS_PER_SHARD), "shard {shard}");
        assert_eq!(answer.report.shard_switches, u64::from(shard > 0), "shard {shard}");
    }
    let state = world.state(&user).await;
    let sessions = SESSIONS_PER_SHARD * (MAX_CURSORS as u64 + 1);
    assert_eq!((state.sessions.ordinal, state.cursors.len()), (sessions - 1, MAX_CURSORS));
    let told = world.told().await;
    for ordinal in 0..state.sessions.ordinal {
        assert!(told.contains(&(format!("{user}_{ordinal}"), "closed")), "session {ordinal} was not closed");
    }
}

#[tokio::test]
async fn click_from_beyond_the_clock_skew_does_not_freeze_its_user() {
    let world = World::start().await;
    let (arrival, skew) = (ARRIVAL_MS.unsigned_abs(), 3_600_000);
    let sent = [MIN_CLICK_TIME_MS, END_OF_EVENT_TIME_MS - 1, arrival + skew + 1, arrival, arrival + skew];
    let clicks: Vec<_> = sent.into_iter().zip(1..).map(|(ms, number)| click_at(number, "a", ms)).collect();
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.records.rejected), (None, 3, 2));
    for item in world.rejected().await {
        assert_eq!(item["reason"].as_s().unwrap(), "event_timestamp_in_the_future");
    }
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.start.ms()), (2, arrival + skew));
    assert_eq!(world.published().await[0].session_time, "1973-03-03 09:46:40");
}

/// Five records of 900 KiB are 6 MB in base64, Lambda's largest event.
#[tokio::test]
async fn event_of_six_megabytes_is_processed_whatever_its_records_contain() {
    let world = World::start().await;
    let filling = 900 * 1_024;
    let user = |n| format!("user{n}");
    let click_with = |n: u64, field: String| {
        let json = format!(r#"{{"user_id":"user{n}","event_timestamp":{BEGIN_MS},"unknown":{field}}}"#);
        (n, user(n), json.into_bytes())
    };
    let records = [
        click_with(1, format!("\"{}\"", "x".repeat(filling))),
        click_with(2, format!("{}{}", "[".repeat(filling / 2), "]".repeat(filling / 2))),
        click_with(3, r#""\ud83d\ude00""#.to_owned()),
        (4, user(4), vec![0xFF; filling]),
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
