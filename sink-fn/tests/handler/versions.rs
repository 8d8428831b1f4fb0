//! The highest version of a session wins, in any order.

use std::cell::Cell;
use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::faults::Fault;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::boundary::Boundary;
use shared::session::Status;
use shared::user_id::UserId;

use crate::world::{NOW_MS, OPEN, World, boundary, bytes, closed, invoke, named};

#[tokio::test]
async fn each_field_of_a_boundary_becomes_an_attribute() {
    let world = World::start().await;
    let answer = invoke(&world.sink(), &bytes(&[boundary(0, closed(103_000, 4), 7)])).await;
    assert_eq!((named(&answer), answer.report.written), (None, 1));
    let item = world.item(0).await.unwrap();
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: u64| AttributeValue::N(value.to_string());
    let expected = [
        ("user_id", text("u")),
        ("ordinal", number(0)),
        ("session_id", text("u_0")),
        ("session_timestamp", number(100_000)),
        ("session_time", text("1970-01-01 00:01:40")),
        ("event_name", text("at 7")),
        ("status", text("closed")),
        ("session_end", number(103_000)),
        ("duration_ms", number(3_000)),
        ("event_count", number(4)),
        ("version", number(7)),
    ];
    assert_eq!(item, expected.map(|(name, value)| (name.to_owned(), value)).into());
}

#[tokio::test]
async fn newest_boundary_of_a_batch_is_written_and_settles_the_others() {
    let world = World::start().await;
    let boundaries = [boundary(0, OPEN, 5), boundary(0, closed(101_000, 2), 9), boundary(0, OPEN, 7)];
    let answer = invoke(&world.sink(), &bytes(&boundaries)).await;
    assert_eq!((named(&answer), answer.report.written), (None, 1));
    assert_eq!(world.session(0).await, boundaries[1]);
}

#[tokio::test]
async fn redelivered_batch_writes_nothing() {
    let world = World::start().await;
    let batch = bytes(&[boundary(0, closed(101_000, 2), 9), boundary(1, OPEN, 9)]);
    invoke(&world.sink(), &batch).await;
    let before = world.table().await;
    let answer = invoke(&world.sink(), &batch).await;
    assert_eq!((named(&answer), answer.report.written, answer.report.superseded), (None, 0, 2));
    assert_eq!(world.table().await, before);
}

#[tokio::test]
async fn reopened_session_loses_its_summary() {
    let world = World::start().await;
    invoke(&world.sink(), &bytes(&[boundary(0, closed(101_000, 2), 5)])).await;
    invoke(&world.sink(), &bytes(&[boundary(0, OPEN, 6)])).await;
    let item = world.item(0).await.unwrap();
    for name in ["session_end", "duration_ms", "event_count"] {
        assert!(!item.contains_key(name), "{name} is still there");
    }
    assert_eq!(world.session(0).await, boundary(0, OPEN, 6));
}

#[tokio::test]
async fn tombstone_of_a_retracted_session_outlasts_stragglers() {
    let world = World::start().await;
    invoke(&world.sink(), &bytes(&[boundary(1, Status::Retracted, 8)])).await;
    let expires_at = AttributeValue::N((NOW_MS / 1_000 + 3 * 86_400).to_string()); // both streams' retention and a day
    assert_eq!(world.item(1).await.unwrap()["expires_at"], expires_at);
    let answer = invoke(&world.sink(), &bytes(&[boundary(1, OPEN, 7)])).await;
    assert_eq!(answer.report.superseded, 1);
    assert_eq!(world.session(1).await, boundary(1, Status::Retracted, 8));
}

#[tokio::test]
async fn new_session_with_a_retracted_ordinal_does_not_expire() {
    let world = World::start().await;
    invoke(&world.sink(), &bytes(&[boundary(1, Status::Retracted, 8)])).await;
    invoke(&world.sink(), &bytes(&[boundary(1, OPEN, 9)])).await;
    assert!(!world.item(1).await.unwrap().contains_key("expires_at"));
    assert_eq!(world.session(1).await, boundary(1, OPEN, 9));
}

