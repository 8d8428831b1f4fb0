//! Sweeps: what they close, what a click reopens, and how they end.

use std::time::Duration;

use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::results::failures;
use crate::world::{World, invoke_at, live, named, sweep_at, sweep_for};

/// The template's gap and grace, in milliseconds.
const GAP_AND_GRACE_MS: u64 = 20_000;

#[tokio::test]
async fn session_is_closed_when_nothing_has_arrived_for_the_gap_and_the_grace_and_not_before() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke_at(101_500, &sessionizer, "s1", &[live(1, "a", 100_000), live(2, "a", 101_000)]).await;
    let too_early = sweep_at(101_000 + GAP_AND_GRACE_MS - 1_000, &sessionizer).await;
    assert_eq!((too_early.outcome, too_early.report.commits), (Ok(()), 0));
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
    let swept = sweep_at(101_000 + GAP_AND_GRACE_MS, &sessionizer).await;
    assert_eq!((swept.outcome, swept.report.closed_by_inactivity, swept.report.published), (Ok(()), 1, 1));
    // The end is the last click, not the expiry.
    assert_eq!(world.sessions("a").await, ["0: 100000 to 101000, 2 clicks"]);
    let again = sweep_at(200_000, &sessionizer).await;
    assert_eq!((again.report.commits, again.report.published), (0, 0), "it is told once");
}

#[tokio::test]
async fn arrival_decides_not_event_time() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    // Clicked long ago, arrived just now.
    let late = live(1, "a", 100_000).delayed(500_000);
    invoke_at(600_500, &sessionizer, "s1", &[late]).await;
    sweep_at(619_000, &sessionizer).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
    sweep_at(620_000, &sessionizer).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

#[tokio::test]
async fn click_that_continues_a_closed_session_reopens_it_and_it_closes_again() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke_at(101_000, &sessionizer, "s1", &[live(1, "a", 100_000)]).await;
    sweep_at(160_000, &sessionizer).await;
    let delayed = live(2, "a", 104_000).delayed(60_000);
    let answer = invoke_at(165_000, &sessionizer, "s1", &[delayed]).await;
    assert_eq!((named(&answer), answer.report.reopened), (None, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
    sweep_at(220_000, &sessionizer).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 to 104000, 2 clicks"]);
    let statuses: Vec<_> = world.told().await.into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, ["closed", "closed", "open", "open"]);
}

