//! Stored items that cannot be read: nothing is overwritten, and other buckets go on.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;

use crate::results::failures;
use crate::world::{IN_THE_END_MS, World, click, invoke, invoke_at, live, named, sweep_at};

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Ways to damage a commit, with what the error must name.
fn damages(item: &Item) -> Vec<(&'static str, Item)> {
    let with = |name: &str, value: AttributeValue| {
        let mut item = item.clone();
        item.insert(name.to_owned(), value);
        item
    };
    let without = |name: &str| {
        let mut item = item.clone();
        item.remove(name);
        item
    };
    let bytes = item["entries"].as_b().unwrap().as_ref();
    let blob = |bytes: Vec<u8>| AttributeValue::B(Blob::new(bytes));
    let commit: u64 = item["commit"].as_n().unwrap().parse().unwrap();
    vec![
        ("entries", without("entries")),
        ("entries: there are no bytes", with("entries", blob(Vec::new()))),
        ("entries: the format is 9", with("entries", blob([&[9], &bytes[1..]].concat()))),
        ("entries", with("entries", blob(bytes[..bytes.len() - 1].to_vec()))),
        ("entries", with("entries", blob([bytes, &[0]].concat()))),
        ("entries is not binary", with("entries", AttributeValue::S("x".to_owned()))),
        ("it has no attribute tail", without("tail")),
        ("tail", with("tail", number(commit + 1))),
        ("version", with("version", AttributeValue::N("-1".to_owned()))),
        ("it has no attribute made", without("made")),
        ("commit", with("commit", number(commit + 1))),
    ]
}

#[tokio::test]
async fn damaged_commit_stops_its_bucket_and_is_left_as_it_is() {
    let world = World::start().await;
    let [a, b] = [0, 3].map(|bucket| world.users_in(bucket, "secret", 1).remove(0));
    invoke(&world.sessionizer(), "s1", &[click(1, &a, 100_000), click(2, &b, 100_000)]).await;
    let good = world.log_item(&world.newest_slot(0).await).await.unwrap();
    for (number, (expected, damaged)) in (3..).step_by(2).zip(damages(&good)) {
        world.put("state-log", damaged.clone()).await;
        let logs = local_aws::CapturedLogs::start();
        let sessionizer = world.sessionizer();
        let answer = invoke(&sessionizer, "s1", &[click(number, &b, 100_000), click(number + 1, &a, 100_000)]).await;
        let held = (number + 1).to_string();
        assert_eq!((named(&answer), answer.records.undone, answer.report.applied), (Some(held.as_str()), 1, 1));
        let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
        assert_eq!(
            (level.as_str(), &fields["what"], &fields["code"]),
            ("ERROR", &"state".into(), &"unreadable".into())
        );
        let error = fields["error"].as_str().unwrap();
        assert!(error.contains("state-log") && error.contains(expected), "{error}");
        assert!(error.contains(good["slot"].as_s().unwrap()), "{error}");
        assert!(!logs.text().contains("secret"), "{}", logs.text());
        assert!(sweep_at(0, &sessionizer).await.outcome.unwrap_err().to_string().contains("unreadable"));
        assert_eq!(world.log_item(good["slot"].as_s().unwrap()).await.unwrap(), damaged);
    }
    world.put("state-log", good).await;
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &[click(100, &a, 101_000)]).await), None);
    assert_eq!(world.window(&a).await, [(0, 100_000, 101_000, 2)]);
}

/// The user's item of session-state, as it is after the user left a small ring.
async fn world_with_a_user_at_rest() -> (World, Item) {
    let world = World::start_with(Some(4), &[("STATE_BUCKETS", "2")]).await;
    let [busy, other] = [0, 1].map(|bucket| world.users_in(bucket, "busy", 1).remove(0));
    let user = world.users_in(0, "secret", 1).remove(0);
    let sessionizer = world.sessionizer();
    let mut ms = 100_000;
    for user in [&user, &busy, &other, &busy, &busy, &busy, &busy, &busy] {
        assert_eq!(named(&invoke_at(ms + 500, &sessionizer, "s1", &[live(ms, user, ms)]).await), None);
        ms += 60_000;
    }
    let item = world.item(&user).await.expect("an item");
    (world, item)
}

