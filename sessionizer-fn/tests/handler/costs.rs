//! How many calls a batch and a sweep make: what the pipeline costs.

use std::collections::BTreeMap;

use crate::calls::Kind;
use crate::world::{Sent, World, invoke_at, live, named, sweep_at};

const BUCKETS: usize = 4;

/// A click of each of 400 users, in all buckets.
fn clicks(ms: u64) -> Vec<Sent> {
    (0..400).map(|n| live(ms + n, &format!("user{n}"), ms)).collect()
}

fn calls<const N: usize>(expected: [(Kind, usize); N]) -> BTreeMap<Kind, usize> {
    expected.into_iter().collect()
}

#[tokio::test]
async fn batch_takes_one_read_and_one_write_of_each_buckets_log_and_one_publication() {
    let world = World::unlimited(None, &[]).await;
    let (sessionizer, counted) = world.counted();
    assert_eq!(named(&invoke_at(100_500, &sessionizer, "s1", &clicks(100_000)).await), None);
    counted.take();
    // Sessions go on, so there is nothing to publish.
    assert_eq!(named(&invoke_at(105_500, &sessionizer, "s1", &clicks(105_000)).await), None);
    assert_eq!(counted.take(), calls([(Kind::ReadLog, BUCKETS), (Kind::Commit, BUCKETS)]));
    // Sessions start.
    assert_eq!(named(&invoke_at(125_500, &sessionizer, "s1", &clicks(125_000)).await), None);
    let expected = calls([(Kind::ReadLog, BUCKETS), (Kind::Commit, BUCKETS), (Kind::Publish, BUCKETS)]);
    assert_eq!(counted.take(), expected);
}

#[tokio::test]
async fn new_users_cost_one_more_read_for_a_hundred_of_them() {
    let world = World::unlimited(None, &[]).await;
    let (sessionizer, counted) = world.counted();
    let first = world.users_in(2, "first", 1).remove(0);
    assert_eq!(named(&invoke_at(100_500, &sessionizer, "s1", &[live(1, &first, 100_000)]).await), None);
    counted.take();
    for (users, reads) in [(world.users_in(2, "a", 100), 1), (world.users_in(2, "b", 101), 2)] {
        let clicks: Vec<_> = (2..).zip(&users).map(|(n, user)| live(n + 1_000 * reads, user, 101_000)).collect();
        assert_eq!(named(&invoke_at(101_500, &sessionizer, "s1", &clicks).await), None);
        let reads = (Kind::ReadRest, reads as usize);
        assert_eq!(counted.take(), calls([(Kind::ReadLog, 1), reads, (Kind::Commit, 1), (Kind::Publish, 1)]));
    }
}

#[tokio::test]
async fn cold_environment_makes_few_calls_more() {
    let world = World::unlimited(None, &[]).await;
    assert_eq!(named(&invoke_at(100_500, &world.sessionizer(), "s1", &clicks(100_000)).await), None);
    let (cold, counted) = world.counted();
    assert_eq!(named(&invoke_at(105_500, &cold, "s1", &clicks(105_000)).await), None);
    let counts = counted.take();
    assert_eq!((counts[&Kind::ReadSettings], counts[&Kind::Commit]), (1 + BUCKETS, BUCKETS));
    assert!(counts[&Kind::ReadLog] <= 6 * BUCKETS, "{counts:?}");
    assert_eq!(counts.len(), 3, "{counts:?}");
}

#[tokio::test]
async fn sweep_with_nothing_to_do_takes_one_read_of_each_bucket() {
    let world = World::unlimited(None, &[]).await;
    let (sessionizer, counted) = world.counted();
    invoke_at(100_500, &sessionizer, "s1", &clicks(100_000)).await;
    sweep_at(200_000, &sessionizer).await;
    counted.take();
    sweep_at(260_000, &sessionizer).await;
    assert_eq!(counted.take(), calls([(Kind::ReadLog, BUCKETS)]));
}

#[tokio::test]
async fn redelivered_batch_that_was_done_takes_one_read_of_each_bucket() {
    let world = World::unlimited(None, &[]).await;
    let (sessionizer, counted) = world.counted();
    invoke_at(100_500, &sessionizer, "s1", &clicks(100_000)).await;
    counted.take();
    assert_eq!(named(&invoke_at(101_000, &sessionizer, "s1", &clicks(100_000)).await), None);
    assert_eq!(counted.take(), calls([(Kind::ReadLog, BUCKETS)]));
}
