//! Outboxes of invocations that died or failed between their commit and the end of its publication.

use std::time::Duration;

use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{World, click, invoke, invoke_at, invoke_for, live, named, sweep_at};

fn told<const N: usize>(expected: [(&str, &'static str); N]) -> [(String, &'static str); N] {
    expected.map(|(id, status)| (id.to_owned(), status))
}

fn cannot_publish(kind: Kind) -> Fault {
    if kind == Kind::Publish { Fault::AccessDenied } else { Fault::None }
}

#[tokio::test]
async fn committed_but_unpublished_boundaries_are_published_when_the_batch_is_redelivered() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000)];
    let answer = invoke(&dying, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (Some("1"), 2, 0));
    assert_eq!(world.told().await, []);

    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 0));
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_1", "open")]));
}

#[tokio::test]
async fn redelivered_batch_with_new_records_publishes_the_old_outbox_before_a_commit_replaces_it() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000), click(3, "a", 140_000)];
    invoke(&dying, "s1", &clicks[..2]).await;
    // While it cannot be published, nothing new is committed.
    let answer = invoke(&dying, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.commits), (Some("1"), 0, 0));
    let answer = invoke(&world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.already_applied), (None, 1, 2));
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_1", "closed"), ("a_1", "open"), ("a_2", "open")]));
}

/// A batch may be redelivered in parts, of which the first ends before the cursor.
#[tokio::test]
async fn part_of_a_batch_is_done_only_when_the_outbox_of_the_whole_is_published() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000), click(3, "a", 140_000)];
    invoke(&dying, "s1", &clicks).await;
    let answer = invoke(&dying, "s1", &clicks[..1]).await;
    assert_eq!((named(&answer), answer.report.already_applied), (Some("1"), 1));
    let answer = invoke(&world.sessionizer(), "s1", &clicks[..1]).await;
    assert_eq!((named(&answer), answer.report.published), (None, 3));
}

#[tokio::test]
async fn outbox_of_one_shard_survives_commits_of_another_until_it_is_redelivered() {
    let world = World::with_ring(4).await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    let lost = [click(1, "a", 100_000), click(2, "a", 120_000)];
    invoke(&dying, "s1", &lost).await;
    let sessionizer = world.sessionizer();
    let others: Vec<_> = (0..12).map(|n| click(n + 1, "b", 100_000 + 4_000 * n)).collect();
    for other in &others {
        assert_eq!(named(&invoke(&sessionizer, "s2", std::slice::from_ref(other)).await), None);
    }
    assert_eq!(world.sessions("a").await, [""; 0], "nobody but its own shard publishes it");
    assert_eq!(named(&invoke(&sessionizer, "s1", &lost).await), None);
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks", "1: 120000 open"]);
    world.assert_table_is_of(lost.iter().chain(&others)).await;
}

/// The reply to PutRecords never comes: the boundaries are in, but nobody knows.
#[tokio::test]
async fn invocation_that_dies_while_it_publishes_is_not_done_and_publishes_the_same_again() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|kind, _, _| if kind == Kind::Publish { Fault::NoAnswer } else { Fault::None });
    let clicks = [click(1, "a", 100_000)];
    let answer = invoke_for(Duration::from_millis(500), &dying, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.timing.in_time), (Some("1"), false));
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &clicks).await), None);
    let [first, second] = &world.published().await[..] else { panic!("published once each time") };
    assert_eq!(first, second);
}

#[tokio::test]
async fn sweeps_outbox_that_was_not_published_is_published_by_the_next_sweep_even_if_it_commits_nothing() {
    let world = World::start().await;
    invoke_at_once(&world).await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    let swept = sweep_at(200_000, &dying).await;
    let error = swept.outcome.unwrap_err().to_string();
    assert!(error.contains("PutRecords (AccessDeniedException), 1 times"), "{error}");
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);

    let swept = sweep_at(260_000, &world.sessionizer()).await;
    assert_eq!((swept.outcome, swept.report.commits, swept.report.published), (Ok(()), 0, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

#[tokio::test]
async fn sweeps_outbox_that_was_not_published_is_published_by_a_batch_before_its_commit_empties_it() {
    let world = World::start().await;
    invoke_at_once(&world).await;
    let (dying, _) = world.faulty(|kind, _, _| cannot_publish(kind));
    sweep_at(200_000, &dying).await;
    // Another user of the same bucket clicks.
    let bucket = world.bucket_of("a");
    let other = world.users_in(bucket, "u", 1).remove(0);
    let clicks = [live(2, &other, 230_000)];
    let answer = invoke_at(231_000, &dying, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0));
    let answer = invoke_at(232_000, &world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.commits, answer.report.published), (None, 1, 2));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
    let swept = sweep_at(240_000, &world.sessionizer()).await;
    assert_eq!((swept.outcome, swept.report.published), (Ok(()), 0), "the batch's commit has emptied the outbox");
}

#[tokio::test]
async fn sweep_whose_reply_was_lost_publishes_again_what_is_the_same() {
    let world = World::start().await;
    invoke_at_once(&world).await;
    let (unlucky, calls) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Publish, 0) => Fault::ReplyLost,
        _ => Fault::None,
    });
    let swept = sweep_at(200_000, &unlucky).await;
    assert_eq!((swept.outcome, swept.report.closed_by_inactivity), (Ok(()), 1));
    assert_eq!(calls.of(Kind::Publish), 2);
    assert_eq!(world.told().await, told([("a_0", "closed"), ("a_0", "closed"), ("a_0", "open")]));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 100000, 1 clicks"]);
}

/// A click of `a` at 100 s, which is read at once.
async fn invoke_at_once(world: &World) {
    let answer = invoke_at(101_000, &world.sessionizer(), "s1", &[live(1, "a", 100_000)]).await;
    assert_eq!(named(&answer), None);
}