#[tokio::test]
async fn next_session_after_a_closed_one_takes_nothing_back() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke_at(101_000, &sessionizer, "s1", &[live(1, "a", 100_000)]).await;
    sweep_at(160_000, &sessionizer).await;
    let answer = invoke_at(201_000, &sessionizer, "s1", &[live(2, "a", 200_000)]).await;
    assert_eq!((answer.report.reopened, answer.report.published), (0, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks", "1: 200000 open"]);
}

#[tokio::test]
async fn batch_closes_the_inactive_users_of_its_bucket() {
    let world = World::with_ring(8).await;
    let sessionizer = world.sessionizer();
    invoke_at(101_000, &sessionizer, "s1", &[live(1, "a", 100_000), live(2, "b", 100_500)]).await;
    let answer = invoke_at(121_000, &sessionizer, "s1", &[live(3, "c", 120_000)]).await;
    assert_eq!((answer.report.closed_by_inactivity, answer.report.commits), (1, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
    assert_eq!(world.sessions("b").await, ["0: 100500 open"]);
}

#[tokio::test]
async fn sweep_closes_the_users_of_every_bucket() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..100).map(|n| live(n + 1, &format!("user{n}"), 100_000 + n)).collect();
    invoke_at(101_000, &world.sessionizer(), "s1", &clicks).await;
    let swept = sweep_at(160_000, &world.sessionizer()).await;
    assert_eq!((swept.outcome, swept.report.closed_by_inactivity, swept.report.commits), (Ok(()), 100, 4));
    assert_eq!(swept.report.gauges.hot_users, 0);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn sweep_of_empty_tables_does_nothing_and_makes_no_settings() {
    let world = World::start().await;
    let (sessionizer, calls) = world.counted();
    for _ in 0..2 {
        let swept = sweep_at(100_000, &sessionizer).await;
        assert_eq!((swept.outcome, swept.timing.in_time), (Ok(()), true));
    }
    assert_eq!(world.items("state-log").await.len(), 0);
    assert_eq!(calls.take().into_iter().collect::<Vec<_>>(), [(Kind::ReadSettings, 2)]);
}

#[tokio::test]
async fn sweep_that_runs_out_of_time_is_no_error_and_the_next_one_finishes() {
    let world = World::start().await;
    invoke_at(101_000, &world.sessionizer(), "s1", &[live(1, "a", 100_000)]).await;
    let (slow, _) = world.faulty(|kind, _, _| if kind == Kind::Commit { Fault::Throttled } else { Fault::None });
    let swept = sweep_for(Duration::from_millis(300), 160_000, &slow).await;
    assert_eq!((swept.outcome, swept.timing.in_time), (Ok(()), false));
    assert_eq!(sweep_at(220_000, &world.sessionizer()).await.report.closed_by_inactivity, 1);
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

#[tokio::test]
async fn sweep_that_is_denied_in_one_bucket_is_an_error_and_goes_on_in_the_others() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..40).map(|n| live(n + 1, &format!("user{n}"), 100_000 + n)).collect();
    invoke_at(101_000, &world.sessionizer(), "s1", &clicks).await;
    let (denied, _) = world.faulty(|kind, _, call| match kind {
        Kind::Commit if call.body["Item"]["slot"]["S"].as_str().unwrap().starts_with("2/") => Fault::AccessDenied,
        _ => Fault::None,
    });
    let logs = local_aws::CapturedLogs::start();
    let swept = sweep_at(160_000, &denied).await;
    let error = swept.outcome.unwrap_err().to_string();
    assert!(error.contains("PutItem (AccessDeniedException), 1 times"), "{error}");
    let in_denied = clicks.iter().filter(|click| world.bucket_of(&click.partition_key) == 2).count() as u64;
    assert_eq!(swept.report.closed_by_inactivity, 40 - in_denied);
    let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["count"]), ("ERROR", &1.into()));
}

#[tokio::test]
async fn users_who_do_not_fit_into_one_commit_are_closed_by_several() {
    let world = World::with_ring(32).await;
    let sessionizer = world.sessionizer();
    let attributes = "x".repeat(250);
    let clicks: Vec<_> = (0..600)
        .map(|n| {
            let mut click = live(n + 1, &format!("user{n}"), 100_000 + n);
            let text = String::from_utf8(click.data).unwrap();
            let more = format!(r#","event_type":"{attributes}","device_type":"{attributes}"}}"#);
            click.data = text.replacen('}', &more, 1).into_bytes();
            click
        })
        .collect();
    assert_eq!(named(&invoke_at(101_000, &sessionizer, "s1", &clicks).await), None);
    let swept = sweep_at(160_000, &sessionizer).await;
    assert_eq!((swept.outcome, swept.report.closed_by_inactivity, swept.report.published), (Ok(()), 600, 600));
    assert!(swept.report.commits > 1);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn final_table_is_the_same_whenever_sweeps_were_made_and_with_whatever_clock() {
    let world = World::with_ring(5).await;
    let sessionizer = world.sessionizer();
    let mut rng = fastrand::Rng::with_seed(7);
    let mut clicks = Vec::new();
    for number in 1..=40 {
        let user = ["a", "b", "c"][rng.usize(..3)];
        clicks.push(live(number, user, 100_000 + 4_000 * number + rng.u64(..3_000)));
        let (now, batch) = (100_000 + 4_000 * number, &clicks[clicks.len() - 1..]);
        assert_eq!(named(&invoke_at(now + 3_000, &sessionizer, "s1", batch).await), None);
        if rng.bool() {
            // A wrong clock, up to hours ahead.
            assert_eq!(sweep_at(now + [0, 30_000, 9_000_000][rng.usize(..3)], &sessionizer).await.outcome, Ok(()));
        }
    }
    world.assert_table_is_of(&clicks).await;
}
