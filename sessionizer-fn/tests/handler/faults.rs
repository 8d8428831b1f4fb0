//! Throttles, lost replies and refusals.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_aws::faults::{Call, Fault};
use sessionizer_fn::handler::Sessionizer;
use tokio::time::Instant;

use crate::world::{World, click, config, invoke, invoke_for, named, offline};

#[tokio::test]
async fn entries_that_a_shard_refuses_are_retried_until_all_are_accepted() {
    let world = World::start().await;
    let (sessionizer, http) = world.faulty(|_| Fault::None);
    // A shard accepts 1,000 records a second, so the server refuses some of these 1,200 boundaries.
    let clicks: Vec<_> = (0..1_200).map(|n| click(n + 1, &format!("user{n}"), 0)).collect();
    let answer = invoke_for(Duration::from_secs(60), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.published), (None, 1_200));
    assert_eq!(world.told().await.len(), 1_200, "each once");
    assert!(http.calls_of("PutRecords") > 3, "nothing was refused");
}

#[tokio::test]
async fn only_the_refused_entries_are_put_again() {
    let world = World::start().await;
    let (sessionizer, http) = world.faulty(|call| match (call.operation.as_str(), call.number) {
        ("PutRecords", 0) => Fault::PartsThrottled(vec![1]),
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_000), click(3, "c", 100_000)];
    assert_eq!(named(&invoke(&sessionizer, "s1", &clicks).await), None);
    assert_eq!(http.calls_of("PutRecords"), 2);
    assert_eq!(world.told().await, ["a_0", "b_0", "c_0"].map(|id| (id.to_owned(), "open")));
}

#[tokio::test]
async fn only_the_throttled_statement_is_retried() {
    let world = World::start().await;
    let (sessionizer, http) = world.faulty(|call| match (call.operation.as_str(), call.number) {
        ("BatchExecuteStatement", 0) => Fault::PartsThrottled(vec![1]),
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_000), click(3, "c", 100_000)];
    let answer = invoke(&sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.lost_races), (None, 3, 0));
    assert_eq!(http.calls_of("BatchExecuteStatement"), 2);
}

#[tokio::test]
async fn user_who_stays_throttled_is_not_done_and_everybody_else_is() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|call| match call.operation.as_str() {
        "BatchExecuteStatement" => Fault::PartsThrottled(vec![0]),
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "b", 100_000), click(3, "c", 100_000)];
    let answer = invoke_for(Duration::from_secs(3), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.records.undone), (Some("1"), 1));
    assert_eq!(world.told().await, ["b_0", "c_0"].map(|id| (id.to_owned(), "open")));
    assert!(world.state_item("a").await.is_none());
}

/// Under permanent throttling, each invocation gets one statement through and runs out of time retrying the others.
#[tokio::test]
async fn under_lasting_throttles_each_invocation_goes_on_where_the_last_one_came_to() {
    let world = World::start().await;
    let mut clicks = ["a", "b", "c", "d"].map(|user| click(0, user, 100_000)).to_vec();
    for (number, click) in (1..).zip(&mut clicks) {
        click.0 = number;
    }
    for done in 1..=clicks.len() {
        let mut is_first = true;
        let (sessionizer, http) = world.faulty(move |call| match call.operation.as_str() {
            "BatchExecuteStatement" if std::mem::take(&mut is_first) => {
                Fault::PartsThrottled((1..call.parts).collect())
            }
            "BatchExecuteStatement" => Fault::Throttled,
            _ => Fault::None,
        });
        // Lambda redelivers from the lowest sequence number that is not done.
        let rest = &clicks[done - 1..];
        let answer = invoke_for(Duration::from_secs(3), &sessionizer, "s1", rest).await;
        let next = (done < clicks.len()).then(|| (done + 1).to_string());
        assert_eq!(named(&answer), next.as_deref());
        assert_eq!((answer.report.applied, answer.report.already_applied), (1, 0));
        assert_eq!(http.calls_of("PutRecords"), 1, "committed boundaries are published immediately");
    }
    assert_eq!(world.told().await, ["a_0", "b_0", "c_0", "d_0"].map(|id| (id.to_owned(), "open")), "each once");
}

