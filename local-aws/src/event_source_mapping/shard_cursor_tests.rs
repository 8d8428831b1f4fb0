//! Properties that hold for every sequence of reads and outcomes, and a few cases step by step.
use std::collections::BTreeSet;
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

fn record(index: usize) -> EventRecord {
    EventRecord { sequence_number: number(index), json: RawValue::from_string("0".to_owned()).unwrap() }
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

fn like_lambda(max_records: usize) -> ShardCursor {
    ShardCursor::new(rules(max_records), Arc::new(LikeLambda))
}

fn success() -> InvocationResult {
    InvocationResult::Answered(r#"{"batchItemFailures":[]}"#.to_owned())
}

#[test]
fn reading_ahead_stops_at_two_batches_and_resumes_when_one_is_done() {
    let mut cursor = like_lambda(5);
    assert_eq!(cursor.room(), 10);
    cursor.read((0..8).map(record).collect(), Duration::ZERO);
    assert_eq!(cursor.room(), 2);
    cursor.read((8..10).map(record).collect(), Duration::ZERO);
    assert_eq!(cursor.room(), 0);
    cursor.deliver_ready(Duration::ZERO);
    assert_eq!(cursor.room(), 0);
    cursor.settle(&success(), Duration::ZERO);
    assert_eq!(cursor.room(), 5);
}

#[test]
fn a_full_payload_counts_as_a_full_batch_for_reading_ahead() {
    let large = RawValue::from_string(format!("\"{}\"", "x".repeat(900))).unwrap();
    let mut cursor = like_lambda(1_000);
    for place in 0..3 {
        assert!(cursor.room() > 0, "{place}");
        cursor.read(vec![EventRecord { json: large.clone(), ..record(place) }], Duration::ZERO);
    }
    assert_eq!(cursor.room(), 0);
}

#[test]
fn a_closed_shard_is_finished_when_its_last_batch_is() {
    let mut cursor = like_lambda(5);
    cursor.read(vec![record(0)], Duration::ZERO);
    cursor.end();
    assert_eq!((cursor.is_finished(), cursor.room()), (false, 0));
    cursor.deliver_ready(Duration::ZERO);
    assert!(!cursor.is_finished());
    cursor.settle(&success(), Duration::ZERO);
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
    records: usize,
    max_records: usize,
    window_ms: u64,
    bisect: bool,
    /// Maximum number of records that each read returns.
    reads: Vec<usize>,
    /// How each invocation ends.
    outcomes: Vec<Script>,
    cuts: Vec<usize>,
    checkpoints: Vec<usize>,
}

fn case() -> impl Strategy<Value = Case> {
    let policy = (prop::collection::vec(0..9_usize, 0..20), prop::collection::vec(0..9_usize, 0..20));
    (
        0..60_usize,
        1..=8_usize,
        prop_oneof![Just(0), 1..30_u64],
        any::<bool>(),
        prop::collection::vec(0..20_usize, 0..40),
        prop::collection::vec(script(), 0..80),
        policy,
    )
        .prop_map(|(records, max_records, window_ms, bisect, reads, outcomes, (cuts, checkpoints))| Case {
            records,
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
    in_flight: Vec<usize>,
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
        let cursor = ShardCursor::new(rules, Arc::new(policy));
        Self {
            case,
            cursor,
            now: Duration::ZERO,
            read: 0,
            in_flight: Vec::new(),
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
        let all: BTreeSet<_> = (0..self.case.records).collect();
        assert_eq!(self.acknowledged, all);
        assert_eq!(self.checkpointed, all.len() as u64);
        assert_eq!(self.cursor.checkpoint().map(index), all.last().copied());
        assert!(self.in_flight.is_empty());
    }

    fn read_some(&mut self) {
        let limit = self.case.reads.pop().unwrap_or(usize::MAX);
        let end = self.case.records.min(self.read + limit.min(self.cursor.room()));
        let records = (self.read..end).map(record).collect();
        self.cursor.read(records, self.now);
        self.read = end;
        if end == self.case.records && self.case.reads.is_empty() {
            self.cursor.end();
        }
    }

    fn deliver(&mut self) {
        if self.cursor.deliver_ready(self.now) {
            let batch: Vec<_> = self.cursor.in_flight().map(|record| index(&record.sequence_number)).collect();
            self.check_batch(&batch);
            self.in_flight = batch;
        }
        let idle_with_work = self.in_flight.is_empty() && self.checkpointed < self.read as u64;
        assert!(!idle_with_work || self.cursor.wake_at(self.now).is_some(), "nothing would wake the shard");
    }

    /// A batch contains consecutive records, all earlier ones are acknowledged, and no other invocation is running.
    fn check_batch(&self, batch: &[usize]) {
        assert!((1..=self.case.max_records).contains(&batch.len()));
        assert!(batch.iter().copied().eq(batch[0]..batch[0] + batch.len()), "a record was left out");
        assert!((0..batch[0]).all(|index| self.acknowledged.contains(&index)), "out of order");
        assert!(self.in_flight.is_empty(), "two invocations at once");
    }

    fn end_one_invocation(&mut self) {
        let batch = std::mem::take(&mut self.in_flight);
        if batch.is_empty() {
            return;
        }
        let script = self.case.outcomes.pop().unwrap_or(Script::Success);
        let outcome = self.answer(&batch, script);
        self.checkpointed += self.cursor.settle(&outcome, self.now).checkpointed;
    }

    /// The function's response; notes the records that it acknowledges.
    fn answer(&mut self, batch: &[usize], script: Script) -> InvocationResult {
        let reported = match script {
            Script::Error => return InvocationResult::Failed("boom".to_owned()),
            Script::TimeOut => return InvocationResult::TimedOut,
            Script::Nonsense => return InvocationResult::Answered(r#"{"batchItemFailures":[{}]}"#.to_owned()),
            Script::UnknownIdentifier => vec![number(batch[0]), number(self.case.records)],
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
    fn every_record_is_done_in_order_whatever_the_function_returns(case in case()) {
        Simulation::new(case).run();
    }
}
