//! How one queue forms batches, waits and redelivers, step by step. `shard_cursor_tests.rs` states properties that hold
//! for every sequence of outcomes.
use serde_json::value::RawValue;
use shared::sequence_number::SequenceNumber;

use super::super::delivery_policy::LikeLambda;
use super::*;

/// Bytes that each record adds to an event.
const RECORD_BYTES: usize = 10;

fn rules() -> BatchRules {
    BatchRules {
        max_records: 4,
        max_event_bytes: 1_000,
        window: Duration::ZERO,
        bisect_on_error: false,
        backoff: RetryBackoff { initial: ms(100), max: ms(400) },
    }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn record(number: u64, event_bytes: usize) -> EventRecord {
    let json = format!("\"{}\"", "x".repeat(event_bytes - 3));
    let record = EventRecord {
        sequence_number: SequenceNumber::parse(number.to_string()).unwrap(),
        json: RawValue::from_string(json).unwrap(),
    };
    assert_eq!(record.event_bytes(), event_bytes);
    record
}

/// A queue with the records 0, 1, … read at the start.
fn queue(records: u64) -> BatchQueue {
    let mut queue = BatchQueue::default();
    for number in 0..records {
        queue.push(record(number, RECORD_BYTES), Duration::ZERO);
    }
    queue
}

/// Delivers the batch that is ready at `now` and returns its records.
fn deliver(queue: &mut BatchQueue, now: Duration, rules: &BatchRules) -> Vec<u64> {
    let NextDelivery::Deliver(records) = queue.next_step(now, false, rules) else {
        panic!("nothing is ready: {:?}", queue.next_step(now, false, rules));
    };
    queue.deliver(records);
    queue.in_flight().map(|record| record.sequence_number.as_str().parse().unwrap()).collect()
}

fn errored() -> BatchResult {
    BatchResult::Errored("boom".to_owned())
}

#[test]
fn a_batch_is_as_large_as_the_batch_size_allows_and_only_one_is_in_flight() {
    let (mut queue, rules) = (queue(6), rules());
    assert_eq!(deliver(&mut queue, ms(0), &rules), [0, 1, 2, 3]);
    assert_eq!(queue.next_step(ms(0), true, &rules), NextDelivery::Rest);
    queue.settle(&BatchResult::Succeeded, ms(0), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(0), &rules), [4, 5]);
    queue.settle(&BatchResult::Succeeded, ms(0), &rules, &LikeLambda);
    assert_eq!((queue.next_step(ms(0), true, &rules), queue.queued_bytes()), (NextDelivery::Rest, 0));
}

#[test]
fn a_batch_ends_before_it_exceeds_the_payload_limit() {
    let three_records = event_bytes(3 * RECORD_BYTES);
    let exact = BatchRules { max_event_bytes: three_records, ..rules() };
    assert_eq!(deliver(&mut queue(6), ms(0), &exact), [0, 1, 2]);
    let one_byte_short = BatchRules { max_event_bytes: three_records - 1, ..rules() };
    assert_eq!(deliver(&mut queue(6), ms(0), &one_byte_short), [0, 1]);
}

#[test]
fn a_record_larger_than_any_batch_is_delivered_alone() {
    let (mut queue, rules) = (queue(1), rules());
    queue.push(record(1, 5_000), ms(0));
    queue.push(record(2, RECORD_BYTES), ms(0));
    let mut batches = Vec::new();
    for _ in 0..3 {
        batches.push(deliver(&mut queue, ms(0), &rules));
        queue.settle(&BatchResult::Succeeded, ms(0), &rules, &LikeLambda);
    }
    assert_eq!(batches, [[0], [1], [2]]);
}

#[test]
fn a_batch_waits_for_its_window_unless_it_is_full_or_the_shard_has_ended() {
    let rules = BatchRules { window: ms(500), ..rules() };
    assert_eq!(queue(3).next_step(ms(499), false, &rules), NextDelivery::WaitUntil(ms(500)));
    assert_eq!(queue(3).next_step(ms(500), false, &rules), NextDelivery::Deliver(3));
    assert_eq!(queue(4).next_step(ms(0), false, &rules), NextDelivery::Deliver(4));
    assert_eq!(queue(3).next_step(ms(0), true, &rules), NextDelivery::Deliver(3));
    let payload_is_full = BatchRules { max_event_bytes: event_bytes(2 * RECORD_BYTES), ..rules };
    assert_eq!(queue(3).next_step(ms(0), false, &payload_is_full), NextDelivery::Deliver(2));
}

#[test]
fn the_window_starts_with_the_first_record_of_the_batch() {
    let rules = BatchRules { window: ms(500), ..rules() };
    let mut queue = BatchQueue::default();
    queue.push(record(0, RECORD_BYTES), ms(200));
    queue.push(record(1, RECORD_BYTES), ms(600));
    assert_eq!(queue.next_step(ms(600), false, &rules), NextDelivery::WaitUntil(ms(700)));
}