#[tokio::test]
async fn unreadable_item_of_a_user_holds_its_bucket_only_and_is_left_as_it_is() {
    let (world, good) = world_with_a_user_at_rest().await;
    let user = good["user_id"].as_s().unwrap().clone();
    let other = world.users_in(1, "other", 1).remove(0);
    let with = |name: &str, value: Option<AttributeValue>| {
        let mut item = good.clone();
        item.remove(name);
        item.extend(value.map(|value| (name.to_owned(), value)));
        item
    };
    let rest = good["rest"].as_b().unwrap().as_ref();
    let damages = [
        ("rest: the format is 9", with("rest", Some(AttributeValue::B(Blob::new([&[9], &rest[1..]].concat()))))),
        ("rest", with("rest", Some(AttributeValue::B(Blob::new(&rest[..rest.len() - 1]))))),
        ("it has no attribute rest", with("rest", None)),
        ("ordinal is 7, but 0 in rest", with("ordinal", Some(number(7)))),
        ("last_seen is 1, but", with("last_seen", Some(number(1)))),
        ("it has no attribute commit", with("commit", None)),
    ];
    for (place, (expected, damaged)) in (1_000_000..).step_by(100).zip(damages) {
        world.put("session-state", damaged.clone()).await;
        let logs = local_aws::CapturedLogs::start();
        let clicks = [live(place, &other, place), live(place + 1, &user, place)];
        let answer = invoke_at(place + 500, &world.sessionizer(), "s1", &clicks).await;
        let held = (place + 1).to_string();
        assert_eq!((named(&answer), answer.report.applied), (Some(held.as_str()), 1), "{expected}");
        let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
        let error = fields["error"].as_str().unwrap();
        assert!(level == "ERROR" && error.contains("session-state") && error.contains(expected), "{error}");
        assert!(!logs.text().contains("secret"), "{}", logs.text());
        assert_eq!(world.item(&user).await.unwrap(), damaged);
        assert!(world.logged(&user).await.is_none());
    }
    world.put("session-state", good).await;
    let answer = invoke_at(2_000_500, &world.sessionizer(), "s1", &[live(2_000_000, &user, 2_000_000)]).await;
    assert_eq!(named(&answer), None);
    assert_eq!(world.sessions(&user).await.len(), 2);
}

/// Somebody has put an item of a later commit into session-state than the log has.
#[tokio::test]
async fn item_of_a_commit_that_the_log_has_not_reached_fails_closed_when_its_user_leaves() {
    let (world, good) = world_with_a_user_at_rest().await;
    let user = good["user_id"].as_s().unwrap().clone();
    let sessionizer = world.sessionizer();
    invoke_at(1_000_500, &sessionizer, "s1", &[live(1_000_000, &user, 1_000_000)]).await;
    let mut later = good.clone();
    later.insert("commit".to_owned(), number(IN_THE_END_MS * 1_000_000));
    world.put("session-state", later.clone()).await;
    let busy = world.users_in(0, "busy", 1).remove(0);
    let mut held = None;
    let logs = local_aws::CapturedLogs::start();
    for n in 1..6 {
        let ms = 1_000_000 + 60_000 * n;
        let answer = invoke_at(ms + 500, &sessionizer, "s1", &[live(ms, &busy, ms)]).await;
        held = held.or(named(&answer).map(str::to_owned));
    }
    assert!(held.is_some() && logs.text().contains("lost"), "{}", logs.text());
    assert_eq!(world.item(&user).await.unwrap(), later);
    assert!(world.logged(&user).await.is_some());
}
