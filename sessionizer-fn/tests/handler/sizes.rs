//! Batches that need more than one commit, and users whose sessions are as large as can be.

use std::time::Duration;

use crate::results::item_bytes;
use crate::world::{BEGIN_MS, Sent, World, invoke_for, live, named};

/// Largest item of state-log, in bytes. Source: design, section 3.
const MAX_ITEM_BYTES: usize = 380_000;

const TIME: Duration = Duration::from_secs(120);

/// A click with three attributes of `length` characters, which compress to no less than four fifths.
fn click_with(sequence_number: u64, user: &str, ms: u64, length: usize) -> Sent {
    let mut random = fastrand::Rng::with_seed(sequence_number);
    let mut letters = std::iter::repeat_with(|| random.char('!'..='~')).filter(|letter| !['"', '\\'].contains(letter));
    let [name, kind, device] = [(); 3].map(|()| letters.by_ref().take(length).collect::<String>());
    let at = BEGIN_MS + ms;
    let json = format!(
        r#"{{"user_id":"{user}","event_timestamp":{at},"event_name":"{name}","event_type":"{kind}","device_type":"{device}"}}"#
    );
    Sent { data: json.into_bytes(), ..live(sequence_number, user, ms) }
}

/// `sessions` sessions of each of `users` users, all users' first sessions first.
fn clicks(users: &[String], sessions: u64, length: usize) -> Vec<Sent> {
    let mut clicks = Vec::new();
    for session in 0..sessions {
        for user in users {
            let number = clicks.len() as u64 + 1;
            clicks.push(click_with(number, user, 1_000_000 + 20_000 * session, length));
        }
    }
    clicks
}

/// Checks the items of state-log and returns the sizes of the largest one and of all.
async fn assert_sizes(world: &World) -> (usize, usize) {
    let sizes: Vec<_> = world.items("state-log").await.iter().map(item_bytes).collect();
    let largest = sizes.iter().copied().max().unwrap();
    assert!(largest < MAX_ITEM_BYTES, "an item of {largest} bytes");
    (largest, sizes.iter().sum())
}

#[tokio::test]
async fn batch_that_needs_several_commits_is_published_commit_by_commit() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "1")]).await;
    let users: Vec<_> = (0..1_500).map(|n| format!("user{n}")).collect();
    let clicks = clicks(&users, 1, 256);
    let (sessionizer, calls) = world.counted();
    let answer = invoke_for(TIME, &sessionizer, "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (None, 1_500, 1_500));
    assert!(answer.report.commits > 5, "{:?}", answer.report);
    assert_eq!(calls.of(crate::calls::Kind::Commit) as u64, answer.report.commits);
    let (largest, all) = assert_sizes(&world).await;
    assert!(largest > 120_000 && all / calls.of(crate::calls::Kind::Commit) > 120_000, "{largest}, {all} in all");
    world.assert_table_is_of(&clicks).await;
}

/// Ends only, so that nothing is published and what changes is bounded by the items alone.
#[tokio::test]
async fn batch_that_compresses_worse_than_most_is_committed_in_smaller_pieces() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "1"), ("BOUNDARIES", "closed")]).await;
    let users: Vec<_> = (0..1_500).map(|n| format!("user{n}")).collect();
    let clicks = clicks(&users, 1, 256);
    let answer = invoke_for(TIME, &world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (None, 1_500, 0));
    let (largest, _) = assert_sizes(&world).await;
    assert!(answer.report.commits > 5 && largest < 200_000, "{largest} bytes, {:?}", answer.report);
    for user in users.iter().step_by(499) {
        assert_eq!(world.window(user).await, [(0, 1_000_000, 1_000_000, 1)]);
    }
}

/// Bounds of what late clicks may renumber must not make commits of a few users each.
#[tokio::test]
async fn hundreds_of_users_with_full_windows_take_commits_that_are_well_filled_and_never_too_large() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "1")]).await;
    let users: Vec<_> = (0..80).map(|n| format!("user{n}")).collect();
    let mut clicks = clicks(&users, 32, 42);
    let answer = invoke_for(TIME, &world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 2_560));
    let (_, all) = assert_sizes(&world).await;
    assert!(all as u64 / answer.report.commits > 200_000, "{all} bytes in {} commits", answer.report.commits);
    // A click before all others renumbers all of a user's sessions but the last, which leaves one behind.
    let first: Vec<_> = (10_001..).zip(&users[..40]).map(|(n, user)| click_with(n, user, 900_000, 5)).collect();
    let answer = invoke_for(TIME, &world.sessionizer(), "s1", &first).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.published), (None, 40, 1_320));
    assert_sizes(&world).await;
    clicks.extend(first);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn sessions_with_full_attributes_of_users_with_the_longest_ids_fit_into_items() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "1")]).await;
    let users: Vec<_> = (0..20).map(|n| format!("{}{n:03}", "🦀".repeat(253))).collect();
    let clicks = clicks(&users, 32, 256);
    let answer = invoke_for(TIME, &world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 640));
    assert_sizes(&world).await;
    world.assert_table_is_of(&clicks).await;
}

/// More is under way than a ring can hold: some are told closed ahead of time, which their next clicks take back.
#[tokio::test]
async fn more_users_under_way_than_a_ring_can_hold_leave_it_ahead_of_time_and_lose_nothing() {
    let world = World::unlimited(Some(4), &[("STATE_BUCKETS", "1")]).await;
    let users: Vec<_> = (0..600).map(|n| format!("user{n}")).collect();
    let mut all = Vec::new();
    let (mut closed_early, mut reopened) = (0, 0);
    let sessionizer = world.sessionizer();
    for round in 0..3 {
        for (part, users) in users.chunks(150).enumerate() {
            let first = 10_000 * round + 1_000 * part as u64 + 1;
            let clicks: Vec<_> =
                (first..).zip(users).map(|(n, user)| click_with(n, user, 1_000_000 + 6_000 * round, 250)).collect();
            let answer = invoke_for(TIME, &sessionizer, "s1", &clicks).await;
            assert_eq!((named(&answer), answer.report.applied), (None, 150));
            closed_early += answer.report.closed_early;
            reopened += answer.report.reopened;
            all.extend(clicks);
            assert_sizes(&world).await;
        }
    }
    assert!(closed_early > 0 && reopened > 0, "{closed_early} closed early, {reopened} reopened");
    world.assert_table_is_of(&all).await;
}

/// Every commit of such a batch is full of new users, so none has room to spare for those who must leave.
#[tokio::test]
async fn one_batch_of_more_users_than_a_ring_can_hold_makes_its_own_room() {
    let world = World::unlimited(Some(4), &[("STATE_BUCKETS", "1")]).await;
    let users: Vec<_> = (0..2_500).map(|n| format!("user{n}")).collect();
    let clicks = clicks(&users, 1, 250);
    let answer = invoke_for(Duration::from_secs(30), &world.sessionizer(), "s1", &clicks).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 2_500));
    assert!(answer.report.closed_early > 0, "{:?}", answer.report);
    assert_sizes(&world).await;
    world.assert_table_is_of(&clicks).await;
}
