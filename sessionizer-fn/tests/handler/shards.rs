//! Clicks of one user over several shards and streams.

use crate::world::{World, click, invoke, named};

#[tokio::test]
async fn clicks_of_one_user_over_two_shards_are_one_sequence_of_sessions() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let (mut one, mut two) = (Vec::new(), Vec::new());
    for n in 0..12 {
        // Both shards count from 1, and the second one is behind the first.
        one.push(click(n + 1, "a", 100_000 + 12_000 * n));
        two.push(click(n + 1, "a", 106_000 + 12_000 * n));
    }
    for (one, two) in one.chunks(4).zip(two.chunks(3)) {
        assert_eq!(named(&invoke(&sessionizer, "s1", one).await), None);
        assert_eq!(named(&invoke(&sessionizer, "s2", two).await), None);
    }
    invoke(&sessionizer, "s2", &two[9..]).await;
    let cursors = world.bucket(world.bucket_of("a")).await;
    assert_eq!(cursors.cursors().count(), 2);
    world.assert_table_is_of(one.iter().chain(&two)).await;
}

#[tokio::test]
async fn shard_of_the_same_name_in_another_stream_has_its_own_cursor() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "one/shardId-000000000000", &[click(100, "a", 100_000)]).await;
    let answer = invoke(&sessionizer, "other/shardId-000000000000", &[click(50, "a", 101_000)]).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (1, 0));
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);
}

#[tokio::test]
async fn child_shard_goes_on_where_its_parent_ended() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    invoke(&sessionizer, "parent", &[click(7, "a", 100_000)]).await;
    invoke(&sessionizer, "child", &[click(8, "a", 105_000), click(9, "a", 120_000)]).await;
    assert_eq!(world.sessions("a").await, ["0: 100000 to 105000, 2 clicks", "1: 120000 open"]);
}
