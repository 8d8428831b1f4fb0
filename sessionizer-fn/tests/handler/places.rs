//! Records that hold several clicks: their places, and when such a record is done.

use std::time::Duration;

use kinesis_function::statements::Item;
use local_aws::aggregated_record;
use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{ARRIVAL_MS, BEGIN_MS, Sent, World, click, invoke, invoke_for, named, record};

const LONG: Duration = Duration::from_secs(300);

/// Record `sequence_number`, in which the library has aggregated these.
fn aggregated(sequence_number: u64, records: &[Sent]) -> Sent {
    let records = records.iter().map(|sent| (sent.partition_key.as_str(), sent.data.as_slice()));
    record(sequence_number, "a random key", &aggregated_record(records))
}

/// Record `sequence_number`, which holds these as its lines.
fn lines(sequence_number: u64, records: &[Sent]) -> Sent {
    let lines: Vec<_> = records.iter().map(|sent| sent.data.as_slice()).collect();
    record(sequence_number, "k", &lines.join(&b'\n'))
}

fn poison(key: &str, data: &str) -> Sent {
    record(0, key, data.as_bytes())
}

/// Position, reason, partition key and bytes of the rejected items, sorted.
async fn rejected(world: &World) -> Vec<(String, String, String, String)> {
    let text = |item: &Item, name: &str| item[name].as_s().unwrap().clone();
    let data = |item: &Item| String::from_utf8_lossy(item["data"].as_b().unwrap().as_ref()).into_owned();
    let items = world.rejected().await;
    let row = |item: &Item| (text(item, "position"), text(item, "reason"), text(item, "partition_key"), data(item));
    let mut rows: Vec<_> = items.iter().map(row).collect();
    rows.sort();
    rows
}

fn row(position: &str, reason: &str, key: &str, data: &str) -> (String, String, String, String) {
    (position.to_owned(), reason.to_owned(), key.to_owned(), data.to_owned())
}

#[tokio::test]
async fn clicks_of_an_aggregated_record_count_and_its_rejected_parts_are_kept_by_place() {
    let world = World::start().await;
    let nested = aggregated(0, &[click(0, "a", 1)]);
    let inner = [
        click(0, "a", 100_000),
        poison("key of b", "{}"),
        lines(0, &[click(0, "b", 100_000), poison("", "[]"), click(0, "b", 101_000)]),
        Sent { partition_key: String::new(), ..nested.clone() },
        click(0, "a", 115_000),
    ];
    let records = [click(1, "a", 99_000), aggregated(2, &inner), click(3, "b", 102_000)];
    for (applied, already_applied) in [(6, 0), (0, 6)] {
        let answer = invoke(&world.sessionizer(), "s1", &records).await;
        let report = answer.report;
        assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (None, 3, 0));
        assert_eq!((report.applied, report.already_applied, report.users), (applied, already_applied, 2));
    }
    assert_eq!(world.window("a").await, [(0, 99_000, 100_000, 2), (1, 115_000, 115_000, 1)]);
    assert_eq!(world.window("b").await, [(0, 100_000, 102_000, 3)]);
    let expected = [
        row("click-stream/s1/2/1", "user_id_missing", "key of b", "{}"),
        row("click-stream/s1/2/3", "not_an_object", "k", "[]"),
        row("click-stream/s1/2/5", "aggregated_record_nested", "", &String::from_utf8_lossy(&nested.data)),
    ];
    assert_eq!(rejected(&world).await, expected);
}

#[tokio::test]
async fn record_that_is_rejected_whole_or_holds_one_value_has_the_key_of_a_record() {
    let world = World::start().await;
    let mut cut = aggregated(2, &[click(0, "a", 100_000)]);
    cut.data.pop();
    let records = [aggregated(1, &[poison("inner", "{}")]), cut.clone(), poison("k", " [] ")];
    let records = [records[0].clone(), records[1].clone(), Sent { sequence_number: 3, ..records[2].clone() }];
    let answer = invoke(&world.sessionizer(), "s1", &records).await;
    assert_eq!((named(&answer), answer.records.rejected), (None, 3));
    let whole = String::from_utf8_lossy(&cut.data).into_owned();
    let expected = [
        row("click-stream/s1/1", "user_id_missing", "inner", "{}"),
        row("click-stream/s1/2", "aggregated_record_wrong_checksum", "a random key", &whole),
        row("click-stream/s1/3", "not_an_object", "k", " [] "),
    ];
    assert_eq!(rejected(&world).await, expected);
}

#[tokio::test]
async fn record_with_clicks_is_not_done_before_its_rejected_parts_are_kept() {
    let world = World::start().await;
    let (denied, _) = world.faulty(|kind, _, _| if kind == Kind::Reject { Fault::AccessDenied } else { Fault::None });
    let mixed = lines(2, &[click(0, "a", 100_000), poison("", "{}"), click(0, "a", 101_000)]);
    let records = [click(1, "a", 99_000), mixed, click(3, "a", 102_000)];
    let answer = invoke(&denied, "s1", &records).await;
    assert_eq!((named(&answer), answer.records.undone, answer.records.rejected), (Some("2"), 1, 0));
    assert_eq!(answer.report.applied, 4, "the clicks do not wait");

    let answer = invoke(&world.sessionizer(), "s1", &records[1..]).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.report.already_applied), (None, 1, 3));
    assert_eq!(world.window("a").await, [(0, 99_000, 102_000, 4)]);
}

