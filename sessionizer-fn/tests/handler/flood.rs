//! A broken producer: thousands of unreadable records among good clicks.

use std::pin::pin;
use std::time::Duration;

use local_aws::CapturedLogs;
use local_aws::faults::{Call, Fault, Hold};
use serde_json::{Value, json};

use crate::calls::Kind;
use crate::world::{Sent, World, click, invoke, invoke_for, named, record};

/// Content that must never appear in a log line.
const CONTENT: &str = "hunter2";

/// `count` unreadable records, starting at `first`: even ones are not JSON, odd ones are not objects.
fn poison(first: u64, count: u64) -> Vec<Sent> {
    let record = |number: u64| {
        let text = if number.is_multiple_of(2) { format!("{{{CONTENT}") } else { format!("[\"{CONTENT}\"]") };
        record(number, CONTENT, text.as_bytes())
    };
    (first..first + count).map(record).collect()
}

/// The keys of the items that a BatchWriteItem puts.
fn positions(call: &Call) -> Vec<String> {
    let puts = call.body["RequestItems"]["rejected-records"].as_array().unwrap();
    puts.iter().map(|put| put["PutRequest"]["Item"]["position"]["S"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn flood_is_logged_as_one_line_per_reason_without_content() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Reject, 0..10) => Fault::PartsThrottled(vec![0, 24]),
        _ => Fault::None,
    });
    let logs = CapturedLogs::start();
    let answer = invoke_for(Duration::from_secs(120), &sessionizer, "s1", &poison(1, 8_000)).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (None, 8_000, 0));
    assert_eq!(world.rejected().await.len(), 8_000);

    let rejected = |reason: &str, positions: &str| {
        let fields = json!({
            "message": "records rejected", "reason": reason, "records": 4_000, "first_positions": positions,
        });
        ("WARN".to_owned(), fields)
    };
    let retried = json!({ "message": "writes of rejected records were retried", "retried": 20, "error": "none" });
    let expected = [
        rejected("not_json", "click-stream/s1/2, click-stream/s1/4, click-stream/s1/6"),
        rejected("not_an_object", "click-stream/s1/1, click-stream/s1/3, click-stream/s1/5"),
        ("WARN".to_owned(), retried),
    ];
    assert_eq!(logs.lines(), expected);
    assert!(!logs.text().contains(CONTENT));
}

#[tokio::test]
async fn missing_permission_is_not_retried_and_is_logged_as_one_line() {
    let world = World::start().await;
    let (denied, calls) =
        world.faulty(|kind, _, _| if kind == Kind::Reject { Fault::AccessDenied } else { Fault::None });
    let logs = CapturedLogs::start();
    let answer = invoke(&denied, "s1", &poison(1, 1_000)).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (Some("1"), 0, 1_000));
    assert!(calls.of(Kind::Reject) <= 4, "{} calls", calls.of(Kind::Reject));

    let [(level, fields)] = &logs.lines()[..] else { panic!("{}", logs.text()) };
    assert_eq!((level.as_str(), &fields["records"], &fields["retried"]), ("ERROR", &json!(1_000), &json!(0)));
    assert_eq!(fields["first_positions"], "click-stream/s1/1, click-stream/s1/2, click-stream/s1/3");
    assert!(fields["error"].as_str().unwrap().contains("AccessDeniedException"), "{fields}");
    assert!(!logs.text().contains(CONTENT));
}

#[tokio::test]
async fn good_clicks_are_published_while_the_rejected_records_table_is_throttled() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|kind, _, _| if kind == Kind::Reject { Fault::Throttled } else { Fault::None });
    let logs = CapturedLogs::start();
    let mut records = vec![click(1, "a", 100_000)];
    records.extend(poison(2, 500));
    records.push(click(502, "b", 100_000));
    let answer = invoke_for(Duration::from_secs(3), &sessionizer, "s1", &records).await;
    assert_eq!(world.told().await, ["a_0", "b_0"].map(|id| (id.to_owned(), "open")));
    let counts = answer.records;
    assert_eq!((named(&answer), answer.report.applied, counts.rejected, counts.undone), (Some("2"), 2, 0, 500));

    let [(level, fields)] = &logs.lines()[..] else { panic!("a line for each attempt: {}", logs.text()) };
    assert_eq!((level.as_str(), &fields["records"]), ("ERROR", &json!(500)));
    assert!(fields["retried"].as_u64().unwrap() >= 500, "{fields}");
    assert!(fields["error"].as_str().unwrap().contains("ThrottlingException"), "{fields}");

    // Once the table accepts items again, the redelivered rest of the batch applies nothing twice.
    let answer = invoke(&world.sessionizer(), "s1", &records[1..]).await;
    let counts = answer.records;
    assert_eq!((named(&answer), answer.report.already_applied, counts.rejected, counts.undone), (None, 1, 500, 0));
    assert_eq!(world.rejected().await.len(), 500);
    assert_eq!(world.window("b").await, [(0, 100_000, 100_000, 1)]);
}

#[tokio::test]
async fn record_that_stays_throttled_blocks_no_other() {
    let world = World::start().await;
    let stuck = "click-stream/s1/7";
    let (sessionizer, _) = world.faulty(move |kind, _, call| {
        let places = |call: &Call| positions(call).iter().position(|position| position == stuck);
        match (kind == Kind::Reject).then(|| places(call)).flatten() {
            Some(place) => Fault::PartsThrottled(vec![place]),
            None => Fault::None,
        }
    });
    let answer = invoke_for(Duration::from_secs(3), &sessionizer, "s1", &poison(1, 300)).await;
    assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (Some("7"), 299, 1));
    let kept = world.rejected().await;
    assert_eq!(kept.len(), 299);
    assert!(kept.iter().all(|item| item["position"].as_s().unwrap() != stuck));
}