#[tokio::test]
async fn keys_left_unprocessed_are_read_again() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000), click(2, "b", 100_000)]).await;
    let (sessionizer, http) = world.faulty(|call| match (call.operation.as_str(), call.number) {
        ("BatchGetItem", 0) => Fault::PartsThrottled(vec![0]),
        ("BatchGetItem", 1) => Fault::Throttled,
        _ => Fault::None,
    });
    let answer = invoke(&sessionizer, "s1", &[click(3, "a", 101_000), click(4, "b", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.lost_races), (None, 0));
    assert_eq!(http.calls_of("BatchGetItem"), 3);
    assert_eq!(world.state("a").await.sessions.current.event_count, 2);
}

#[tokio::test]
async fn commit_whose_reply_was_lost_is_not_made_twice_and_is_published() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let (sessionizer, _) = world.faulty(|call| match (call.operation.as_str(), call.number) {
        ("BatchExecuteStatement", 0) => Fault::ReplyLost,
        _ => Fault::None,
    });
    let clicks = [click(2, "a", 120_000), click(3, "new", 120_000)];
    assert_eq!(named(&invoke(&sessionizer, "s1", &clicks).await), None);
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.event_count), (1, 1));
    assert_eq!(world.state("new").await.sessions.current.event_count, 1);
    let expected = [("a_0", "closed"), ("a_0", "open"), ("a_1", "open"), ("new_0", "open")];
    assert_eq!(world.told().await, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test]
async fn uncommitted_boundaries_are_not_published() {
    let world = World::start().await;
    let (sessionizer, http) = world.faulty(|call| match call.operation.as_str() {
        "BatchExecuteStatement" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let answer = invoke(&sessionizer, "s1", &[click(1, "a", 100_000)]).await;
    assert_eq!((named(&answer), answer.report.applied), (Some("1"), 0));
    assert_eq!(http.calls_of("PutRecords"), 0);
    assert_eq!(http.calls_of("BatchExecuteStatement"), 1, "a missing permission is not retried");
}

#[tokio::test]
async fn answer_comes_in_time_when_nothing_answers() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|_| Fault::NotSent);
    let clicks = [click(1, "a", 100_000), (2, "k".to_owned(), b"[]".to_vec())];
    let answer = invoke_for(Duration::from_millis(300), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.records.undone), (Some("1"), 2));
}

/// Uses no sockets, so that the paused clock advances only when every task is waiting.
#[tokio::test(start_paused = true)]
async fn throttled_call_is_attempted_with_growing_pauses_until_the_time_is_up() {
    let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let made = Arc::clone(&attempts);
    let sdk = offline(move |_: &Call| {
        made.lock().unwrap().push(Instant::now());
        Fault::Throttled
    });
    let (dynamodb, kinesis) = (aws_sdk_dynamodb::Client::new(&sdk), aws_sdk_kinesis::Client::new(&sdk));
    let sessionizer = Sessionizer::new(config(), &dynamodb, &kinesis);
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
async fn refusals_of_a_thousand_users_are_one_log_line_without_a_user() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|call| match call.operation.as_str() {
        "BatchExecuteStatement" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let logs = local_aws::CapturedLogs::start();
    let clicks: Vec<_> = (1..=1_000).map(|n| click(n, &format!("secret{n}"), 100_000)).collect();
    assert_eq!(named(&invoke(&sessionizer, "s1", &clicks).await), Some("1"));
    let [(level, fields)] = &logs.lines()[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["count"]), ("ERROR", &1_000.into()));
    assert!(!logs.text().contains("secret"), "{}", logs.text());
}

#[tokio::test]
async fn throttles_are_one_log_line_however_many_attempts_they_took() {
    let world = World::start().await;
    let (sessionizer, http) = world.faulty(|call| match call.operation.as_str() {
        "BatchExecuteStatement" => Fault::PartsThrottled((0..call.parts).collect()),
        _ => Fault::None,
    });
    let logs = local_aws::CapturedLogs::start();
    let clicks: Vec<_> = (1..=100).map(|n| click(n, &format!("secret{n}"), 100_000)).collect();
    let answer = invoke_for(Duration::from_secs(2), &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.timing.in_time), (Some("1"), false));
    let [(level, fields)] = &logs.lines()[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["code"]), ("WARN", &"ProvisionedThroughputExceeded".into()));
    let statements = http.calls_of("BatchExecuteStatement") as u64 * 25;
    assert!(fields["count"].as_u64().unwrap() > 100 && fields["count"].as_u64().unwrap() <= statements, "{fields}");
    assert!(!logs.text().contains("secret"), "{}", logs.text());
}
