//! Order within a shard and across reshards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use local_aws::event_source_mapping::{Function, MappingConfig};
use tokio::time::Instant;

use crate::bench::{Bench, Delivered, Log, STREAM, SUCCESS, answering, config, read_event, soon, succeeding};

/// `per_key` records for each of 12 keys, numbered per key from `from`.
fn numbered(from: usize, per_key: usize) -> impl Iterator<Item = (String, String)> {
    (from..from + per_key).flat_map(|number| (0..12).map(move |key| (format!("user{key}"), number.to_string())))
}

fn per_key(records: &[Delivered]) -> BTreeMap<String, Vec<usize>> {
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for record in records {
        keys.entry(record.key.clone()).or_default().push(record.text.parse().unwrap());
    }
    keys
}

/// The records 0 to `count - 1` of every key, each once and in order.
fn complete(count: usize) -> BTreeMap<String, Vec<usize>> {
    (0..12).map(|key| (format!("user{key}"), (0..count).collect())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_arrive_once_and_in_order_per_shard_and_key() {
    let bench = Bench::start(3).await;
    bench.put(numbered(0, 20)).await;
    let log = Log::default();
    let mapping = bench.map(MappingConfig { batch_size: 7, ..config() }, succeeding(&log));
    bench.put(numbered(20, 20)).await;
    soon(mapping.progress().wait_until_done(480)).await.unwrap();

    assert_eq!(per_key(&log.records()), complete(40));
    let mut shards = BTreeMap::<_, Vec<_>>::new();
    for batch in log.batches() {
        assert!((1..=7).contains(&batch.len()));
        assert!(batch.iter().all(|record| record.shard == batch[0].shard), "a batch has records of one shard");
        // The emulator's numbers all have 56 digits, so they can be compared as text.
        shards.entry(batch[0].shard.clone()).or_default().extend(batch.into_iter().map(|record| record.number));
    }
    assert_eq!(shards.len(), 3);
    assert!(shards.values().all(|numbers| numbers.is_sorted()));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_batch_of_a_shard_runs_at_a_time_and_in_order_even_if_attempts_fail() {
    let bench = Bench::start(2).await;
    bench.put(numbered(0, 40)).await;
    let busy = Arc::new(Mutex::new(BTreeSet::new()));
    let done = Log::default();
    let (noted, attempts) = (done.clone(), Log::default());
    let function = move |event: String, _deadline: Instant| {
        let (busy, noted) = (Arc::clone(&busy), noted.clone());
        let batch = read_event(&event);
        let attempt = attempts.note(batch.clone());
        async move {
            let shard = batch[0].shard.clone();
            assert!(busy.lock().unwrap().insert(shard.clone()), "{shard} is in two invocations at once");
            tokio::task::yield_now().await;
            busy.lock().unwrap().remove(&shard);
            if attempt % 3 == 1 {
                return Err("every third attempt fails".to_owned());
            }
            noted.note(batch);
            Ok(SUCCESS.to_owned())
        }
    };
    let mapping = bench.map(MappingConfig { batch_size: 10, ..config() }, function);
    let counts = soon(mapping.progress().wait_until_done(480)).await.unwrap();

    assert!(counts.failed_invocations > 0);
    assert_eq!(per_key(&done.records()), complete(40));
}

/// A function that fails every other attempt and records the batches it has done.
fn failing_every_other_time(done: &Log) -> impl Function + use<> {
    let done = done.clone();
    answering(&Log::default(), move |attempt, batch| {
        if attempt % 2 == 0 {
            return Err("every other attempt fails".to_owned());
        }
        done.note(batch.to_vec());
        Ok(SUCCESS.to_owned())
    })
}

/// The first and last index in `records` of a shard's records.
fn span(records: &[Delivered], shard: &str) -> (usize, usize) {
    let of_shard = |record: &Delivered| record.shard == shard;
    (records.iter().position(of_shard).unwrap(), records.iter().rposition(of_shard).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_split_start_when_their_parent_is_done_and_nothing_is_lost() {
    let bench = Bench::start(1).await;
    bench.put(numbered(0, 10)).await;
    let done = Log::default();
    let config = MappingConfig { batch_size: 16, ..config() };
    let mapping = bench.map(config, failing_every_other_time(&done));
    let half = (1_u128 << 127).to_string();
    let split = bench.kinesis.split_shard().stream_name(STREAM).shard_to_split("shardId-000000000000");
    split.new_starting_hash_key(half).send().await.unwrap();
    bench.until_active().await;
    bench.put(numbered(10, 10)).await;
    soon(mapping.progress().wait_until_done(240)).await.unwrap();

    let records = done.records();
    assert_eq!(per_key(&records), complete(20));
    let parent = span(&records, "shardId-000000000000");
    for child in ["shardId-000000000001", "shardId-000000000002"] {
        assert!(parent.1 < span(&records, child).0, "{child} started before its parent was done");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_child_of_a_merge_starts_when_both_parents_are_done_and_nothing_is_lost() {
    let bench = Bench::start(2).await;
    bench.put(numbered(0, 10)).await;
    let done = Log::default();
    let mapping = bench.map(MappingConfig { batch_size: 16, ..config() }, failing_every_other_time(&done));
    let merge = bench.kinesis.merge_shards().stream_name(STREAM).shard_to_merge("shardId-000000000000");
    merge.adjacent_shard_to_merge("shardId-000000000001").send().await.unwrap();
    bench.until_active().await;
    bench.put(numbered(10, 10)).await;
    soon(mapping.progress().wait_until_done(240)).await.unwrap();

    let records = done.records();
    assert_eq!(per_key(&records), complete(20));
    let child = span(&records, "shardId-000000000002");
    for parent in ["shardId-000000000000", "shardId-000000000001"] {
        assert!(span(&records, parent).1 < child.0, "the child started before {parent} was done");
    }
}