#[tokio::test]
async fn write_that_hangs_blocks_no_other() {
    let world = World::start().await;
    let (sessionizer, _) = world.faulty(|kind, number, _| match (kind, number) {
        (Kind::Reject, 0) => Fault::NoAnswer,
        _ => Fault::None,
    });
    let answer = invoke_for(Duration::from_secs(3), &sessionizer, "s1", &poison(1, 300)).await;
    // The hanging write took effect, but the function cannot know that.
    assert_eq!((named(&answer), answer.records.rejected, answer.records.undone), (Some("1"), 275, 25));
    assert_eq!(world.rejected().await.len(), 300);
}

/// Invokes the handler with a good click and unreadable records while the first call of this kind is held, waits
/// until `happened` completes, then releases the call.
async fn invoke_while_held(world: &World, held: Kind, happened: impl Future<Output = ()>) {
    let (hold, is_there, let_go) = Hold::new();
    let mut hold = Some(Fault::Held(hold));
    let (sessionizer, _) = world.faulty(move |kind, _, _| match kind == held {
        true => hold.take().unwrap_or(Fault::None),
        false => Fault::None,
    });
    let mut records = vec![click(1, "a", 100_000)];
    records.extend(poison(2, 300));
    let mut invocation = pin!(invoke_for(Duration::from_secs(60), &sessionizer, "s1", &records));
    tokio::select! {
        () = async { is_there.await.unwrap(); happened.await } => {}
        answer = &mut invocation => panic!("it ended while a call was held: {answer:?}"),
    }
    let_go.send(()).unwrap();
    let answer = invocation.await;
    assert_eq!((named(&answer), answer.report.applied, answer.records.rejected), (None, 1, 300));
}

#[tokio::test]
async fn good_clicks_are_published_while_a_write_of_rejected_records_hangs() {
    let world = World::start().await;
    let published = async {
        while world.told().await != [("a_0".to_owned(), "open")] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    invoke_while_held(&world, Kind::Reject, published).await;
}

#[tokio::test]
async fn rejected_records_are_written_while_a_commit_of_good_clicks_hangs() {
    let world = World::start().await;
    let written = async {
        while world.rejected().await.len() < 300 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    invoke_while_held(&world, Kind::Commit, written).await;
}

#[tokio::test]
async fn rejected_records_get_one_request_at_a_time_until_the_good_clicks_are_done_and_then_several() {
    let world = World::start().await;
    let (commit, commit_is_there, let_commit_go) = Hold::new();
    let (write, write_is_there, let_write_go) = Hold::new();
    let (mut commit, mut write) = (Some(Fault::Held(commit)), Some(Fault::Held(write)));
    let (sessionizer, calls) = world.faulty(move |kind, _, _| match kind {
        Kind::Commit => commit.take().unwrap_or(Fault::None),
        Kind::Reject => write.take().unwrap_or(Fault::None),
        _ => Fault::None,
    });
    let mut records = poison(1, 300);
    records.push(click(301, "a", 100_000));
    let others = async {
        write_is_there.await.unwrap();
        commit_is_there.await.unwrap();
        assert_eq!(calls.of(Kind::Reject), 1);
        let_commit_go.send(()).unwrap();
        while world.rejected().await.len() < 275 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let_write_go.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(invoke_for(Duration::from_secs(60), &sessionizer, "s1", &records), others);
    assert_eq!((named(&answer), answer.report.applied, answer.records.rejected), (None, 1, 300));
}

/// Each invocation gets one request through, and the next invocation continues after it.
#[tokio::test]
async fn under_lasting_throttles_each_invocation_writes_some_records_and_the_next_continues_there() {
    let world = World::start().await;
    let records = poison(1, 100);
    let mut rest = &records[..];
    for invocation in 1..=4 {
        let (sessionizer, _) = world.faulty(|kind, number, _| match (kind, number) {
            (Kind::Reject, 1..) => Fault::Throttled,
            _ => Fault::None,
        });
        let answer = invoke_for(Duration::from_secs(1), &sessionizer, "s1", rest).await;
        let next = (25 * invocation < records.len()).then(|| (25 * invocation + 1).to_string());
        assert_eq!((named(&answer), answer.records.rejected), (next.as_deref(), 25));
        rest = &records[25 * invocation..];
    }
    let mut kept: Vec<u64> =
        world.rejected().await.iter().map(|item| item["sequence_number"].as_s().unwrap().parse().unwrap()).collect();
    kept.sort_unstable();
    assert_eq!(kept, (1..=100).collect::<Vec<_>>());
}

/// An operator can look up the item by the position in the log line.
#[tokio::test]
async fn position_in_the_log_is_the_key_of_the_item() {
    let world = World::start().await;
    let logs = CapturedLogs::start();
    invoke(&world.sessionizer(), "s1", &poison(1, 1)).await;
    let Value::String(position) = logs.lines()[0].1["first_positions"].take() else { panic!("{}", logs.text()) };
    let key = aws_sdk_dynamodb::types::AttributeValue::S(position);
    let get = world.embedded.dynamodb().get_item().table_name("rejected-records").key("position", key);
    assert_eq!(get.send().await.unwrap().item.unwrap()["sequence_number"].as_s().unwrap(), "1");
}
