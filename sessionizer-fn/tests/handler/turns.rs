//! Several execution environments, each with its own memory of the log.

use crate::calls::Kind;
use crate::world::{Sent, World, click, invoke, named};

#[tokio::test]
async fn two_environments_that_take_turns_know_of_each_others_commits() {
    let world = World::with_ring(16).await;
    let environments = [world.sessionizer(), world.sessionizer()];
    let clicks: Vec<_> = (0..24).map(|n| click(n + 1, ["a", "b"][n as usize % 2], 100_000 + 4_000 * n)).collect();
    for (turn, batch) in clicks.chunks(2).enumerate() {
        let answer = invoke(&environments[turn % 2], "s1", batch).await;
        assert_eq!((named(&answer), answer.report.applied, answer.report.lost_races), (None, 2, 0));
        assert_eq!(answer.report.buckets_loaded, u64::from(turn < 2), "later they only read on");
    }
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn environment_whose_memory_is_older_than_a_turn_of_the_ring_loads_the_log_anew() {
    for behind in 1..=14 {
        let world = World::with_ring(6).await;
        let (old, busy) = (world.sessionizer(), world.sessionizer());
        let clicks: Vec<_> = (0..behind + 2).map(|n| click(n + 1, "a", 100_000 + 4_000 * n)).collect();
        invoke(&old, "s1", &clicks[..1]).await;
        for click in &clicks[1..=behind as usize] {
            assert_eq!(named(&invoke(&busy, "s1", std::slice::from_ref(click)).await), None);
        }
        let answer = invoke(&old, "s1", &clicks[behind as usize..]).await;
        assert_eq!(
            (named(&answer), answer.report.already_applied, answer.report.applied, answer.report.lost_races),
            (None, 1, 1, 0),
            "{behind} commits behind"
        );
        world.assert_table_is_of(&clicks).await;
    }
}

/// Reading on takes steps of 1, 2, 4, 8, 16 and 32 slots.
#[tokio::test]
async fn environment_that_is_many_commits_behind_reads_on_in_growing_steps() {
    let world = World::with_ring(400).await;
    let (old, calls) = world.counted();
    let busy = world.sessionizer();
    let clicks: Vec<_> = (0..102).map(|n| click(n + 1, "a", 100_000 + 4_000 * n)).collect();
    invoke(&old, "s1", &clicks[..1]).await;
    for click in &clicks[1..101] {
        invoke(&busy, "s1", std::slice::from_ref(click)).await;
    }
    calls.take();
    let answer = invoke(&old, "s1", &clicks[101..]).await;
    assert_eq!((named(&answer), answer.report.buckets_loaded), (None, 0));
    assert_eq!(calls.of(Kind::ReadLog), 8, "1 + 2 + 4 + 8 + 16 + 32 + 32 + the end");
    world.assert_table_is_of(&clicks).await;
}

/// The log is longer than one call reads, so loading it takes a search and several calls.
#[tokio::test]
async fn newcomer_reads_a_long_log_from_its_tail_to_its_head() {
    let world = World::with_ring(64).await;
    let sessionizer = world.sessionizer();
    let clicks: Vec<_> = (0..90).map(|n| click(n + 1, &format!("u{}", n % 50), 100_000 + 1_000 * n)).collect();
    for click in &clicks[..89] {
        assert_eq!(named(&invoke(&sessionizer, "s1", std::slice::from_ref(click)).await), None);
    }
    let gauges = invoke(&sessionizer, "s1", &clicks[88..89]).await.report.gauges;
    let (newcomer, calls) = world.counted();
    let answer = invoke(&newcomer, "s1", &clicks[89..]).await;
    assert_eq!((named(&answer), answer.report.buckets_loaded, answer.report.users_read), (None, 1, 0));
    assert_eq!(answer.report.gauges.hot_users, gauges.hot_users);
    assert!(gauges.log_slots > 16, "{gauges:?}");
    assert!(calls.of(Kind::ReadLog) <= 10, "{} calls", calls.of(Kind::ReadLog));
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn newcomer_finds_the_head_wherever_it_is_in_the_ring() {
    let world = World::with_ring(7).await;
    let mut clicks: Vec<Sent> = Vec::new();
    for n in 0..30 {
        clicks.push(click(n + 1, "a", 100_000 + 4_000 * n));
        let answer = invoke(&world.sessionizer(), "s1", &clicks[n as usize..]).await;
        assert_eq!((named(&answer), answer.report.applied, answer.report.lost_races), (None, 1, 0), "commit {n}");
    }
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn buckets_beyond_the_memory_are_forgotten_and_loaded_again() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "2")]).await;
    let [a, b] = [0, 1].map(|bucket| world.users_in(bucket, "u", 2_000));
    let config = world.config(&[]);
    let options = sessionizer_fn::environment::Options { memory_bytes: 1_000_000, ..world.options(&config) };
    let sessionizer = sessionizer_fn::handler::Sessionizer::with_options(
        config,
        options,
        &world.embedded.dynamodb(),
        &world.embedded.kinesis(),
    );
    let clicks = |first: u64, users: &[String]| {
        (first..).zip(users).map(|(n, user)| click(n, user, 100_000 + n)).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for (first, users, loaded) in [(1, &a, 1), (2_001, &b, 1), (4_001, &a, 1), (6_001, &a, 0)] {
        let batch = clicks(first, users);
        let answer = invoke(&sessionizer, "s1", &batch).await;
        assert_eq!((named(&answer), answer.report.buckets_loaded), (None, loaded), "from {first} on");
        all.extend(batch);
    }
    world.assert_table_is_of(&all).await;
}
