//! Properties that hold for every sequence of reads and outcomes, and a few cases step by step.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use proptest::prelude::*;
use serde_json::json;
use serde_json::value::RawValue;

use super::super::backoff::RetryBackoff;
use super::super::delivery_policy::LikeLambda;
use super::*;

/// Numbers with 2 and 3 digits, so that text order would be wrong.
const FIRST_NUMBER: usize = 90;

fn number(index: usize) -> SequenceNumber {
    SequenceNumber::parse((FIRST_NUMBER + index).to_string()).unwrap()
}

fn index(number: &SequenceNumber) -> usize {
    number.as_str().parse::<usize>().unwrap() - FIRST_NUMBER
}

fn record(index: usize, key: u8) -> EventRecord {
    EventRecord {
        sequence_number: number(index),
        partition_key: format!("user{key}"),
        json: RawValue::from_string("0".to_owned()).unwrap(),
    }
}

fn rules(max_records: usize) -> BatchRules {
    BatchRules {
        max_records,
        max_event_bytes: 1_000,
        window: Duration::ZERO,
        bisect_on_error: false,
        backoff: RetryBackoff { initial: Duration::from_millis(1), max: Duration::from_millis(8) },
    }
}

fn like_lambda(lanes: usize, max_records: usize) -> ShardCursor {
    ShardCursor::new(rules(max_records), lanes, Arc::new(LikeLambda))
}