#[test]
fn an_error_redelivers_the_same_batch_after_a_wait_even_if_more_would_fit() {
    let (mut queue, rules) = (queue(2), rules());
    assert_eq!(deliver(&mut queue, ms(0), &rules), [0, 1]);
    queue.push(record(2, RECORD_BYTES), ms(0));
    queue.settle(&errored(), ms(10), &rules, &LikeLambda);
    assert_eq!(queue.next_step(ms(109), false, &rules), NextDelivery::WaitUntil(ms(110)));
    assert_eq!(deliver(&mut queue, ms(110), &rules), [0, 1]);
    queue.settle(&BatchResult::Unusable("no list".to_owned()), ms(110), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(310), &rules), [0, 1]);
    queue.settle(&BatchResult::Succeeded, ms(310), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(310), &rules), [2]);
}

#[test]
fn waits_grow_with_every_failure_up_to_the_cap_and_reset_after_progress() {
    let (mut queue, rules) = (queue(4), rules());
    let mut now = ms(0);
    let mut wait_after = |queue: &mut BatchQueue, verdict: BatchResult| {
        deliver(queue, now, &rules);
        queue.settle(&verdict, now, &rules, &LikeLambda);
        let NextDelivery::WaitUntil(next) = queue.next_step(now, false, &rules) else {
            panic!("no wait after {verdict:?}")
        };
        let wait = next - now;
        now = next;
        wait.as_millis()
    };
    assert_eq!([(); 4].map(|()| wait_after(&mut queue, errored())), [100, 200, 400, 400]);
    assert_eq!(wait_after(&mut queue, BatchResult::FailedFrom(1)), 100);
    assert_eq!(wait_after(&mut queue, BatchResult::FailedFrom(0)), 200);
}

#[test]
fn a_partial_failure_is_redelivered_from_the_lowest_number_and_filled_up_with_newer_records() {
    let rules = BatchRules { window: ms(300_000), ..rules() };
    let mut queue = queue(6);
    assert_eq!(deliver(&mut queue, ms(0), &rules), [0, 1, 2, 3]);
    let done = queue.settle(&BatchResult::FailedFrom(3), ms(0), &rules, &LikeLambda);
    assert_eq!(done.iter().map(|record| record.sequence_number.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
    assert_eq!(deliver(&mut queue, ms(100), &rules), [3, 4, 5]);
}

#[test]
fn bisecting_delivers_the_halves_in_order_and_splits_them_again() {
    let rules = BatchRules { bisect_on_error: true, ..rules() };
    let (mut queue, mut now, mut batches) = (queue(4), ms(0), Vec::new());
    // Record 1 is the poison; it succeeds once it is delivered alone.
    for _ in 0..20 {
        let NextDelivery::Deliver(_) = queue.next_step(now, false, &rules) else {
            now += ms(100);
            continue;
        };
        let batch = deliver(&mut queue, now, &rules);
        let poisoned = batch.contains(&1) && batch.len() > 1;
        queue.settle(&if poisoned { errored() } else { BatchResult::Succeeded }, now, &rules, &LikeLambda);
        batches.push(batch);
    }
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![0, 1], vec![0], vec![1], vec![2, 3]]);
}

#[test]
fn a_batch_of_three_is_split_into_two_and_one_and_a_single_record_is_not_split() {
    let rules = BatchRules { bisect_on_error: true, ..rules() };
    let mut queue = queue(3);
    deliver(&mut queue, ms(0), &rules);
    queue.settle(&errored(), ms(0), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(100), &rules), [0, 1]);
    queue.settle(&BatchResult::Succeeded, ms(100), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(100), &rules), [2]);
    queue.settle(&errored(), ms(100), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(200), &rules), [2]);
}

#[test]
fn bisecting_splits_a_partial_failure_at_the_returned_number_and_adds_nothing() {
    let rules = BatchRules { bisect_on_error: true, ..rules() };
    let mut queue = queue(6);
    deliver(&mut queue, ms(0), &rules);
    queue.settle(&BatchResult::FailedFrom(2), ms(0), &rules, &LikeLambda);
    assert_eq!(deliver(&mut queue, ms(100), &rules), [2, 3]);
}

#[test]
fn a_policy_that_forgets_a_success_redelivers_the_batch_at_once() {
    struct ForgetsAllButOne;
    impl DeliveryPolicy for ForgetsAllButOne {
        fn cut(&self, fitting: usize) -> usize {
            fitting
        }
        fn checkpoint(&self, _succeeded: usize) -> usize {
            1
        }
    }
    let (mut queue, rules) = (queue(4), BatchRules { window: ms(300_000), ..rules() });
    assert_eq!(deliver(&mut queue, ms(0), &rules), [0, 1, 2, 3]);
    queue.settle(&BatchResult::Succeeded, ms(0), &rules, &ForgetsAllButOne);
    assert_eq!(deliver(&mut queue, ms(0), &rules), [1, 2, 3]);
}
