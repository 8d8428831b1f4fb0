//! A stream that was deleted and created again under its old name: its sequence numbers start over.

use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{Sent, World, invoke_at, live, named};

/// A click of `a` at `ms` whose sequence number is of another order than its time.
fn numbered(sequence_number: u64, ms: u64) -> Sent {
    live(sequence_number, "a", ms)
}

#[tokio::test]
async fn records_of_a_stream_begun_again_are_applied_and_counted() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let before = [numbered(1_000, 100_000), numbered(1_001, 105_000)];
    invoke_at(105_500, &sessionizer, "s1", &before).await;
    let after = [numbered(1, 165_001), numbered(2, 170_000)];
    let answer = invoke_at(170_500, &sessionizer, "s1", &after).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.streams_begun_again), (None, 2, 1));
    assert_eq!(world.sessions("a").await, ["0: 100000 to 105000, 2 clicks", "1: 165001 open"]);

    // The cursor has started over: a redelivery is one again.
    let answer = invoke_at(171_000, &world.sessionizer(), "s1", &after).await;
    assert_eq!((answer.report.already_applied, answer.report.streams_begun_again), (2, 0));
    let later = [numbered(3, 172_000)];
    let answer = invoke_at(172_500, &sessionizer, "s1", &later).await;
    assert_eq!((answer.report.applied, answer.report.streams_begun_again), (1, 0));
    world.assert_table_is_of(before.iter().chain(&after).chain(&later)).await;
}

#[tokio::test]
async fn record_that_arrived_within_a_minute_of_its_cursors_is_a_redelivery() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke_at(105_500, &sessionizer, "s1", &[numbered(1_000, 100_000)]).await;
    let answer = invoke_at(160_500, &sessionizer, "s1", &[numbered(1, 160_000)]).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.streams_begun_again), (None, 1, 0));
}

/// The redelivered rest of the old stream must not be taken for the new one.
#[tokio::test]
async fn redelivery_long_after_the_cursor_has_moved_on_is_no_stream_begun_again() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let old = [numbered(10, 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &old).await;
    invoke_at(300_500, &sessionizer, "s1", &[numbered(11, 300_000)]).await;
    let answer = invoke_at(900_000, &sessionizer, "s1", &old).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.streams_begun_again), (None, 1, 0));
}

#[tokio::test]
async fn outbox_of_the_old_stream_is_not_lost_with_the_first_commit_of_the_new_one() {
    let world = World::start().await;
    let (dying, _) = world.faulty(|kind, _, _| if kind == Kind::Publish { Fault::AccessDenied } else { Fault::None });
    let old = [numbered(1_000, 100_000), numbered(1_001, 120_000)];
    invoke_at(120_500, &dying, "s1", &old).await;
    // The old stream is gone, and with it the records: nobody will redeliver them.
    let answer = invoke_at(200_500, &world.sessionizer(), "s1", &[numbered(1, 200_000)]).await;
    assert_eq!((named(&answer), answer.report.streams_begun_again), (None, 1));
    assert_eq!(
        world.sessions("a").await,
        ["0: 100000 to 100000, 1 clicks", "1: 120000 to 120000, 1 clicks", "2: 200000 open"]
    );
}
