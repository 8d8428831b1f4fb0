//! Unreadable records.

use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::faults::Fault;

use crate::calls::Kind;
use crate::world::{ARRIVAL_MS, NOW_MS, Sent, World, click, invoke, named, record};

fn poison(sequence_number: u64, bytes: &[u8]) -> Sent {
    record(sequence_number, "k", bytes)
}

#[tokio::test]
async fn rejected_record_is_kept_with_its_reason_and_blocks_no_other() {
    let world = World::start().await;
    let records = [click(1, "a", 100_000), poison(2, b"\xff\x00{"), click(3, "a", 101_000)];
    for _delivery in 0..2 {
        let answer = invoke(&world.sessionizer(), "shardId-7", &records).await;
        assert_eq!((named(&answer), answer.records.rejected), (None, 1));
    }
    let items = world.rejected().await;
    assert_eq!(items.len(), 1, "a redelivery writes the same item");
    let text = |name: &str| items[0][name].as_s().unwrap().as_str();
    let number = |name: &str| items[0][name].as_n().unwrap().parse::<u64>().unwrap();
    assert_eq!(text("position"), "click-stream/shardId-7/2");
    assert_eq!((text("source"), text("sequence_number")), ("click-stream/shardId-7", "2"));
    assert_eq!(text("reason"), "not_utf8");
    assert!(text("message").contains("UTF-8"));
    assert_eq!(items[0]["data"].as_b().unwrap().as_ref(), b"\xff\x00{");
    assert_eq!((number("data_length"), number("arrival_time")), (3, ARRIVAL_MS));
    assert_eq!(number("expires_at"), NOW_MS / 1_000 + 30 * 86_400);
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);
}

#[tokio::test]
async fn rejected_record_larger_than_an_item_is_truncated_and_its_length_kept() {
    let world = World::start().await;
    let records: Vec<_> = (1..=3).map(|n| poison(n, &vec![b'x'; 1_000_000])).collect();
    assert_eq!(named(&invoke(&world.sessionizer(), "s1", &records).await), None);
    let items = world.rejected().await;
    assert_eq!(items.len(), 3);
    assert_eq!(items[0]["data_length"], AttributeValue::N("1000000".to_owned()));
    assert_eq!(items[0]["data"].as_b().unwrap().as_ref().len(), 392 * 1_024);
}

#[tokio::test]
async fn rejected_records_beyond_one_request_are_all_kept_even_when_throttled() {
    let world = World::start().await;
    let (throttled, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Reject, 0) => Fault::PartsThrottled(vec![0, 7, 24]),
        (Kind::Reject, 1) => Fault::Throttled,
        _ => Fault::None,
    });
    let records: Vec<_> = (1..=60).map(|n| poison(n, b"[]")).collect();
    assert_eq!(named(&invoke(&throttled, "s1", &records).await), None);
    assert_eq!(world.rejected().await.len(), 60);
}

#[tokio::test]
async fn rejected_record_that_cannot_be_written_is_not_done() {
    let world = World::start().await;
    let (denied, _) = world.faulty(|kind, _, _| if kind == Kind::Reject { Fault::AccessDenied } else { Fault::None });
    let records = [click(1, "a", 100_000), poison(2, b"[]"), click(3, "a", 101_000)];
    let answer = invoke(&denied, "s1", &records).await;
    assert_eq!((named(&answer), answer.records.undone, answer.records.rejected), (Some("2"), 1, 0));
}
