//! Tables that are emptied or set back under warm environments: these fail closed and overwrite nothing.

use std::time::Duration;

use kinesis_function::invocation::handle;
use kinesis_function::statements::Item;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::Fault;
use sessionizer_fn::handler::Sessionizer;

use crate::setup::{SPEED_OF_TIMEOUTS, Setup, USUAL, sessionizer};
use crate::stream::{Record, click_event};
use crate::world::World;

const NOW_MS: u64 = 1_721_390_600_000;
const AN_HOUR_MS: u64 = 3_600_000;

/// Sequence number `number` of the shard, a click of user a.
async fn click(sessionizer: &Sessionizer, number: u64) -> Option<String> {
    let ms = NOW_MS - 100_000 + number * 1_000;
    let data = format!(r#"{{"user_id":"a","event_timestamp":{ms}}}"#).into_bytes();
    let record = Record { shard: "s".to_owned(), number, key: "a".to_owned(), data, arrival_ms: NOW_MS + number };
    let time = TimeBudget::lasting(NOW_MS + number, Duration::from_secs(2));
    let answer = handle(sessionizer, click_event(&[record]), time).await.unwrap().response;
    answer.batch_item_failures.into_iter().next().map(|failure| failure.item_identifier.unwrap())
}

async fn fails_closed(world: &World, warm: &Sessionizer, number: u64) {
    world.published_since().await;
    let before = sorted(world.items("state-log").await);
    assert_eq!(click(warm, number).await, Some(number.to_string()));
    let time = TimeBudget::lasting(NOW_MS + AN_HOUR_MS, Duration::from_secs(2));
    let swept = handle_sweep(warm, time).await.unwrap();
    assert!(swept.outcome.is_err(), "the sweep must fail");
    assert_eq!(sorted(world.items("state-log").await), before);
    assert_eq!(world.published_since().await, Vec::<Vec<u8>>::new());
}

fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_key(|item| item["slot"].as_s().unwrap().clone());
    items
}

fn warm(world: &World, slots: u64) -> Sessionizer {
    sessionizer(world, Setup { slots, ..USUAL }, SPEED_OF_TIMEOUTS, |_| Fault::None)
}

#[tokio::test]
async fn emptied_log_is_not_begun_again_by_an_environment_that_knew_it() {
    let world = World::start().await;
    // With and without the settings item; after commits of the first round, and after more than a turn of the ring.
    for (commits, without_settings) in [(2, true), (2, false), (5, true), (5, false)] {
        world.reset().await;
        let warm = warm(&world, 3);
        for number in 1..=commits {
            assert_eq!(click(&warm, number).await, None);
        }
        let is_settings = |item: &Item| item["slot"].as_s().unwrap() == "settings";
        world.delete("state-log", |item| without_settings || !is_settings(item)).await;
        fails_closed(&world, &warm, commits + 1).await;
    }
}

#[tokio::test]
async fn log_that_was_set_back_is_not_written_by_an_environment_that_knew_more() {
    let world = World::start().await;
    for (slots, then, now) in [(8, 2, 3), (8, 2, 6), (3, 2, 3), (3, 2, 4), (3, 2, 5), (3, 2, 9)] {
        world.reset().await;
        let warm = warm(&world, slots);
        let mut backup = Vec::new();
        for number in 1..=now {
            assert_eq!(click(&warm, number).await, None);
            if number == then {
                backup = world.items("state-log").await;
            }
        }
        world.delete("state-log", |_| true).await;
        world.put("state-log", backup).await;
        fails_closed(&world, &warm, now + 1).await;
    }
}

#[tokio::test]
async fn table_made_for_another_ring_is_not_written() {
    let world = World::start().await;
    assert_eq!(click(&warm(&world, 3), 1).await, None);
    fails_closed(&world, &warm(&world, 4), 2).await;
}
