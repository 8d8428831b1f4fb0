//! Users who cannot leave because session-state is throttled: the entries are repeated, and where even that does not
//! fit, the commit waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{Sent, World, invoke_at, live, named};

/// A click with attributes of 750 bytes.
fn wide(sequence_number: u64, user: &str, ms: u64) -> Sent {
    let text = "x".repeat(250);
    let at = crate::world::BEGIN_MS + ms;
    let json = format!(
        r#"{{"user_id":"{user}","event_timestamp":{at},"event_name":"{text}","event_type":"{text}","device_type":"{text}"}}"#
    );
    Sent { data: json.into_bytes(), ..live(sequence_number, user, ms) }
}

#[tokio::test]
async fn entry_whose_item_is_throttled_is_repeated_until_the_throttle_ends() {
    let world = World::with_ring(4).await;
    let throttled = Arc::new(AtomicBool::new(true));
    let is_throttled = Arc::clone(&throttled);
    let (sessionizer, calls) = world.faulty(move |kind, _, call| match kind {
        Kind::WriteRest if is_throttled.load(Relaxed) => Fault::PartsThrottled((0..call.parts).collect()),
        _ => Fault::None,
    });
    let mut clicks = vec![live(1, "a", 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &clicks).await;
    for n in 0..10 {
        let ms = 200_000 + 60_000 * n;
        let click = live(ms, "busy", ms);
        let answer = invoke_at(ms + 500, &sessionizer, "s1", std::slice::from_ref(&click)).await;
        assert_eq!((named(&answer), answer.report.users_at_rest, answer.report.lost_races), (None, 0, 0));
        clicks.push(click);
    }
    assert!(calls.of(Kind::WriteRest) > 3, "{} calls", calls.of(Kind::WriteRest));
    assert!(world.logged("a").await.is_some() && world.item("a").await.is_none());
    throttled.store(false, Relaxed);
    for n in 0..3 {
        let ms = 900_000 + 60_000 * n;
        clicks.push(live(ms, "busy", ms));
        invoke_at(ms + 500, &sessionizer, "s1", &clicks[clicks.len() - 1..]).await;
    }
    assert!(world.logged("a").await.is_none() && world.item("a").await.is_some());
    world.assert_table_is_of(&clicks).await;
}

/// Some of the users leave, the others stay until they can.
#[tokio::test]
async fn user_whose_item_is_written_leaves_beside_one_whose_item_is_throttled() {
    let world = World::with_ring(4).await;
    let (sessionizer, _) = world.faulty(|kind, _, call| match kind {
        // The statements name their users in the parameters.
        Kind::WriteRest => {
            let statements = call.body["Statements"].as_array().unwrap();
            let is_a = |statement: &serde_json::Value| statement["Parameters"].to_string().contains(r#"{"S":"a"}"#);
            let of_a = statements.iter().position(is_a);
            of_a.map_or(Fault::None, |place| Fault::PartsThrottled(vec![place]))
        }
        _ => Fault::None,
    });
    let mut clicks = vec![live(1, "a", 100_000), live(2, "b", 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &clicks).await;
    for n in 0..8 {
        let ms = 200_000 + 60_000 * n;
        clicks.push(live(ms, "busy", ms));
        assert_eq!(named(&invoke_at(ms + 500, &sessionizer, "s1", &clicks[clicks.len() - 1..]).await), None);
    }
    assert!(world.logged("a").await.is_some() && world.item("a").await.is_none());
    assert!(world.logged("b").await.is_none() && world.item("b").await.is_some());
    world.assert_table_is_of(&clicks).await;
}

/// More than a commit can repeat has to leave a ring that is full: no commit may overwrite it.
#[tokio::test]
async fn commit_waits_when_nothing_fits_and_goes_on_when_the_throttle_ends() {
    let world = World::with_ring(3).await;
    let filler = world.sessionizer();
    // Each batch of new users fills a commit.
    let batch = |number: u64| {
        let users = (0..270).map(|n| format!("user{}", 270 * number + n));
        (0..).zip(users).map(|(n, user)| wide(100_000 * number + n, &user, 100_000 * number)).collect::<Vec<_>>()
    };
    let mut clicks = Vec::new();
    for number in 1..=2 {
        let batch = batch(number);
        assert_eq!(named(&invoke_at(100_000 * number + 500, &filler, "s1", &batch).await), None);
        clicks.extend(batch);
    }
    let throttled = Arc::new(AtomicBool::new(true));
    let is_throttled = Arc::clone(&throttled);
    let (sessionizer, calls) = world.faulty(move |kind, _, call| match kind {
        Kind::WriteRest if is_throttled.load(Relaxed) => Fault::PartsThrottled((0..call.parts).collect()),
        _ => Fault::None,
    });
    let finished = AtomicBool::new(false);
    // The number of calls that could not let anybody leave while the log stood still.
    let end = async {
        loop {
            let (head, written) = (world.head(0).await, calls.of(Kind::WriteRest));
            tokio::time::sleep(Duration::from_millis(500)).await;
            let waiting = calls.of(Kind::WriteRest) - written;
            let is_waiting = waiting > 1 && world.head(0).await == head;
            if is_waiting || finished.load(Relaxed) {
                throttled.store(false, Relaxed);
                break if is_waiting { waiting } else { 0 };
            }
        }
    };
    let work = async {
        for number in 3..=6 {
            let batch = batch(number);
            assert_eq!(named(&invoke_at(100_000 * number + 500, &sessionizer, "s1", &batch).await), None);
            clicks.extend(batch);
        }
        finished.store(true, Relaxed);
    };
    let (waiting, ()) = tokio::join!(end, work);
    assert!(waiting > 0, "no commit had to wait");
    world.assert_table_is_of(&clicks).await;
}
