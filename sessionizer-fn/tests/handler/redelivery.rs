//! Redelivered batches, whole or split differently.

use local_aws::faults::Fault;

use crate::world::{World, click, invoke, named};

#[tokio::test]
async fn redelivered_batch_changes_nothing_and_publishes_its_outbox_again() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    invoke(&world.sessionizer(), "s1", &clicks).await;
    let (state, before) = (world.state("a").await, world.published().await);
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((answer.report.applied, answer.report.already_applied, answer.report.published), (0, 2, 2));
    assert_eq!(world.state("a").await, state);
    let after = world.published().await;
    assert_eq!(after[before.len()..], before, "the same boundaries with the same versions");
}

#[tokio::test]
async fn committed_but_unpublished_boundaries_are_published_when_the_batch_is_redelivered() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|call| match call.operation.as_str() {
        "PutRecords" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    let answer = invoke(&dying, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (Some("1"), 2, 0));
    assert_eq!(world.told().await, []);

    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 0));
    assert_eq!(world.told().await, [("a_0".to_owned(), "closed"), ("a_1".to_owned(), "open")]);
}

#[tokio::test]
async fn redelivered_batch_with_new_records_publishes_the_old_outbox_and_the_new_one() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|call| match call.operation.as_str() {
        "PutRecords" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000), click(3, "a", 140_000)];
    invoke(&dying, "s1", &clicks[..2]).await;
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (1, 2));
    let expected = [("a_0", "closed"), ("a_1", "closed"), ("a_1", "open"), ("a_2", "open")];
    assert_eq!(world.told().await, expected.map(|(id, status)| (id.to_owned(), status)));
}

#[tokio::test]
async fn overlapping_redeliveries_apply_each_click_once() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..10).map(|n| click(n + 1, ["a", "b"][n as usize % 2], 100_000 + 3_000 * n)).collect();
    let sessionizer = world.sessionizer();
    for cut in [&clicks[..4], &clicks[..2], &clicks[2..7], &clicks[2..10], &clicks[..]] {
        assert_eq!(named(&invoke(&sessionizer, "s1", cut).await), None);
    }
    for user in ["a", "b"] {
        assert_eq!(world.state(user).await.sessions.current.event_count, 5);
    }
}

#[tokio::test]
async fn record_duplicated_within_a_batch_counts_once() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(1, "a", 100_000), click(2, "a", 101_000)];
    invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!(world.state("a").await.sessions.current.event_count, 2);
}

#[tokio::test]
async fn late_click_is_counted_once() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "a", 50_000)];
    assert_eq!(invoke(&world.sessionizer(), "s1", &clicks).await.report.late, 1);
    let again = invoke(&world.sessionizer(), "s1", &clicks).await.report;
    assert_eq!((again.late, again.already_applied), (0, 2));
}

#[tokio::test]
async fn shard_of_the_same_name_in_another_stream_has_its_own_cursor() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "one/shardId-000000000000", &[click(100, "a", 100_000)]).await;
    let answer = invoke(&sessionizer, "other/shardId-000000000000", &[click(50, "a", 101_000)]).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (1, 0));
    assert_eq!(world.state("a").await.sessions.current.event_count, 2);
}
