//! Users who leave the log for session-state and come back.

use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{Sent, World, click, invoke_at, live, named, sweep_at};

/// Commits `count` batches of `user`, one click a minute, the first at `first_ms`, so that everybody else who is
/// inactive leaves the log.
async fn turn(
    world: &World,
    sessionizer: &sessionizer_fn::handler::Sessionizer,
    user: &str,
    first_ms: u64,
    count: u64,
) -> Vec<Sent> {
    let clicks: Vec<_> = (0..count).map(|n| live(first_ms + 60_000 * n, user, first_ms + 60_000 * n)).collect();
    for click in &clicks {
        let at = click.sequence_number + 500;
        let answer = invoke_at(at, sessionizer, "s1", std::slice::from_ref(click)).await;
        assert_eq!(named(&answer), None);
    }
    assert!(world.head(0).await.is_some());
    clicks
}

#[tokio::test]
async fn user_who_was_told_closed_leaves_the_log_and_is_read_back() {
    let world = World::with_ring(6).await;
    let sessionizer = world.sessionizer();
    let mut clicks = vec![live(1, "a", 100_000), live(2, "a", 105_000), live(3, "a", 120_000)];
    invoke_at(121_000, &sessionizer, "s1", &clicks).await;
    assert!(world.item("a").await.is_none());
    clicks.extend(turn(&world, &sessionizer, "busy", 200_000, 8).await);

    assert!(world.logged("a").await.is_none());
    let item = world.item("a").await.expect("an item");
    let number = |name: &str| item[name].as_n().unwrap().parse::<u64>().unwrap();
    assert_eq!((number("last_seen"), number("ordinal")), (crate::world::BEGIN_MS + 120_000, 1));
    assert!(number("commit") <= world.head(0).await.unwrap());
    assert!(matches!(item["rest"], AttributeValue::B(_)));

    let back = live(700_000, "a", 700_000);
    let answer = invoke_at(700_500, &sessionizer, "s1", std::slice::from_ref(&back)).await;
    assert_eq!((named(&answer), answer.report.users_read), (None, 1));
    clicks.push(back);
    assert_eq!(world.sessions("a").await[1..], ["1: 120000 to 120000, 1 clicks", "2: 700000 open"]);
    assert_eq!(world.item("a").await.unwrap(), item, "the item stays, and the log counts");
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn user_who_comes_back_leaves_again_over_the_old_item() {
    let world = World::with_ring(5).await;
    let sessionizer = world.sessionizer();
    let mut clicks = Vec::new();
    let mut commits = Vec::new();
    for round in 1..=3 {
        let at = round * 1_000_000;
        let visit = [live(at, "a", at)];
        invoke_at(at + 500, &sessionizer, "s1", &visit).await;
        clicks.extend(visit);
        clicks.extend(turn(&world, &sessionizer, "busy", at + 100_000, 7).await);
        assert!(world.logged("a").await.is_none(), "round {round}");
        commits.push(world.item("a").await.unwrap()["commit"].as_n().unwrap().parse::<u64>().unwrap());
    }
    assert!(commits.is_sorted_by(|earlier, later| earlier < later), "{commits:?}");
    world.assert_table_is_of(&clicks).await;
}

/// The late click finds the sessions of the window in the item.
#[tokio::test]
async fn late_click_of_a_user_at_rest_still_inserts_and_merges_sessions() {
    let world = World::with_ring(5).await;
    let sessionizer = world.sessionizer();
    let mut clicks = vec![live(1, "a", 100_000), live(2, "a", 115_000), live(3, "a", 200_000)];
    invoke_at(201_000, &sessionizer, "s1", &clicks).await;
    clicks.extend(turn(&world, &sessionizer, "busy", 300_000, 7).await);
    assert!(world.logged("a").await.is_none());
    let mut late = [live(800_000, "a", 107_500), live(800_001, "a", 150_000)];
    late.iter_mut().for_each(|click| click.arrival_ms = crate::world::BEGIN_MS + 800_000);
    let answer = invoke_at(800_500, &sessionizer, "s1", &late).await;
    assert_eq!((named(&answer), answer.report.merged, answer.report.reopened), (None, 1, 0));
    clicks.extend(late);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn user_under_way_is_repeated_and_never_leaves() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    // One click per commit and within the gap and the grace; each of ten users in turn.
    let clicks: Vec<_> = (0..60).map(|n| live(n + 1, &format!("u{}", n % 10), 100_000 + 1_500 * n)).collect();
    let mut carried = 0;
    for click in &clicks {
        let at = 100_500 + 1_500 * (click.sequence_number - 1);
        let answer = invoke_at(at, &sessionizer, "s1", std::slice::from_ref(click)).await;
        assert_eq!((named(&answer), answer.report.users_at_rest), (None, 0));
        carried += answer.report.carried;
    }
    assert!(carried > 100, "{carried} entries carried");
    assert_eq!(world.items("session-state").await.len(), 0);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn everybody_leaves_a_small_ring_in_the_end_and_a_newcomer_reads_them_all_back() {
    let world = World::with_ring(3).await;
    let sessionizer = world.sessionizer();
    let users: Vec<_> = (0..150).map(|n| format!("user{n}")).collect();
    let visit = |ms: u64| {
        let clicks = (ms..).zip(&users).map(|(number, user)| live(number, user, ms));
        clicks.collect::<Vec<_>>()
    };
    let mut clicks = visit(100_000);
    invoke_at(100_500, &sessionizer, "s1", &clicks).await;
    clicks.extend(turn(&world, &sessionizer, "busy", 200_000, 5).await);
    assert_eq!(world.items("session-state").await.len(), 150);
    let again = visit(1_000_000);
    let (newcomer, calls) = world.counted();
    let answer = invoke_at(1_000_500, &newcomer, "s1", &again).await;
    assert_eq!((named(&answer), answer.report.users_read, answer.report.applied), (None, 150, 150));
    assert_eq!(calls.of(Kind::ReadRest), 2, "100 keys to a call");
    clicks.extend(again);
    assert_eq!(world.sessions("user7").await, ["0: 100000 to 100000, 1 clicks", "1: 1000000 open"]);
    world.assert_table_is_of(&clicks).await;
}

/// A cursor of a shard without records must not block the tail, and neither may it be lost.
#[tokio::test]
async fn cursor_of_an_idle_shard_outlives_many_turns_of_the_ring() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    let idle = [click(5, "a", 100_000)];
    invoke_at(100_500, &sessionizer, "idle", &idle).await;
    let mut clicks = turn(&world, &sessionizer, "busy", 200_000, 20).await;
    let answer = invoke_at(1_500_000, &world.sessionizer(), "idle", &idle).await;
    assert_eq!((named(&answer), answer.report.already_applied, answer.report.applied), (None, 1, 0));
    clicks.extend(idle);
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn cursor_older_than_the_streams_retention_is_let_go_of() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "ended", &[live(5, "a", 100_000)]).await;
    const DAY_MS: u64 = 86_400_000;
    turn(&world, &sessionizer, "busy", DAY_MS - 1_000_000, 6).await;
    assert_eq!(world.bucket(0).await.cursors().count(), 2);
    turn(&world, &sessionizer, "busy", DAY_MS + 200_000, 6).await;
    let bucket = world.bucket(0).await;
    let cursors: Vec<_> = bucket.cursors().map(|(shard, _)| shard.as_str()).collect();
    assert_eq!(cursors, ["click-stream/s1"]);
}