#[tokio::test]
async fn record_with_rejected_parts_is_not_done_before_its_clicks_are_published() {
    let world = World::start().await;
    let (denied, _) = world.faulty(|kind, _, _| if kind == Kind::Publish { Fault::AccessDenied } else { Fault::None });
    let records = [record(1, "k", b"{}"), lines(2, &[poison("", "{}"), click(0, "a", 100_000)])];
    let answer = invoke(&denied, "s1", &records).await;
    assert_eq!((named(&answer), answer.records.undone, answer.records.rejected), (Some("2"), 1, 2));
    assert_eq!(world.rejected().await.len(), 2);
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &records[1..]).await), None);
    assert_eq!(world.told().await, [("a_0".to_owned(), "open")]);
}

#[tokio::test]
async fn record_of_filtered_events_alone_is_done_at_once_and_a_filtered_event_has_a_place() {
    let world = World::start_with(None, &[("EVENT_NAMES_IGNORED", "ping")]).await;
    let ping = || poison("", r#"{"event_name":"ping"}"#);
    let records = [lines(1, &[ping(), ping()]), lines(2, &[ping(), click(0, "a", 100_000), poison("", "{}"), ping()])];
    let (unreachable, _) = world.faulty(|_, _, _| Fault::AccessDenied);
    let answer = invoke(&unreachable, "s1", &records).await;
    assert_eq!((named(&answer), answer.records.undone, answer.report.filtered), (Some("2"), 1, 4));
    let answer = invoke(&world.sessionizer(), "s1", &records).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.filtered), (None, 1, 4));
    assert_eq!(rejected(&world).await, [row("click-stream/s1/2/2", "user_id_missing", "k", "{}")]);
}

/// Clicks of as many users.
fn of_users(count: u64) -> Vec<Sent> {
    (0..count).map(|n| click(0, &format!("user{n}"), 100_000)).collect()
}

/// Clicks of one user. Every other one starts a session.
fn of_one_user(count: u64) -> Vec<Sent> {
    let click = |n: u64| {
        let ms = BEGIN_MS + 100_000 + n / 2 * 14_000 + n % 2 * 1_000;
        let name = "a name that fills the outbox";
        record(0, "a", format!(r#"{{"user_id":"a","event_timestamp":{ms},"event_name":"{name}"}}"#).as_bytes())
    };
    (0..count).map(click).collect()
}

/// Invocations end within the record, because only `commits` commits of each get through.
async fn is_taken_in_several_invocations(clicks: Vec<Sent>, commits: usize) {
    let world = World::unlimited(Some(64), &[("STATE_BUCKETS", "1")]).await;
    let (record, count) = (aggregated(7, &clicks), clicks.len() as u64);
    assert!(record.data.len() <= 1 << 20, "{} bytes", record.data.len());
    let (mut applied, mut already_applied, mut invocations) = (0, 0, 0);
    loop {
        invocations += 1;
        let (failing, _) = world.faulty(move |kind, number, _| match kind == Kind::Commit && number >= commits {
            true => Fault::AccessDenied,
            false => Fault::None,
        });
        let answer = invoke_for(LONG, &failing, "s1", std::slice::from_ref(&record)).await;
        applied += answer.report.applied;
        assert_eq!(answer.report.already_applied, already_applied, "by (sequence number, place)");
        already_applied = applied;
        if named(&answer).is_none() {
            break;
        }
        assert_eq!((named(&answer), answer.records.undone), (Some("7"), 1));
        assert!(answer.report.applied > 0, "no progress");
    }
    assert_eq!(applied, count);
    assert!(invocations > 1, "one invocation took it all");
    let again = invoke_for(LONG, &world.sessionizer(), "s1", &[record]).await;
    assert_eq!((named(&again), again.report.applied, again.report.already_applied), (None, 0, count));
    world.assert_table_is_of(&clicks).await;
}

#[tokio::test]
async fn record_of_ten_thousand_users_takes_several_commits_and_a_redelivery_goes_on_within_it() {
    is_taken_in_several_invocations(of_users(10_000), 1).await;
}

#[tokio::test]
async fn record_of_ten_thousand_clicks_of_one_user_takes_several_commits_and_a_redelivery_goes_on_within_it() {
    is_taken_in_several_invocations(of_one_user(10_000), 1).await;
}

#[tokio::test]
async fn shards_cursor_stands_within_the_record_that_a_commit_ends_in() {
    let world = World::unlimited(None, &[("STATE_BUCKETS", "1")]).await;
    let (failing, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Commit, 1..) => Fault::AccessDenied,
        _ => Fault::None,
    });
    let answer = invoke_for(LONG, &failing, "s1", &[aggregated(7, &of_users(5_000))]).await;
    let memory = world.bucket(0).await;
    let (_, cursor) = memory.cursors().next().unwrap();
    assert_eq!(cursor.position.sequence_number.as_str(), "7");
    assert_eq!(u64::from(cursor.position.place) + 1, answer.report.applied);
    assert_eq!(cursor.arrival_ms, ARRIVAL_MS);
}
