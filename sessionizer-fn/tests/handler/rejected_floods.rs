//! Records of which many parts are unreadable.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;
use sessionizer_fn::rejected_parts::MAX_PARTS_KEPT_SINGLY;

use crate::world::{World, click, invoke, invoke_for, named, record};

fn parts(item: &Item) -> u64 {
    item.get("parts").map_or(1, |parts| parts.as_n().unwrap().parse().unwrap())
}

fn text<'i>(item: &'i Item, name: &str) -> &'i str {
    item[name].as_s().unwrap()
}

fn data(item: &Item) -> &[u8] {
    item["data"].as_b().unwrap().as_ref()
}

#[tokio::test]
async fn first_rejected_parts_are_kept_singly_and_the_others_together_by_reason() {
    let world = World::start().await;
    let mut values = vec![String::from_utf8(click(0, "a", 100_000).data).unwrap()];
    for n in 0..20 {
        values.push(format!(r#"{{"n":{n}}}"#));
        values.push(format!(r#"{{"user_id":"u","n":{n}}}"#));
    }
    values.push(String::from_utf8(click(0, "a", 101_000).data).unwrap());
    let records = [record(5, "k", values.join("\n").as_bytes())];
    for _delivery in 0..2 {
        let answer = invoke(&world.sessionizer(), "s1", &records).await;
        assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (None, 40, 0));
    }
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);

    let mut items = world.rejected().await;
    items.sort_by_key(|item| text(item, "position").rsplit('/').next().unwrap().parse::<u32>().unwrap());
    let positions: Vec<_> = items.iter().map(|item| text(item, "position")).collect();
    let expected: Vec<_> = (1..=MAX_PARTS_KEPT_SINGLY + 2).map(|place| format!("click-stream/s1/5/{place}")).collect();
    assert_eq!(positions, expected);
    for (item, value) in items.iter().zip(&values[1..=MAX_PARTS_KEPT_SINGLY]) {
        assert_eq!((data(item), parts(item)), (value.as_bytes(), 1));
    }
    let [without_user, without_time] = &items[MAX_PARTS_KEPT_SINGLY..] else { panic!("{items:?}") };
    let lines = |name: &str| {
        let of = |n| if name.is_empty() { format!(r#"{{"n":{n}}}"#) } else { format!(r#"{{"user_id":"u","n":{n}}}"#) };
        (5..20).map(of).collect::<Vec<_>>().join("\n")
    };
    assert_eq!((data(without_user), parts(without_user)), (lines("").as_bytes(), 15));
    assert_eq!((data(without_time), parts(without_time)), (lines("u").as_bytes(), 15));
    assert_eq!(text(without_user, "reason"), "user_id_missing");
    assert_eq!(text(without_time, "reason"), "event_timestamp_missing");
    let message = text(without_user, "message");
    assert!(message.starts_with("at byte "), "{message}");
    assert!(message.ends_with("; 14 more parts of the record were rejected for this reason"), "{message}");
    assert_eq!(without_user["data_length"], AttributeValue::N(data(without_user).len().to_string()));
}

#[tokio::test]
async fn record_full_of_unreadable_values_makes_few_items_and_loses_no_byte() {
    let world = World::start().await;
    let values: Vec<_> = (0..100_000).map(|n| format!("[{n}]")).collect();
    let record = record(5, "k", format!("{}\n", values.join("\n")).as_bytes());
    let answer = invoke_for(Duration::from_secs(60), &world.sessionizer(), "s1", &[record]).await;
    assert_eq!((named(&answer), answer.records.rejected), (None, 100_000));
    let mut items = world.rejected().await;
    items.sort_by_key(|item| text(item, "position").rsplit('/').next().unwrap().parse::<u32>().unwrap());
    assert_eq!(items.len(), MAX_PARTS_KEPT_SINGLY + 2, "two of 392 KiB at most");
    assert_eq!(items.iter().map(parts).sum::<u64>(), 100_000);
    assert_eq!(items.iter().map(data).collect::<Vec<_>>().join(&b'\n'), values.join("\n").as_bytes());
}