/// However slowly the ring fills.
#[tokio::test]
async fn user_leaves_after_an_hour_even_if_the_ring_is_almost_empty() {
    let world = World::with_ring(512).await;
    let sessionizer = world.sessionizer();
    invoke_at(100_500, &sessionizer, "s1", &[live(1, "a", 100_000)]).await;
    sweep_at(160_000, &sessionizer).await;
    invoke_at(3_600_000, &sessionizer, "s1", &[live(2, "b", 3_599_500)]).await;
    assert!(world.item("a").await.is_none());
    // The session was told closed by the commit of 160 s.
    let answer = invoke_at(3_770_000, &sessionizer, "s1", &[live(3, "b", 3_769_500)]).await;
    assert_eq!((named(&answer), answer.report.users_at_rest), (None, 1));
    assert!(world.item("a").await.is_some() && world.logged("a").await.is_none());
}

/// The items were written, the commit was not: they are of a commit that somebody else makes differently.
#[tokio::test]
async fn items_of_a_commit_that_was_never_made_do_no_harm() {
    let world = World::with_ring(3).await;
    let sessionizer = world.sessionizer();
    let mut clicks = vec![live(1, "a", 100_000), live(2, "b", 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &clicks).await;
    sweep_at(160_000, &sessionizer).await;
    let (dying, calls) =
        world.faulty(|kind, _, _| if kind == Kind::Commit { Fault::AccessDenied } else { Fault::None });
    let next = [live(200_000, "busy", 200_000)];
    for _ in 0..2 {
        let answer = invoke_at(200_500, &dying, "s1", &next).await;
        assert_eq!(named(&answer), Some("200000"));
    }
    assert!(calls.of(Kind::WriteRest) > 0, "nobody was to leave");
    assert!(world.item("a").await.is_some() && world.logged("a").await.is_some());
    // `a` clicks in the very commit, and so does not leave.
    let instead = [live(200_000, "busy", 200_000), live(200_001, "a", 200_000)];
    let answer = invoke_at(200_600, &sessionizer, "s1", &instead).await;
    assert_eq!((named(&answer), answer.report.users_read), (None, 1), "only busy is new");
    clicks.extend(instead);
    clicks.extend(turn(&world, &sessionizer, "busy", 300_000, 6).await);
    assert!(world.logged("a").await.is_none());
    let back = [live(900_000, "a", 900_000), live(900_001, "b", 900_000)];
    invoke_at(900_500, &world.sessionizer(), "s1", &back).await;
    clicks.extend(back);
    world.assert_table_is_of(&clicks).await;
}
