//! Throttles, lost replies, refusals, unreadable records and foreign items.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::faults::Fault;

use crate::world::{OPEN, World, boundary, bytes, closed, invoke, invoke_for, named};

#[tokio::test]
async fn only_throttled_statements_are_retried() {
    let world = World::start().await;
    let (sink, http) = world.faulty(|call| match call.number {
        0 => Fault::PartsThrottled(vec![0, 24]),
        2 => Fault::Throttled,
        _ => Fault::None,
    });
    let boundaries: Vec<_> = (0..30).map(|ordinal| boundary(ordinal, OPEN, 1)).collect();
    let answer = invoke(&sink, &bytes(&boundaries)).await;
    assert_eq!((named(&answer), answer.report.written, answer.report.superseded), (None, 30, 0));
    assert_eq!(http.calls_of("BatchExecuteStatement"), 4, "25, then 5, then the throttled two, twice");
    assert_eq!(world.table().await.len(), 30);
}

#[tokio::test]
async fn session_that_stays_throttled_is_not_done_and_all_others_are() {
    let world = World::start().await;
    let (sink, _) = world.faulty(|_| Fault::PartsThrottled(vec![0]));
    let boundaries: Vec<_> = (0..3).map(|ordinal| boundary(ordinal, OPEN, 1)).collect();
    let answer = invoke_for(Duration::from_secs(3), &sink, &bytes(&boundaries)).await;
    assert_eq!((named(&answer), answer.records.undone), (Some("1"), 1));
    assert_eq!(world.table().await.into_keys().collect::<Vec<_>>(), ["u_1", "u_2"]);
}

#[tokio::test]
async fn retry_after_a_lost_reply_finds_the_write_done() {
    let world = World::start().await;
    let (sink, _) = world.faulty(|call| if call.number == 0 { Fault::ReplyLost } else { Fault::None });
    let boundaries = [boundary(0, closed(101_000, 2), 3), boundary(1, OPEN, 3)];
    let answer = invoke(&sink, &bytes(&boundaries)).await;
    assert_eq!(named(&answer), None);
    assert_eq!(world.table().await.into_values().collect::<Vec<_>>(), boundaries);
}

#[tokio::test]
async fn refused_write_is_neither_done_nor_retried() {
    let world = World::start().await;
    let (sink, http) = world.faulty(|call| match call.operation.as_str() {
        "BatchExecuteStatement" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let answer = invoke(&sink, &bytes(&[boundary(0, OPEN, 1)])).await;
    assert_eq!((named(&answer), http.calls_of("BatchExecuteStatement")), (Some("1"), 1));
}

#[tokio::test]
async fn boundary_whose_key_a_foreign_item_has_is_rejected_and_blocks_nothing() {
    for (version, shows_items) in [(None, true), (Some("new"), true), (None, false), (Some("new"), false)] {
        let world = World::start().await;
        let (sink, _) = world.faulty(move |_| if shows_items { Fault::None } else { Fault::ItemsLeftOut });
        world.put_foreign(0, version.map(|word: &str| AttributeValue::S(word.to_owned()))).await;
        let before = world.item(0).await;
        let boundaries = [boundary(0, OPEN, 1), boundary(1, OPEN, 1), boundary(0, closed(101_000, 2), 2)];
        let answer = invoke(&sink, &bytes(&boundaries)).await;
        assert_eq!((named(&answer), answer.report.written, answer.records.rejected), (None, 1, 2));
        assert_eq!(answer.report.superseded, 0);
        assert_eq!(world.item(0).await, before, "the foreign item is unchanged");
        let rejected = world.embedded.dynamodb().scan().table_name("rejected-records").send().await.unwrap();
        let rejected = rejected.items.unwrap();
        assert_eq!(rejected.len(), 2, "both records of that session");
        for item in rejected {
            assert_eq!(item["reason"].as_s().unwrap(), "session_item_foreign");
            let message = item["message"].as_s().unwrap();
            assert!(message.contains("user_id \"u\" and ordinal 0") && message.contains("version"), "{message}");
        }
    }
}

#[tokio::test]
async fn refusals_of_a_thousand_sessions_are_one_log_line_without_a_user() {
    let world = World::start().await;
    let (sink, _) = world.faulty(|_| Fault::AccessDenied);
    let logs = local_aws::CapturedLogs::start();
    let boundaries: Vec<_> = (0..1_000).map(|ordinal| boundary(ordinal, OPEN, 1)).collect();
    assert_eq!(named(&invoke(&sink, &bytes(&boundaries)).await), Some("1"));
    let [(level, fields)] = &logs.lines()[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["code"]), ("ERROR", &"AccessDeniedException".into()));
    assert_eq!((&fields["count"], &fields["sequence_numbers"]), (&1_000.into(), &"1, 2, 3".into()));
    assert!(!logs.text().contains("u_"), "{}", logs.text());
}

#[tokio::test]
async fn rejected_record_is_kept_and_blocks_no_other() {
    let world = World::start().await;
    let mut records = bytes(&[boundary(0, OPEN, 1), boundary(1, OPEN, 1)]);
    records.insert(1, br#"{"user_id":"u","session_id":"u_9"}"#.to_vec());
    let answer = invoke(&world.sink(), &records).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.report.written), (None, 1, 2));
    let items = world.embedded.dynamodb().scan().table_name("rejected-records").send().await.unwrap().items.unwrap();
    assert_eq!(items.len(), 1);
    assert_eq!(items[0]["position"].as_s().unwrap(), "session-stream/s1/2");
    assert_eq!(items[0]["reason"].as_s().unwrap(), "session_timestamp_missing");
}