#[tokio::test]
async fn boundary_of_the_flink_job_is_accepted_and_superseded_by_any_version() {
    let world = World::start().await;
    let flink = |time: u64| {
        format!(r#"{{"user_id":"u","session_timestamp":{time},"session_time":"2024-07-19 12:00:13","session_id":"u_0","event_type":"click","device_type":null}}"#).into_bytes()
    };
    invoke(&world.sink(), &[flink(1_721_390_413_000)]).await;
    let item = world.item(0).await.unwrap();
    assert_eq!(item["version"], AttributeValue::N("0".to_owned()));
    assert!(!item.contains_key("status") && !item.contains_key("device_type"));
    assert_eq!(invoke(&world.sink(), &[flink(1)]).await.report.superseded, 1, "of equal versions, the first one wins");
    invoke(&world.sink(), &bytes(&[boundary(0, OPEN, 1)])).await;
    assert_eq!(world.session(0).await, boundary(0, OPEN, 1));
}

#[tokio::test]
async fn sessions_of_a_user_are_one_consistent_query_in_order_of_their_numbers() {
    let world = World::start().await;
    let boundaries: Vec<_> = [10, 9, 0, 100].map(|ordinal| boundary(ordinal, OPEN, 1)).into();
    invoke(&world.sink(), &bytes(&boundaries)).await;
    let query = world.embedded.dynamodb().query().table_name("sessions").consistent_read(true);
    let query = query.key_condition_expression("user_id = :u AND ordinal >= :first");
    let query = query.expression_attribute_values(":u", AttributeValue::S("u".to_owned()));
    let query = query.expression_attribute_values(":first", AttributeValue::N("1".to_owned()));
    let found = query.send().await.unwrap().items.unwrap();
    let ids: Vec<_> = found.iter().map(|item| item["session_id"].as_s().unwrap().as_str()).collect();
    assert_eq!(ids, ["u_9", "u_10", "u_100"]);
}

#[tokio::test]
async fn boundary_of_the_flink_job_whose_id_is_not_the_users_is_rejected() {
    let world = World::start().await;
    let flink = br#"{"user_id":"u","session_timestamp":1721390413000,"session_time":"2024-07-19 12:00:13","session_id":"v_1","event_type":"click","device_type":null}"#;
    let answer = invoke(&world.sink(), &[flink.to_vec()]).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.report.written), (None, 1, 0));
    let rejected = world.embedded.dynamodb().scan().table_name("rejected-records").send().await.unwrap();
    let [item] = &rejected.items.unwrap()[..] else { panic!("one record") };
    assert_eq!(item["reason"].as_s().unwrap(), "session_id_not_user_and_ordinal");
    assert_eq!(item["data"].as_b().unwrap().as_ref(), flink);
}

/// Boundaries of three sessions with distinct versions, in any order.
fn shuffled_boundaries() -> impl Strategy<Value = Vec<Boundary>> {
    let status = prop_oneof![
        Just(OPEN),
        (0..5_000_u64, 1..9_u64).prop_map(|(ms, n)| closed(100_000 + ms, n)),
        Just(Status::Retracted)
    ];
    let boundaries = prop::collection::vec((0..3_u64, status), 1..20).prop_map(|statuses| {
        let numbered = statuses.into_iter().enumerate();
        numbered.map(|(version, (ordinal, status))| boundary(ordinal, status, version as u64 + 1)).collect::<Vec<_>>()
    });
    boundaries.prop_shuffle()
}

