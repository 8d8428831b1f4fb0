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
    let users = |first: usize| (first..first + 270).map(|n| format!("user{n}"));
    let mut clicks = Vec::new();
    for (batch, first) in (1..).zip([0, 270]) {
        let wide: Vec<_> =
            (0..).zip(users(first)).map(|(n, user)| wide(100_000 * batch + n, &user, 100_000 * batch)).collect();
        assert_eq!(named(&invoke_at(100_000 * batch + 500, &filler, "s1", &wide).await), None);
        clicks.extend(wide);
    }
    let throttled = Arc::new(AtomicBool::new(true));
    let is_throttled = Arc::clone(&throttled);
    let (sessionizer, calls) = world.faulty(move |kind, _, call| match kind {
        Kind::WriteRest if is_throttled.load(Relaxed) => Fault::PartsThrottled((0..call.parts).collect()),
        _ => Fault::None,
    });
    let before = clicks.len();
    for n in 0..4 {
        let ms = 300_000 + 60_000 * n;
        clicks.push(live(ms, "busy", ms));
    }
    let end = async {
        let mut head = world.head(0).await;
        loop {
            // Nothing moves for half a second.
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = world.head(0).await;
            if now == head {
                break;
            }
            head = now;
        }
        let waiting = calls.of(Kind::WriteRest);
        throttled.store(false, Relaxed);
        waiting
    };
    let work = async {
        let mut longest_ms = 0;
        for click in &clicks[before..] {
            let at = click.sequence_number + 500;
            let answer = invoke_at(at, &sessionizer, "s1", std::slice::from_ref(click)).await;
            assert_eq!(named(&answer), None);
            longest_ms = longest_ms.max(answer.timing.duration_ms);
        }
        longest_ms
    };
    let (waiting, longest_ms) = tokio::join!(end, work);
    assert!(waiting > 0 && longest_ms >= 250, "{waiting} calls, {longest_ms} ms: no commit had to wait");
    world.assert_table_is_of(&clicks).await;
}
