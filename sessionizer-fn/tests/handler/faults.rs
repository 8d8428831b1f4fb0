//! Throttles, failures and lost replies of each call.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_aws::faults::{Call, Fault};
use tokio::time::Instant;

use crate::calls::Kind;
use crate::results::failures;
use crate::world::{Sent, World, click, invoke, invoke_at, invoke_for, live, named, offline, sweep_at};

const KINDS: [Kind; 7] = [
    Kind::ReadSettings,
    Kind::MakeSettings,
    Kind::ReadLog,
    Kind::ReadRest,
    Kind::WriteRest,
    Kind::Commit,
    Kind::Publish,
];

/// Batches in a small ring, in which users come, are told closed, leave and come back; and sweeps.
fn story() -> Vec<(u64, Vec<Sent>)> {
    let mut number = 0;
    let mut batch = |ms: u64, users: &[&str]| {
        let mut click = |user: &&str| {
            number += 1;
            live(number, user, ms)
        };
        (ms + 500, users.iter().map(&mut click).collect::<Vec<_>>())
    };
    vec![
        batch(100_000, &["a", "b", "c"]),
        batch(105_000, &["a", "b"]),
        batch(140_000, &["a", "d"]),
        batch(200_000, &["d"]),
        batch(260_000, &["d"]),
        batch(320_000, &["d", "e"]),
        batch(380_000, &["b", "c"]),
        batch(440_000, &["a", "e"]),
    ]
}

/// Every call kind, every fault, on each of its first calls.
#[tokio::test]
async fn transient_fault_of_any_call_costs_nothing() {
    type Make = fn() -> Fault;
    let faults: [(&str, Make); 5] = [
        ("throttled", || Fault::Throttled),
        ("internal error", || Fault::InternalError),
        ("not sent", || Fault::NotSent),
        ("reply lost", || Fault::ReplyLost),
        ("parts throttled", || Fault::PartsThrottled(vec![0])),
    ];
    for kind in KINDS {
        for (name, fault) in faults {
            let has_parts = !matches!(kind, Kind::MakeSettings | Kind::Commit);
            if name == "parts throttled" && !has_parts {
                continue;
            }
            let world = World::with_ring(4).await;
            let (sessionizer, calls) = world.faulty(move |is, number, _| match number {
                0 | 2 | 3 | 6 if is == kind => fault(),
                _ => Fault::None,
            });
            let mut clicks = Vec::new();
            let mut retried = 0;
            for (at, batch) in story() {
                let logs = local_aws::CapturedLogs::start();
                let answer = invoke_at(at, &sessionizer, "s1", &batch).await;
                assert_eq!((named(&answer), answer.records.undone), (None, 0), "{kind:?} {name}: {}", logs.text());
                let counts = answer.report;
                assert_eq!(counts.applied + counts.already_applied, batch.len() as u64, "{kind:?} {name}");
                let lines = failures(&logs);
                assert!(lines.iter().all(|(level, _)| level == "WARN"), "{kind:?} {name}: {}", logs.text());
                retried += lines.len();
                clicks.extend(batch);
            }
            assert_eq!(sweep_at(500_000, &sessionizer).await.outcome, Ok(()));
            assert!(retried > 0 && calls.of(kind) > 1, "{kind:?} {name}: the fault did not happen");
            world.assert_table_is_of(&clicks).await;
        }
    }
}

#[tokio::test]
async fn entries_that_a_shard_refuses_are_retried_until_all_are_accepted() {
    let world = World::start().await;
    let (sessionizer, calls) = world.counted();
    // A shard accepts 1,000 records a second, so the server refuses some of these 1,200 boundaries.
    let clicks: Vec<_> = (0..1_200).map(|n| click(n + 1, &format!("user{n}"), 0)).collect();
    let answer = invoke_for(Duration::from_secs(60), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.published), (None, 1_200));
    assert_eq!(world.told().await.len(), 1_200, "each once");
    assert!(calls.of(Kind::Publish) > 4, "nothing was refused");
}

#[tokio::test]
async fn only_the_refused_entries_are_put_again() {
    let world = World::with_ring(8).await;
    let (sessionizer, calls) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Publish, 0) => Fault::PartsThrottled(vec![1]),
        (Kind::Publish, 1) => Fault::EntriesRefused(vec![0], "InternalFailure"),
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_000), click(3, "c", 100_000)];
    assert_eq!(named(&invoke(&sessionizer, "s1", &clicks).await), None);
    assert_eq!(calls.of(Kind::Publish), 3);
    assert_eq!(world.told().await, ["a_0", "b_0", "c_0"].map(|id| (id.to_owned(), "open")));
}

#[tokio::test]
async fn bucket_that_stays_throttled_is_not_done_and_the_others_are() {
    let world = World::start().await;
    let users = [0, 1, 2, 3].map(|bucket| world.users_in(bucket, "u", 1).remove(0));
    let (sessionizer, _) = world.faulty(|kind, _, call| match kind {
        Kind::Commit if call.body["Item"]["slot"]["S"].as_str().unwrap().starts_with("1/") => Fault::Throttled,
        _ => Fault::None,
    });
    let clicks: Vec<_> = (1..).zip(&users).map(|(n, user)| click(n, user, 100_000)).collect();
    let answer = invoke_for(Duration::from_secs(2), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.records.undone), (Some("2"), 1));
    assert_eq!(world.told().await.len(), 3);
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &clicks[1..]).await), None);
    world.assert_table_is_of(&clicks).await;
}

