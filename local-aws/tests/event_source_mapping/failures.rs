//! Which records are redelivered after a failed invocation, and which are not.

use std::sync::Arc;
use std::time::Duration;

use local_aws::event_source_mapping::{Counts, DeliveryPolicy, EventSourceMapping, MappingConfig};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::bench::{Bench, Log, SUCCESS, answering, config, read_event, reporting, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_failure_is_redelivered_from_its_lowest_number_with_newer_records() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1", "2", "3", "4", "5", "6"]).await;
    let log = Log::default();
    let function = answering(&log, |attempt, batch| match attempt {
        0 => reporting(batch, &[4, 2, 3]),
        _ => Ok(SUCCESS.to_owned()),
    });
    let mapping = bench.map(MappingConfig { batch_size: 5, ..config() }, function);
    let counts = soon(mapping.progress().wait_until_done(7)).await.unwrap();

    assert_eq!(log.texts(), [["0", "1", "2", "3", "4"], ["2", "3", "4", "5", "6"]]);
    let expected =
        Counts { records_read: 7, records_done: 7, invocations: 2, failed_invocations: 0, partially_failed_batches: 1 };
    assert_eq!(counts, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_and_a_panic_redeliver_exactly_the_whole_batch() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1", "2"]).await;
    let log = Log::default();
    let function = answering(&log, |attempt, _| match attempt {
        0 | 1 => Err("the table is throttled".to_owned()),
        2 => panic!("the function crashes"),
        _ => Ok(SUCCESS.to_owned()),
    });
    let mapping = bench.map(MappingConfig { batch_size: 2, ..config() }, function);
    let counts = soon(mapping.progress().wait_until_done(3)).await.unwrap();

    let expected = [vec!["0", "1"], vec!["0", "1"], vec!["0", "1"], vec!["0", "1"], vec!["2"]];
    assert_eq!(log.texts(), expected);
    assert_eq!((counts.invocations, counts.failed_invocations), (5, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invocation_is_dropped_at_its_deadline_and_its_batch_is_redelivered() {
    struct SaysWhenDropped(mpsc::UnboundedSender<bool>, Instant);
    impl Drop for SaysWhenDropped {
        fn drop(&mut self) {
            self.0.send(Instant::now() >= self.1).unwrap();
        }
    }
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1"]).await;
    let log = Log::default();
    let noted = log.clone();
    let (sender, mut dropped) = mpsc::unbounded_channel();
    let function = move |event: String, deadline: Instant| {
        let attempt = noted.note(read_event(&event));
        let guard = SaysWhenDropped(sender.clone(), deadline);
        async move {
            if attempt == 0 {
                std::future::pending::<()>().await;
            }
            drop(guard);
            Ok(SUCCESS.to_owned())
        }
    };
    let function_timeout = Duration::from_secs(1);
    let mapping = bench.map(MappingConfig { function_timeout, ..config() }, function);
    let counts = soon(mapping.progress().wait_until_done(2)).await.unwrap();

    assert_eq!(log.texts(), [["0", "1"], ["0", "1"]]);
    assert_eq!(soon(dropped.recv()).await, Some(true), "dropped before its deadline");
    assert_eq!((counts.invocations, counts.failed_invocations), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_response_redelivers_the_whole_batch() {
    const NONSENSE: [&str; 6] = [
        r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
        r#"{"batchItemFailures":[{"sequenceNumber":"1"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
        r#"{"batchItemFailures":"#,
        "done",
    ];
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1"]).await;
    let log = Log::default();
    let function = answering(&log, |attempt, _| Ok((*NONSENSE.get(attempt).unwrap_or(&SUCCESS)).to_owned()));
    let mapping = bench.map(config(), function);
    let counts = soon(mapping.progress().wait_until_done(2)).await.unwrap();

    assert_eq!(log.texts(), [["0", "1"]; NONSENSE.len() + 1]);
    assert_eq!((counts.failed_invocations, counts.partially_failed_batches), (NONSENSE.len() as u64, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_no_failures_is_success() {
    const SPELLINGS: [&str; 5] = ["null", "{}", "", r#"{"batchItemFailures":null}"#, SUCCESS];
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1", "2", "3", "4"]).await;
    let log = Log::default();
    let function = answering(&log, |attempt, _| Ok(SPELLINGS[attempt].to_owned()));
    let mapping = bench.map(MappingConfig { batch_size: 1, ..config() }, function);
    let counts = soon(mapping.progress().wait_until_done(5)).await.unwrap();

    assert_eq!(log.texts(), [["0"], ["1"], ["2"], ["3"], ["4"]]);
    assert_eq!((counts.invocations, counts.failed_invocations), (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bisecting_narrows_an_error_down_to_its_record() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1", "poison", "3"]).await;
    let log = Log::default();
    let function = answering(&log, |_, batch| match batch {
        [_] => Ok(SUCCESS.to_owned()),
        _ if batch.iter().any(|record| record.text == "poison") => Err("poisoned".to_owned()),
        _ => Ok(SUCCESS.to_owned()),
    });
    let mapping = bench.map(MappingConfig { bisect_batch_on_function_error: true, ..config() }, function);
    soon(mapping.progress().wait_until_done(4)).await.unwrap();

    let expected = [vec!["0", "1", "poison", "3"], vec!["0", "1"], vec!["poison", "3"], vec!["poison"], vec!["3"]];
    assert_eq!(log.texts(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_splits_batches_and_redelivers_successes_skips_nothing() {
    #[derive(Debug)]
    struct TwoByTwoKeepingOne;
    impl DeliveryPolicy for TwoByTwoKeepingOne {
        fn cut(&self, _fitting: usize) -> usize {
            2
        }
        fn checkpoint(&self, _succeeded: usize) -> usize {
            1
        }
    }
    let bench = Bench::start(1).await;
    bench.put_texts(&["0", "1", "2"]).await;
    let log = Log::default();
    let function = answering(&log, |_, _| Ok(SUCCESS.to_owned()));
    let kinesis = bench.kinesis.clone();
    let mapping = EventSourceMapping::start_with_policy(kinesis, config(), function, TwoByTwoKeepingOne).unwrap();
    soon(mapping.progress().wait_until_done(3)).await.unwrap();
    assert_eq!(log.texts(), [vec!["0", "1"], vec!["1", "2"], vec!["2"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_shard_does_not_block_other_shards() {
    let bench = Bench::start(2).await;
    let keys: Vec<_> = (0..20).map(|key| (format!("user{key}"), key.to_string())).collect();
    bench.put(keys).await;
    let log = Log::default();
    let function = answering(&log, |_, batch| match batch[0].shard.as_str() {
        "shardId-000000000000" => Err("this shard is stuck".to_owned()),
        _ => Ok(SUCCESS.to_owned()),
    });
    let mapping = Arc::new(bench.map(config(), function));
    let enough = |counts: &Counts| counts.failed_invocations >= 3 && counts.records_done > 0;
    let counts = soon(mapping.progress().wait_until(enough)).await.unwrap();

    assert!(counts.records_done < 20);
    assert_eq!(mapping.checkpoints().into_keys().collect::<Vec<_>>(), ["shardId-000000000001"]);
}