fn success() -> InvocationResult {
    InvocationResult::Answered(r#"{"batchItemFailures":[]}"#.to_owned())
}

#[test]
fn the_checkpoint_waits_for_the_slowest_lane() {
    let mut cursor = like_lambda(2, 10);
    let keys: Vec<u8> = (0..20).collect();
    let (slow, fast): (Vec<u8>, Vec<u8>) = keys.iter().partition(|key| lane_of(&format!("user{key}"), 2) == 0);
    let records = [fast[0], slow[0], fast[0], fast[1]];
    cursor.read(records.iter().enumerate().map(|(index, key)| record(index, *key)).collect(), Duration::ZERO);
    assert_eq!(cursor.deliver_ready(Duration::ZERO), [0, 1]);

    assert_eq!(cursor.settle(1, &success(), Duration::ZERO).checkpointed, 1);
    assert_eq!(cursor.checkpoint(), Some(&number(0)));
    assert_eq!(cursor.settle(0, &success(), Duration::ZERO).checkpointed, 3);
    assert_eq!(cursor.checkpoint(), Some(&number(3)));
}

#[test]
fn reading_ahead_stops_at_two_batches_per_lane_and_resumes_when_one_is_done() {
    let mut cursor = like_lambda(1, 5);
    assert_eq!(cursor.room(), 10);
    cursor.read((0..8).map(|index| record(index, 0)).collect(), Duration::ZERO);
    assert_eq!(cursor.room(), 2);
    cursor.read((8..10).map(|index| record(index, 0)).collect(), Duration::ZERO);
    assert_eq!(cursor.room(), 0);
    cursor.deliver_ready(Duration::ZERO);
    assert_eq!(cursor.room(), 0);
    cursor.settle(0, &success(), Duration::ZERO);
    assert_eq!(cursor.room(), 5);
}

#[test]
fn a_blocked_lane_limits_how_far_the_others_read_past_it() {
    let mut cursor = like_lambda(2, 5);
    let blocked = (0..20).find(|key| lane_of(&format!("user{key}"), 2) == 0).unwrap();
    let free = (0..20).find(|key| lane_of(&format!("user{key}"), 2) == 1).unwrap();
    cursor.read(vec![record(0, blocked)], Duration::ZERO);
    let mut read = 1;
    while cursor.room() > 0 {
        cursor.read(vec![record(read, free)], Duration::ZERO);
        read += 1;
        cursor.deliver_ready(Duration::ZERO);
        if cursor.in_flight(1).len() > 0 {
            cursor.settle(1, &success(), Duration::ZERO);
        }
    }
    assert_eq!(read, 20);
    assert_eq!(cursor.checkpoint(), None);
}

#[test]
fn a_full_payload_counts_as_a_full_batch_for_reading_ahead() {
    let large = RawValue::from_string(format!("\"{}\"", "x".repeat(900))).unwrap();
    let mut cursor = like_lambda(1, 1_000);
    for place in 0..3 {
        assert!(cursor.room() > 0, "{place}");
        cursor.read(vec![EventRecord { json: large.clone(), ..record(place, 0) }], Duration::ZERO);
    }
    assert_eq!(cursor.room(), 0);
}

#[test]
fn a_closed_shard_is_finished_when_its_last_batch_is() {
    let mut cursor = like_lambda(1, 5);
    cursor.read(vec![record(0, 0)], Duration::ZERO);
    cursor.end();
    assert_eq!((cursor.is_finished(), cursor.room()), (false, 0));
    cursor.deliver_ready(Duration::ZERO);
    assert!(!cursor.is_finished());
    cursor.settle(0, &success(), Duration::ZERO);
    assert!(cursor.is_finished());
}

/// One outcome of an invocation, chosen before the content of the batch is known.
#[derive(Debug, Clone)]
enum Script {
    Success,
    /// Reports the records at these positions of the batch, as fractions of its length.
    Report(Vec<prop::sample::Index>),
    Error,
    TimeOut,
    Nonsense,
    UnknownIdentifier,
}

fn script() -> impl Strategy<Value = Script> {
    prop_oneof![
        4 => Just(Script::Success),
        4 => prop::collection::vec(any::<prop::sample::Index>(), 1..4).prop_map(Script::Report),
        2 => Just(Script::Error),
        1 => Just(Script::TimeOut),
        1 => Just(Script::Nonsense),
        1 => Just(Script::UnknownIdentifier),
    ]
}

/// Splits and forgets according to the numbers, and like Lambda after they run out.
#[derive(Debug)]
struct Scripted {
    cuts: Mutex<Vec<usize>>,
    checkpoints: Mutex<Vec<usize>>,
}

impl DeliveryPolicy for Scripted {
    fn cut(&self, fitting: usize) -> usize {
        self.cuts.lock().unwrap().pop().unwrap_or(fitting)
    }
    fn checkpoint(&self, succeeded: usize) -> usize {
        self.checkpoints.lock().unwrap().pop().unwrap_or(succeeded)
    }
}

#[derive(Debug, Clone)]
struct Case {
    keys: Vec<u8>,
    lanes: usize,
    max_records: usize,
    window_ms: u64,
    bisect: bool,
    /// Maximum number of records that each read returns.
    reads: Vec<usize>,
    /// Which of the running invocations ends next, and how.
    outcomes: Vec<(prop::sample::Index, Script)>,
    cuts: Vec<usize>,
    checkpoints: Vec<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = (prop::collection::vec(0..9_usize, 0..20), prop::collection::vec(0..9_usize, 0..20));
    (
        prop::collection::vec(0..6_u8, 0..60),
        1..=4_usize,
        1..=8_usize,
        prop_oneof![Just(0), 1..30_u64],
        any::<bool>(),
        prop::collection::vec(0..20_usize, 0..40),
        prop::collection::vec((any::<prop::sample::Index>(), script()), 0..80),
        policy,
    )
        .prop_map(|(keys, lanes, max_records, window_ms, bisect, reads, outcomes, (cuts, checkpoints))| Case {
            keys,
            lanes,
            max_records,
            window_ms,
            bisect,
            reads,
            outcomes,
            cuts,
            checkpoints,
        })
}

/// A shard, the function, and a separate model of the records that the function has acknowledged.
struct Simulation {
    case: Case,
    cursor: ShardCursor,
    now: Duration,
    read: usize,
    in_flight: BTreeMap<usize, Vec<usize>>,
    /// Records that the function acknowledged.
    acknowledged: BTreeSet<usize>,
    checkpointed: u64,
}

impl Simulation {
    fn new(case: Case) -> Self {
        let rules = BatchRules {
            window: Duration::from_millis(case.window_ms),
            bisect_on_error: case.bisect,
            ..rules(case.max_records)
        };
        let policy =
            Scripted { cuts: Mutex::new(case.cuts.clone()), checkpoints: Mutex::new(case.checkpoints.clone()) };
        let cursor = ShardCursor::new(rules, case.lanes, Arc::new(policy));
        Self {
            case,
            cursor,
            now: Duration::ZERO,
            read: 0,
            in_flight: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            checkpointed: 0,
        }
    }

    fn run(mut self) {
        let mut steps = 0;
        while !self.cursor.is_finished() {
            self.read_some();
            self.deliver();
            self.end_one_invocation();
            self.check_checkpoint();
            self.now += Duration::from_millis(1);
            steps += 1;
            assert!(steps < 10_000, "the shard does not finish: {:?}", self.case);
        }
        let all: BTreeSet<_> = (0..self.case.keys.len()).collect();
        assert_eq!(self.acknowledged, all);
        assert_eq!(self.checkpointed, all.len() as u64);
        assert_eq!(self.cursor.checkpoint().map(index), all.last().copied());
        assert!(self.in_flight.is_empty());
    }

    fn read_some(&mut self) {
        let limit = self.case.reads.pop().unwrap_or(usize::MAX);
        let end = self.case.keys.len().min(self.read + limit.min(self.cursor.room()));
        let records = (self.read..end).map(|index| record(index, self.case.keys[index])).collect();
        self.cursor.read(records, self.now);
        self.read = end;
        if end == self.case.keys.len() && self.case.reads.is_empty() {
            self.cursor.end();
        }
    }

    fn deliver(&mut self) {
        for lane in self.cursor.deliver_ready(self.now) {
            let batch: Vec<_> = self.cursor.in_flight(lane).map(|record| index(&record.sequence_number)).collect();
            self.check_batch(&batch);
            assert!(self.in_flight.insert(lane, batch).is_none());
        }
        let idle_with_work = self.in_flight.is_empty() && self.checkpointed < self.read as u64;
        assert!(!idle_with_work || self.cursor.wake_at(self.now).is_some(), "nothing would wake the shard");
    }

    /// For each partition key, a batch contains consecutive records, all earlier ones are acknowledged, and no other
    /// invocation has records of the key.
    fn check_batch(&self, batch: &[usize]) {
        assert!((1..=self.case.max_records).contains(&batch.len()));
        assert!(batch.is_sorted());
        for key in 0..6 {
            let of_key = |index: &usize| self.case.keys[*index] == key;
            let delivered: Vec<_> = batch.iter().copied().filter(of_key).collect();
            let Some(first) = delivered.first() else { continue };
            let from_first: Vec<_> = (*first..self.read).filter(of_key).take(delivered.len()).collect();
            assert_eq!(delivered, from_first, "a record was left out");
            assert!((0..*first).filter(of_key).all(|index| self.acknowledged.contains(&index)), "out of order");
            assert!(!self.in_flight.values().flatten().any(of_key), "one key is in two invocations at once");
        }
    }

    fn end_one_invocation(&mut self) {
        let lanes: Vec<_> = self.in_flight.keys().copied().collect();
        if lanes.is_empty() {
            return;
        }
        let (lane, script) = match self.case.outcomes.pop() {
            Some((which, script)) => (*which.get(&lanes), script),
            None => (lanes[0], Script::Success),
        };
        let batch = self.in_flight.remove(&lane).unwrap();
        let outcome = self.answer(&batch, script);
        self.checkpointed += self.cursor.settle(lane, &outcome, self.now).checkpointed;
    }

    /// The function's response; notes the records that it acknowledges.
    fn answer(&mut self, batch: &[usize], script: Script) -> InvocationResult {
        let reported = match script {
            Script::Error => return InvocationResult::Failed("boom".to_owned()),
            Script::TimeOut => return InvocationResult::TimedOut,
            Script::Nonsense => return InvocationResult::Answered(r#"{"batchItemFailures":[{}]}"#.to_owned()),
            Script::UnknownIdentifier => vec![number(batch[0]), number(self.case.keys.len())],
            Script::Success => Vec::new(),
            Script::Report(ref places) => places.iter().map(|place| number(*place.get(batch))).collect(),
        };
        if !matches!(script, Script::UnknownIdentifier) {
            let lowest = reported.iter().map(index).min().unwrap_or(usize::MAX);
            self.acknowledged.extend(batch.iter().copied().filter(|index| *index < lowest));
        }
        let failures: Vec<_> = reported.iter().map(|number| json!({ "itemIdentifier": number.as_str() })).collect();
        InvocationResult::Answered(json!({ "batchItemFailures": failures }).to_string())
    }

    fn check_checkpoint(&self) {
        let passed = self.cursor.checkpoint().map_or(0, |checkpoint| index(checkpoint) + 1);
        assert_eq!(passed as u64, self.checkpointed);
        assert!((0..passed).all(|index| self.acknowledged.contains(&index)), "the checkpoint passed an undone record");
    }
}

proptest! {
    #[test]
    fn every_record_is_done_in_order_per_key_whatever_the_function_returns(case in case()) {
        Simulation::new(case).run();
    }
}
