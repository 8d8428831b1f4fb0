//! A log that was emptied or set back while environments know more of it: fail closed.

use std::ops::RangeInclusive;

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;
use sessionizer_fn::handler::Sessionizer;

use crate::results::failures;
use crate::world::{BEGIN_MS, IN_THE_END_MS, NOW_MS, Sent, World, click, invoke, invoke_at, live, named, sweep_at};

/// Checks that the next batch and the next sweep of a warm environment end with this error and write nothing.
async fn assert_closed(world: &World, sessionizer: &Sessionizer, next: &Sent, code: &str) {
    let before = world.items("state-log").await;
    let logs = local_aws::CapturedLogs::start();
    let answer = invoke(sessionizer, "s1", std::slice::from_ref(next)).await;
    let sequence_number = next.sequence_number.to_string();
    assert_eq!((named(&answer), answer.report.commits), (Some(sequence_number.as_str()), 0));
    let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["code"]), ("ERROR", &code.into()), "{fields}");
    let swept = sweep_at(IN_THE_END_MS, sessionizer).await;
    assert!(swept.outcome.unwrap_err().to_string().contains(code));
    assert_eq!(world.items("state-log").await, before);
}

/// Clicks of user `a` with these sequence numbers, each in a batch and so a commit of its own.
async fn click_in_batches(sessionizer: &Sessionizer, numbers: RangeInclusive<u64>) {
    for n in numbers {
        invoke(sessionizer, "s1", &[click(n, "a", 100_000 + n)]).await;
    }
}

#[tokio::test]
async fn log_emptied_while_an_environment_is_warm_is_not_begun_again_by_it() {
    let world = World::with_ring(8).await;
    let sessionizer = world.sessionizer();
    click_in_batches(&sessionizer, 1..=3).await;
    world.delete_from_log(None).await;
    assert_closed(&world, &sessionizer, &click(4, "a", 101_000), "lost").await;
}

#[tokio::test]
async fn log_begun_again_by_a_newcomer_fails_the_environments_that_know_the_old_one() {
    let world = World::with_ring(8).await;
    let old = world.sessionizer();
    invoke(&old, "s1", &[click(1, "a", 100_000)]).await;
    world.delete_from_log(None).await;
    // A newcomer takes empty tables for new ones.
    let newcomer = invoke_at(NOW_MS + 60_000 - BEGIN_MS, &world.sessionizer(), "s2", &[click(1, "b", 100_000)]).await;
    assert_eq!(named(&newcomer), None);
    let before = world.items("state-log").await;
    let answer = invoke(&old, "s1", &[click(2, "a", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0));
    assert_eq!(world.items("state-log").await, before);
}

/// It has loaded the bucket when it was empty, so it knows no commit that could be missing.
#[tokio::test]
async fn environment_that_knows_an_empty_bucket_notices_that_the_log_was_begun_again() {
    let world = World::start().await;
    let [a, b] = [0, 3].map(|bucket| world.users_in(bucket, "u", 1).remove(0));
    let old = world.sessionizer();
    invoke(&old, "s1", &[click(1, &a, 100_000)]).await;
    sweep_at(0, &old).await; // loads all buckets
    world.delete_from_log(None).await;
    let before = world.items("state-log").await;
    let answer = invoke(&old, "s1", &[click(2, &b, 101_000)]).await;
    assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0));
    assert_eq!(world.items("state-log").await, before);
}

#[tokio::test]
async fn newest_commit_that_is_gone_fails_closed() {
    let world = World::with_ring(8).await;
    let sessionizer = world.sessionizer();
    click_in_batches(&sessionizer, 1..=3).await;
    let newest = world.newest_slot(0).await;
    world.delete_from_log(Some(&[&newest])).await;
    assert_closed(&world, &sessionizer, &click(4, "a", 101_000), "lost").await;
}

#[tokio::test]
async fn slot_set_back_by_a_turn_fails_closed() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    let mut items = Vec::new();
    for n in 1..=6 {
        invoke(&sessionizer, "s1", &[click(n, "a", 100_000 + n)]).await;
        items.push(world.log_item(&world.newest_slot(0).await).await.unwrap());
    }
    world.put("state-log", items.remove(1)).await; // the commit that the sixth has overwritten
    assert_closed(&world, &sessionizer, &click(7, "a", 101_000), "lost").await;
}

/// A table restored to an earlier time.
#[tokio::test]
async fn log_set_back_as_a_whole_fails_the_environments_that_know_more() {
    let world = World::with_ring(8).await;
    let sessionizer = world.sessionizer();
    click_in_batches(&sessionizer, 1..=2).await;
    let earlier = world.items("state-log").await;
    click_in_batches(&sessionizer, 3..=4).await;
    world.delete_from_log(None).await;
    for item in earlier {
        world.put("state-log", item).await;
    }
    assert_closed(&world, &sessionizer, &click(5, "a", 101_000), "lost").await;
    // A newcomer goes on from there, and counts what is redelivered.
    let answer = invoke(&world.sessionizer(), "s1", &[click(3, "a", 100_003), click(4, "a", 100_004)]).await;
    assert_eq!((named(&answer), answer.report.applied), (None, 2));
}

/// The place of the next commit is taken by one that belongs to nobody's log.
#[tokio::test]
async fn lost_race_after_which_reading_on_finds_nothing_fails_closed() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    click_in_batches(&sessionizer, 1..=5).await;
    // The next commit's slot holds a commit of two turns before.
    let head = world.head(0).await.unwrap();
    let key = format!("0/{}", (head + 1) % 4);
    let mut item = world.log_item(&key).await.unwrap();
    item.insert("commit".to_owned(), AttributeValue::N((head + 1 - 8).to_string()));
    item.insert("tail".to_owned(), AttributeValue::N((head + 1 - 8).to_string()));
    world.put("state-log", item).await;
    assert_closed(&world, &sessionizer, &click(6, "a", 101_000), "lost").await;
}

/// After the log began again, everything that it writes is above every old item.
#[tokio::test]
async fn users_at_rest_are_read_and_replaced_after_the_log_was_begun_again() {
    let world = World::with_ring(4).await;
    let sessionizer = world.sessionizer();
    let visit = [live(1, "a", 100_000)];
    invoke_at(100_500, &sessionizer, "s1", &visit).await;
    let busy = |n: u64| live(60_000 * n, "busy", 60_000 * n + 200_000);
    for n in 1..8 {
        invoke_at(60_000 * n + 200_500, &sessionizer, "s1", &[busy(n)]).await;
    }
    let old = world.item("a").await.expect("an item");
    world.delete_from_log(None).await;
    let newcomer = world.sessionizer();
    let again = [live(1_000_000, "a", 1_000_000)];
    let answer = invoke_at(1_000_500, &newcomer, "s1", &again).await;
    assert_eq!((named(&answer), answer.report.users_read), (None, 1));
    assert_eq!(world.sessions("a").await[1..], ["1: 1000000 open"], "ordinals go on");
    for n in 20..28 {
        invoke_at(60_000 * n + 200_500, &newcomer, "s1", &[busy(n)]).await;
    }
    let commit = |item: &Item| item["commit"].as_n().unwrap().parse::<u64>().unwrap();
    let new = world.item("a").await.unwrap();
    assert!(world.logged("a").await.is_none() && commit(&new) > commit(&old));
}
