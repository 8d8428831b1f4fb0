//! How a mapping starts and ends: continuing from checkpoints, stopping, dropping, and errors that end it.

use std::sync::Arc;

use futures_util::FutureExt;
use local_aws::event_source_mapping::{EventSourceMapping, MappingConfig, MappingError, StartingPosition};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::bench::{Bench, Log, STREAM, SUCCESS, answering, config, read_event, reporting, soon, succeeding, until};

#[tokio::test(flavor = "multi_thread")]
async fn stopping_waits_for_the_running_invocation_and_leaves_no_task() {
    let bench = Bench::start(2).await;
    bench.put_texts(&["0", "1", "2"]).await;
    let (log, begun, go_on) = (Log::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (noted, says_begun, waits) = (log.clone(), Arc::clone(&begun), Arc::clone(&go_on));
    let function = move |event: String, _deadline: Instant| {
        noted.note(read_event(&event));
        let (says_begun, waits) = (Arc::clone(&says_begun), Arc::clone(&waits));
        async move {
            says_begun.notify_one();
            waits.notified().await;
            Ok(SUCCESS.to_owned())
        }
    };
    let mapping = bench.map(MappingConfig { batch_size: 2, ..config() }, function);
    let progress = mapping.progress();
    soon(begun.notified()).await;
    let mut stopping = Box::pin(mapping.stop());
    assert!(stopping.as_mut().now_or_never().is_none(), "it did not wait for the invocation");
    go_on.notify_one();
    let checkpoints = soon(stopping).await.unwrap();

    assert_eq!(log.texts(), [["0", "1"]]);
    assert_eq!(
        checkpoints.into_values().map(|number| number.to_string()).collect::<Vec<_>>(),
        [log.records()[1].number.clone()]
    );
    assert_eq!(progress.counts().records_done, 2);
    // The function is gone, which every task that could still invoke it would keep alive.
    assert_eq!(Arc::strong_count(&begun), 1);
    assert_eq!(soon(progress.wait_until_done(3)).await, Err(MappingError::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_mapping_drops_the_running_invocation_and_leaves_no_task() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["0"]).await;
    let begun = Arc::new(Notify::new());
    let says_begun = Arc::clone(&begun);
    let function = move |_event: String, _deadline: Instant| {
        let says_begun = Arc::clone(&says_begun);
        async move {
            says_begun.notify_one();
            std::future::pending::<()>().await;
            Ok(SUCCESS.to_owned())
        }
    };
    let mapping = bench.map(config(), function);
    let progress = mapping.progress();
    soon(begun.notified()).await;
    assert!(Arc::strong_count(&begun) > 1);
    drop(mapping);

    assert_eq!(soon(progress.wait_until_done(1)).await, Err(MappingError::Stopped));
    until(|| Arc::strong_count(&begun) == 1).await;
    assert_eq!(progress.counts().records_done, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_that_starts_from_checkpoints_continues_where_the_last_one_stopped() {
    let bench = Bench::start(2).await;
    let records = |range: std::ops::Range<u32>| range.map(|key| (format!("user{key}"), key.to_string()));
    bench.put(records(0..40)).await;
    let done = Log::default();
    let noted = done.clone();
    let function = answering(&Log::default(), move |_, batch| {
        let (finished, _) = batch.split_at(batch.len() / 2);
        noted.note(finished.to_vec());
        reporting(batch, &[finished.len()])
    });
    let first = bench.map(MappingConfig { batch_size: 6, ..config() }, function);
    soon(first.progress().wait_until_done(10)).await.unwrap();
    let checkpoints = soon(first.stop()).await.unwrap();
    bench.put(records(40..60)).await;

    let before = done.records().len() as u64;
    let starting_position = StartingPosition::Checkpoints(checkpoints);
    let second = bench.map(MappingConfig { starting_position, ..config() }, succeeding(&done));
    soon(second.progress().wait_until_done(60 - before)).await.unwrap();
    let mut all: Vec<u32> = done.records().iter().map(|record| record.text.parse().unwrap()).collect();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_another_stream_ends_the_mapping_with_its_error() {
    let bench = Bench::start(1).await;
    let number = shared::sequence_number::SequenceNumber::parse("1234").unwrap();
    let checkpoints = [("shardId-000000000000".to_owned(), number)].into();
    let starting_position = StartingPosition::Checkpoints(checkpoints);
    let mapping = bench.map(MappingConfig { starting_position, ..config() }, succeeding(&Log::default()));
    let error = soon(mapping.progress().wait_until_done(1)).await.unwrap_err();
    assert!(matches!(error, MappingError::Refused { call: "GetShardIterator", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_exist_ends_the_mapping_with_its_error() {
    let bench = Bench::start(1).await;
    let mapping =
        bench.map(MappingConfig { stream_name: "no-stream".to_owned(), ..config() }, succeeding(&Log::default()));
    let error = soon(mapping.progress().wait_until_done(1)).await.unwrap_err();
    assert!(
        matches!(&error, MappingError::NotFound { call: "ListShards", stream, .. } if stream == "no-stream"),
        "{error}"
    );
    assert_eq!(soon(mapping.stop()).await, Err(error));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_waiter_gets_the_error_of_a_deleted_stream() {
    let bench = Bench::start(1).await;
    bench.put_texts(&["0"]).await;
    let mapping = bench.map(config(), succeeding(&Log::default()));
    let mut progress = mapping.progress();
    soon(progress.wait_until_done(1)).await.unwrap();
    bench.kinesis.delete_stream().stream_name(STREAM).send().await.unwrap();

    let waited = soon(mapping.progress().wait_until_done(2)).await.unwrap_err();
    assert!(matches!(waited, MappingError::NotFound { .. }), "{waited}");
    let changed = soon(async {
        loop {
            if let Err(error) = progress.changed().await {
                return error;
            }
        }
    });
    assert_eq!(changed.await, waited);
    assert_eq!(soon(mapping.stop()).await, Err(waited));
}

#[tokio::test]
async fn a_setting_outside_its_limits_is_an_error_before_anything_is_read() {
    let bench = Bench::start(1).await;
    let config = MappingConfig { batch_size: 0, ..config() };
    let refused = EventSourceMapping::start(bench.kinesis, config, succeeding(&Log::default())).unwrap_err();
    assert_eq!(refused.to_string(), "batch_size is 0, must be 1 to 10000");
}