/// Keys left out of an answer are read again, and no user is taken for a new one.
#[tokio::test]
async fn user_at_rest_whose_key_was_left_unprocessed_is_not_taken_for_a_new_one() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    let mut clicks = vec![live(1, "a", 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &clicks).await;
    for n in 0..6 {
        let ms = 200_000 + 60_000 * n;
        clicks.push(live(ms, "busy", ms));
        invoke_at(ms + 500, &sessionizer, "s1", &clicks[clicks.len() - 1..]).await;
    }
    assert!(world.logged("a").await.is_none());
    let (unlucky, calls) = world.faulty(|kind, number, call| match (kind, number) {
        (Kind::ReadRest, 0) => Fault::PartsThrottled((0..call.parts).collect()),
        (Kind::ReadRest, 1) => Fault::PartsThrottled(vec![0]),
        _ => Fault::None,
    });
    let back = [live(900_000, "b", 900_000), live(900_001, "a", 900_000)];
    assert_eq!(named(&invoke_at(900_500, &unlucky, "s1", &back).await), None);
    assert_eq!(calls.of(Kind::ReadRest), 3);
    clicks.extend(back);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn commit_whose_reply_was_lost_is_not_made_twice_and_is_published() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let (sessionizer, calls) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Commit, 0) => Fault::ReplyLost,
        _ => Fault::None,
    });
    let answer = invoke(&sessionizer, "s1", &[click(2, "a", 120_000)]).await;
    assert_eq!((named(&answer), calls.of(Kind::Commit)), (None, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks", "1: 120000 open"]);
}

#[tokio::test]
async fn answer_comes_in_time_when_nothing_answers() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|_, _, _| Fault::NotSent);
    let clicks = [click(1, "a", 100_000), crate::world::record(2, "k", b"[]")];
    let answer = invoke_for(Duration::from_millis(300), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.records.undone), (Some("1"), 2));
}

/// The invocation is dropped while its commit is in flight, which arrives later; the environment stays.
#[tokio::test]
async fn environment_whose_commit_was_in_flight_at_the_deadline_forgets_the_bucket() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Commit, 0) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    let answer = invoke_for(Duration::from_millis(500), &sessionizer, "s1", &clicks).await;
    assert_eq!(named(&answer), Some("1"));
    let answer = invoke(&sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.buckets_loaded), (None, 2, 1));
    world.assert_table_is_of(&clicks).await;
}

/// Uses no sockets, so that the paused clock advances only when every task is waiting.
#[tokio::test(start_paused = true)]
async fn throttled_call_is_attempted_with_growing_pauses_until_the_time_is_up() {
    let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let made = Arc::clone(&attempts);
    let sessionizer = offline(move |_: &Call| {
        made.lock().unwrap().push(Instant::now());
        Fault::Throttled
    });
    let began = Instant::now();
    let answer = invoke_for(Duration::from_secs(59), &sessionizer, "s1", &[click(1, "a", 100_000)]).await;
    assert_eq!((named(&answer), answer.timing.in_time), (Some("1"), false));
    assert_eq!(began.elapsed(), Duration::from_secs(59));

    let attempts = attempts.lock().unwrap();
    let pauses: Vec<_> = attempts.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    // Pauses double from 25 ms to 2 s, each shortened at random by up to half. Shorter ones would be retries of the
    // SDK.
    let longest = (0..).map(|n| (25_u128 << n.min(10)).min(2_000));
    for (pause, longest) in pauses.iter().zip(longest) {
        // The clock rounds up to whole milliseconds.
        assert!((longest / 2..=longest + 1).contains(pause), "{pauses:?}");
    }
    assert!((33..=66).contains(&attempts.len()), "{} attempts: {pauses:?}", attempts.len());
}

#[tokio::test]
async fn throttles_are_one_log_line_however_many_attempts_they_took() {
    let world = World::start().await;
    let (sessionizer, calls) =
        world.faulty(|kind, _, _| if kind == Kind::Commit { Fault::Throttled } else { Fault::None });
    let logs = local_aws::CapturedLogs::start();
    let clicks: Vec<_> = (1..=100).map(|n| click(n, &format!("secret{n}"), 100_000)).collect();
    let answer = invoke_for(Duration::from_secs(1), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.timing.in_time), (Some("1"), false));
    let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
    assert_eq!(
        (level.as_str(), &fields["what"], &fields["code"]),
        ("WARN", &"PutItem".into(), &"ThrottlingException".into())
    );
    let count = fields["count"].as_u64().unwrap();
    assert!(count >= 8 && count <= calls.of(Kind::Commit) as u64, "{fields}");
    assert!(!logs.text().contains("secret"), "{}", logs.text());
}
