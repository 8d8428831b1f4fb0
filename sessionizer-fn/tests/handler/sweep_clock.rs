//! By which clock users become inactive: the current time, a batch's arrival, or a shard that is catching up.

use crate::world::{Sent, World, invoke_at, live, named, sweep_at};

async fn world() -> World {
    World::with_ring(16).await
}

/// A click of `user` at `ms` in the order of time.
fn next(user: &str, ms: u64) -> [Sent; 1] {
    [live(ms, user, ms)]
}

#[tokio::test]
async fn within_15_seconds_of_a_batch_sweeps_leave_the_clock_to_batches() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "s1", &next("a", 100_000)).await;
    // The newest record that was applied had arrived at 119.9 s, though it is 134 s now.
    invoke_at(120_000, &sessionizer, "s1", &next("b", 119_900)).await;
    let swept = sweep_at(133_000, &sessionizer).await;
    assert_eq!((swept.report.commits, swept.report.buckets_catching_up), (0, 0));
    let swept = sweep_at(136_000, &sessionizer).await;
    assert_eq!(swept.report.closed_by_inactivity, 1, "nothing was committed for 15 s, so the time is known");
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
    assert_eq!(world.sessions("b").await, ["0: 119900 open"]);
}

/// What did not fit into the batches' own commits.
#[tokio::test]
async fn sweep_closes_by_the_batches_clock_who_is_inactive_by_it() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "s1", &next("a", 100_000)).await;
    // Another function with a long grace has committed the batch that should have closed `a`.
    let slower = world.sessionizer_with(&[("CLOSE_GRACE_SECONDS", "600")]);
    let answer = invoke_at(121_000, &slower, "s1", &next("b", 120_000)).await;
    assert_eq!(answer.report.closed_by_inactivity, 0);
    let swept = sweep_at(122_000, &sessionizer).await;
    assert_eq!(swept.report.closed_by_inactivity, 1);
    assert_eq!(world.sessions("b").await, ["0: 120000 open"]);
}

#[tokio::test]
async fn consumer_that_is_behind_closes_nobody_early() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    // An hour behind: clicks of one session, in two batches.
    invoke_at(3_700_000, &sessionizer, "s1", &next("a", 100_000)).await;
    let swept = sweep_at(3_718_000, &sessionizer).await;
    assert_eq!((swept.report.commits, swept.report.buckets_catching_up), (0, 1));
    let answer = invoke_at(3_719_000, &sessionizer, "s1", &next("a", 105_000)).await;
    assert_eq!((named(&answer), answer.report.reopened), (None, 0));
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
    // The backlog's own clock goes on.
    let answer = invoke_at(3_720_000, &sessionizer, "s1", &next("b", 125_000)).await;
    assert_eq!(answer.report.closed_by_inactivity, 1);
    assert_eq!(world.sessions("a").await, ["0: 100000 to 105000, 2 clicks"]);
}

#[tokio::test]
async fn shard_that_is_catching_up_holds_the_clock_of_the_others() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(200_000, &sessionizer, "slow", &next("a", 100_000)).await;
    let answer = invoke_at(201_000, &sessionizer, "fast", &next("b", 200_500)).await;
    assert_eq!(answer.report.closed_by_inactivity, 0, "`a` may have clicked at 101 s");
    assert_eq!(sweep_at(230_000, &sessionizer).await.report.closed_by_inactivity, 0);
    // It has caught up.
    invoke_at(231_000, &sessionizer, "slow", &next("c", 230_000)).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

#[tokio::test]
async fn shard_that_was_behind_and_stopped_holds_the_clock_for_two_minutes() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(200_000, &sessionizer, "slow", &next("a", 100_000)).await;
    let swept = sweep_at(318_000, &sessionizer).await;
    assert_eq!((swept.report.commits, swept.report.buckets_catching_up), (0, 1));
    let swept = sweep_at(321_000, &sessionizer).await;
    assert_eq!((swept.report.closed_by_inactivity, swept.report.buckets_catching_up), (1, 0));
}

#[tokio::test]
async fn idle_shard_holds_nobody_up() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "idle", &next("a", 100_000)).await;
    let answer = invoke_at(121_000, &sessionizer, "busy", &next("b", 120_500)).await;
    assert_eq!(answer.report.closed_by_inactivity, 1);
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

#[tokio::test]
async fn user_who_clicks_in_the_batch_that_would_close_goes_on() {
    let world = world().await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "s1", &next("a", 100_000)).await;
    let delayed = live(109_000, "a", 109_000).delayed(50_000);
    let answer = invoke_at(160_000, &sessionizer, "s1", &[delayed]).await;
    assert_eq!((answer.report.closed_by_inactivity, answer.report.reopened), (0, 0));
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
    assert_eq!(world.window("a").await, [(0, 100_000, 109_000, 2)]);
}