#[tokio::test]
async fn rejected_record_that_cannot_be_written_is_not_done() {
    let world = World::start().await;
    let (sink, _) = world.faulty(|call| match call.operation.as_str() {
        "BatchWriteItem" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let mut records = bytes(&[boundary(0, OPEN, 1), boundary(1, OPEN, 1)]);
    records.insert(1, b"[]".to_vec());
    let answer = invoke(&sink, &records).await;
    let counts = answer.records;
    assert_eq!((named(&answer), counts.undone, counts.rejected, answer.report.written), (Some("2"), 1, 0, 2));
}

#[tokio::test]
async fn rejected_table_that_stays_throttled_blocks_no_session_beside_a_foreign_item() {
    let world = World::start().await;
    let (sink, _) = world.faulty(|call| match call.operation.as_str() {
        "BatchWriteItem" => Fault::PartsThrottled((0..call.parts).collect()),
        _ => Fault::None,
    });
    world.put_foreign(0, None).await;
    let logs = local_aws::CapturedLogs::start();
    // The second boundary takes two rounds: an update, then an insert.
    let boundaries = [boundary(0, OPEN, 1), boundary(1, closed(101_000, 2), 1)];
    let answer = invoke_for(Duration::from_secs(2), &sink, &bytes(&boundaries)).await;
    assert_eq!((named(&answer), answer.report.written, answer.records.rejected), (Some("1"), 1, 0));
    assert_eq!(world.session(1).await, boundaries[1]);
    let [(level, fields)] = &logs.lines()[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["records"]), ("ERROR", &1.into()));
}

/// The unreadable records get all the requests there are once the sessions are stored, whatever becomes of the foreign one.
#[tokio::test]
async fn foreign_item_whose_record_stays_throttled_delays_no_unreadable_record() {
    let world = World::start().await;
    let is_of_first = |call: &local_aws::faults::Call| {
        let puts = call.body["RequestItems"]["rejected-records"].as_array().unwrap();
        puts.iter().position(|put| put["PutRequest"]["Item"]["sequence_number"]["S"] == "1")
    };
    let (sink, _) = world.faulty(move |call| match call.operation.as_str() {
        "BatchWriteItem" => is_of_first(call).map_or(Fault::None, |place| Fault::PartsThrottled(vec![place])),
        _ => Fault::None,
    });
    world.put_foreign(0, None).await;
    let mut records = bytes(&[boundary(0, OPEN, 1)]);
    records.extend((0..200).map(|_| b"[]".to_vec()));
    let answer = invoke_for(Duration::from_secs(5), &sink, &records).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (Some("1"), 200, 1));
}