#[test]
fn boundaries_in_any_order_cut_anywhere_and_repeated_leave_the_highest_version_of_each_session() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::start());
    let cases = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: 32, ..Config::default() });
    let cuts = prop::collection::vec(1..6_usize, 1..6);
    runner
        .run(&(shuffled_boundaries(), cuts), |(mut boundaries, cuts)| {
            cases.set(cases.get() + 1);
            let own = UserId::new(format!("user of case {}", cases.get())).unwrap();
            for boundary in &mut boundaries {
                boundary.user_id.clone_from(&own);
            }
            runtime.block_on(async {
                let mut cuts = cuts.iter().cycle();
                let mut rest = boundaries.as_slice();
                while !rest.is_empty() {
                    let (batch, others) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                    assert_eq!(named(&invoke(&world.sink(), &bytes(batch)).await), None);
                    rest = others;
                }
                invoke(&world.sink(), &bytes(&boundaries[..boundaries.len() / 2])).await;
                let mut stored = world.table().await;
                stored.retain(|_, session| session.user_id == own);
                boundaries.sort_by_key(|boundary| boundary.version);
                let newest = boundaries.into_iter().map(|boundary| (boundary.session_id(), boundary));
                assert_eq!(stored, newest.collect::<BTreeMap<_, _>>());
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn session_expires_after_the_retention_counted_from_its_last_change() {
    let world = World::start().await;
    let expires_at = async |session| world.item(session).await.unwrap().remove("expires_at");
    let after_days = |days: u64| Some(AttributeValue::N((NOW_MS / 1_000 + days * 86_400).to_string()));
    let sink = world.sink_keeping_for(90, 48);
    invoke(&sink, &bytes(&[boundary(0, OPEN, 5), boundary(1, OPEN, 5)])).await;
    assert_eq!(expires_at(0).await, after_days(90), "inserted");
    invoke(&sink, &bytes(&[boundary(0, closed(101_000, 2), 6), boundary(1, Status::Retracted, 6)])).await;
    assert_eq!(expires_at(0).await, after_days(90), "updated");
    assert_eq!(expires_at(1).await, after_days(2 * 2 + 1), "a tombstone outlives both streams by a day");
    invoke(&world.sink(), &bytes(&[boundary(0, OPEN, 7)])).await;
    assert_eq!(expires_at(0).await, None, "kept forever");
}

/// DynamoDB Local leaves the item of a failed condition out of its answer.
#[tokio::test]
async fn superseded_boundary_is_done_although_the_service_shows_no_items() {
    let world = World::start().await;
    invoke(&world.sink(), &bytes(&[boundary(0, closed(103_000, 4), 9), boundary(1, OPEN, 9)])).await;
    let before = world.table().await;
    let (sink, http) = world.faulty(|_| Fault::ItemsLeftOut);
    let older = [boundary(0, OPEN, 5), boundary(1, closed(101_000, 2), 7), boundary(2, closed(101_000, 2), 7)];
    let answer = invoke(&sink, &bytes(&older)).await;
    assert_eq!((named(&answer), answer.report.written, answer.report.superseded), (None, 1, 2));
    let after = world.table().await;
    assert_eq!((after["u_0"].clone(), after["u_1"].clone()), (before["u_0"].clone(), before["u_1"].clone()));
    assert_eq!(after["u_2"], older[2]);
    assert_eq!(http.calls_of("BatchExecuteStatement"), 4, "insert or update, the other one, update again, confirm");
}

#[tokio::test]
async fn newer_boundary_is_written_although_the_service_shows_no_items() {
    let world = World::start().await;
    invoke(&world.sink(), &bytes(&[boundary(0, OPEN, 5)])).await;
    let (sink, _) = world.faulty(|_| Fault::ItemsLeftOut);
    let reopened = boundary(0, OPEN, 6);
    let answer = invoke(&sink, &bytes(std::slice::from_ref(&reopened))).await;
    assert_eq!((named(&answer), answer.report.written), (None, 1));
    assert_eq!(world.session(0).await, reopened);
}

#[tokio::test]
async fn ends_are_inserted_at_once_after_a_batch_in_which_most_were_new() {
    let world = World::start().await;
    let (sink, http) = world.faulty(|_| Fault::None);
    let calls = async |boundaries: Vec<Boundary>| {
        let before = http.calls_of("BatchExecuteStatement");
        let answer = invoke(&sink, &bytes(&boundaries)).await;
        assert_eq!((named(&answer), answer.report.written), (None, boundaries.len() as u64));
        for boundary in boundaries {
            assert_eq!(world.session(boundary.ordinal).await, boundary);
        }
        http.calls_of("BatchExecuteStatement") - before
    };
    let ends =
        |ordinals: std::ops::Range<u64>, version| ordinals.map(move |it| boundary(it, closed(101_000, 2), version));
    let starts = |ordinals: std::ops::Range<u64>| ordinals.map(|it| boundary(it, OPEN, 1));
    assert_eq!(calls(starts(0..3).collect()).await, 1, "starts are inserted");
    assert_eq!(calls(ends(0..2, 2).collect()).await, 1, "ends are updated");
    assert_eq!(calls(ends(2..6, 2).collect()).await, 2, "three of four are new");
    assert_eq!(calls(ends(6..9, 2).collect()).await, 1, "ends are inserted");
    assert_eq!(calls(starts(9..12).collect()).await, 1, "starts teach nothing");
    assert_eq!(calls(ends(12..14, 2).collect()).await, 1, "ends are still inserted");
    assert_eq!(calls(ends(9..12, 2).chain(ends(14..15, 2)).collect()).await, 2, "three of four have an item");
    assert_eq!(calls(ends(0..9, 3).collect()).await, 1, "ends are updated again");
    assert_eq!(calls(vec![boundary(0, Status::Retracted, 4)]).await, 1, "a retraction is an update");
}
