//! The settings item: made once, and checked by every environment.

use aws_sdk_dynamodb::types::AttributeValue;

use crate::calls::Kind;
use crate::results::failures;
use crate::world::{IN_THE_END_MS, NOW_MS, World, click, invoke, named, sweep_at};

#[tokio::test]
async fn first_batch_makes_the_settings_with_the_time_as_the_number_of_the_first_commit() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let settings = world.log_item("settings").await.unwrap();
    let number = |name: &str| settings[name].as_n().unwrap().parse::<u64>().unwrap();
    assert_eq!((number("format"), number("buckets"), number("slots")), (2, 4, 1_024));
    let first = number("first_commit");
    assert!((NOW_MS..NOW_MS + 60_000).contains(&first), "{first}");
    assert_eq!(world.head(world.bucket_of("a")).await, Some(first));
}

#[tokio::test]
async fn two_environments_that_begin_at_once_agree_on_the_settings() {
    let world = World::start().await;
    let (one, two) = (world.sessionizer(), world.sessionizer());
    let (clicks_one, clicks_two) = ([click(1, "a", 100_000)], [click(1, "a", 101_000)]);
    let (one, two) = tokio::join!(invoke(&one, "s1", &clicks_one), invoke(&two, "s2", &clicks_two));
    assert_eq!((named(&one), named(&two)), (None, None));
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);
}

#[tokio::test]
async fn settings_are_read_once_for_an_environment_and_again_with_each_bucket_that_is_loaded() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let (sessionizer, calls) = world.counted();
    invoke(&sessionizer, "s1", &[click(2, "a", 101_000)]).await;
    assert_eq!(calls.of(Kind::ReadSettings), 2);
    invoke(&sessionizer, "s1", &[click(3, "a", 102_000)]).await;
    assert_eq!(calls.of(Kind::ReadSettings), 2);
}

#[tokio::test]
async fn other_settings_are_a_clear_error_and_nothing_is_written() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let good = world.log_item("settings").await.unwrap();
    for (name, value) in [("format", 1), ("buckets", 8), ("slots", 256)] {
        let mut other = good.clone();
        other.insert(name.to_owned(), AttributeValue::N(value.to_string()));
        world.put("state-log", other).await;
        let before = world.items("state-log").await;
        let (sessionizer, calls) = world.counted();
        let logs = local_aws::CapturedLogs::start();
        let answer = invoke(&sessionizer, "s1", &[click(2, "a", 101_000), click(3, "b", 101_000)]).await;
        assert_eq!((named(&answer), answer.records.undone, answer.report.commits), (Some("2"), 2, 0), "{name}");
        let [(level, fields)] = &failures(&logs)[..] else { panic!("{}", logs.text()) };
        assert_eq!((level.as_str(), &fields["code"]), ("ERROR", &"other_settings".into()));
        let error = fields["error"].as_str().unwrap();
        assert!(error.contains("this function is configured for format 2, 4 buckets of 1024 slots"), "{error}");
        assert!(error.contains(&value.to_string()), "{error}");

        let swept = sweep_at(IN_THE_END_MS, &sessionizer).await;
        assert!(swept.outcome.unwrap_err().to_string().contains("other_settings"));
        let written = [Kind::Commit, Kind::MakeSettings, Kind::WriteRest, Kind::Publish].map(|kind| calls.of(kind));
        assert_eq!(written, [0; 4]);
        assert_eq!(world.items("state-log").await, before);
    }
    world.put("state-log", good).await;
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &[click(2, "a", 101_000)]).await), None);
}

#[tokio::test]
async fn function_configured_for_other_buckets_fails_closed() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let other = world.sessionizer_with(&[("STATE_BUCKETS", "8")]);
    let answer = invoke(&other, "s1", &[click(2, "a", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0));
}

#[tokio::test]
async fn settings_item_that_is_no_settings_item_fails_closed() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s1", &[click(1, "a", 100_000)]).await;
    let mut damaged = world.log_item("settings").await.unwrap();
    damaged.remove("slots");
    world.put("state-log", damaged).await;
    let logs = local_aws::CapturedLogs::start();
    let answer = invoke(&world.sessionizer(), "s1", &[click(2, "a", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0));
    assert!(logs.text().contains("slots"), "{}", logs.text());
}

/// A bucket that is loaded later must not begin a log beside another one.
#[tokio::test]
async fn settings_that_change_or_vanish_while_an_environment_runs_stop_it_from_loading_buckets() {
    let world = World::start().await;
    let [a, b] = [0, 3].map(|bucket| world.users_in(bucket, "u", 1).remove(0));
    for change in ["gone", "another first commit"] {
        world.delete_from_log(None).await;
        let sessionizer = world.sessionizer();
        invoke(&sessionizer, "s1", &[click(1, &a, 100_000)]).await;
        let mut settings = world.log_item("settings").await.unwrap();
        world.delete_from_log(Some(&["settings"])).await;
        if change != "gone" {
            settings.insert("first_commit".to_owned(), AttributeValue::N("5".to_owned()));
            world.put("state-log", settings).await;
        }
        let before = world.items("state-log").await;
        let logs = local_aws::CapturedLogs::start();
        let answer = invoke(&sessionizer, "s1", &[click(2, &b, 101_000)]).await;
        assert_eq!((named(&answer), answer.report.commits), (Some("2"), 0), "{change}");
        assert!(logs.text().contains("settings_changed"), "{}", logs.text());
        assert_eq!(world.items("state-log").await, before);
    }
}
