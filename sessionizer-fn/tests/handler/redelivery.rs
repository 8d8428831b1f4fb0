//! Redelivered batches, whole or split differently.

use crate::world::{World, click, invoke, named};

#[tokio::test]
async fn redelivered_batch_changes_nothing() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    invoke(&world.sessionizer(), "s1", &clicks).await;
    let before = (world.items("state-log").await, world.published().await);
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.already_applied), (None, 0, 2));
    assert_eq!((answer.report.commits, answer.report.published), (0, 2));
    assert_eq!(world.items("state-log").await, before.0);
    assert_eq!(world.published().await[before.1.len()..], before.1, "the same boundaries with the same versions");
}

/// An environment that has published an outbox itself knows that.
#[tokio::test]
async fn outbox_known_to_be_published_is_not_published_again() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    invoke(&sessionizer, "s1", &clicks).await;
    let answer = invoke(&sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.published), (None, 2, 0));
}

#[tokio::test]
async fn overlapping_redeliveries_apply_each_click_once() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..10).map(|n| click(n + 1, ["a", "b"][n as usize % 2], 100_000 + 3_000 * n)).collect();
    let sessionizer = world.sessionizer();
    for cut in [&clicks[..4], &clicks[..2], &clicks[2..7], &clicks[2..10], &clicks[..]] {
        assert_eq!(named(&invoke(&sessionizer, "s1", cut).await), None);
    }
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn record_duplicated_within_a_batch_counts_once() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(1, "a", 100_000), click(2, "a", 101_000)];
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.records.undone), (None, 0));
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);
}

#[tokio::test]
async fn late_click_is_counted_once() {
    let world = World::start().await;
    let clicks = [click(1, "a", 4_000_000), click(2, "a", 50_000)];
    assert_eq!(invoke(&world.sessionizer(), "s1", &clicks).await.report.late, 1);
    let again = invoke(&world.sessionizer(), "s1", &clicks).await.report;
    assert_eq!((again.late, again.already_applied), (0, 2));
}

/// Clicks of other buckets were not committed the first time.
#[tokio::test]
async fn each_bucket_goes_on_where_its_own_cursor_stands() {
    let world = World::start().await;
    let [a, b] = [0, 3].map(|bucket| world.users_in(bucket, "u", 1).remove(0));
    let clicks = [click(1, &a, 100_000), click(2, &b, 100_000), click(3, &a, 101_000), click(4, &b, 101_000)];
    invoke(&world.sessionizer(), "s1", &clicks[..1]).await;
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((answer.report.already_applied, answer.report.applied), (1, 3));
    world.assert_table_is_of(&clicks).await;
}
