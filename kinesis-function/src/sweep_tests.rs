//! The shell around a minimal sweep, which does its tasks until one hangs.
use std::future;
use std::time::Duration;

use super::*;
use crate::call_error::CallError;
use crate::done_records::DoneRecords;
use crate::handler::Decoded;
use crate::invocation::Invocation;
use crate::logs::captured;
use crate::metrics::{self, Metric};
use crate::records::Records;
use crate::rejected_records::RejectedRecord;
use crate::rejected_table::{RejectedTable, RejectedTableConfig};

#[derive(Clone, Copy)]
enum Task {
    Succeeds,
    IsRetried,
    IsGivenUp,
    Hangs,
}

struct Sweeper {
    rejected: RejectedTable,
    /// `None`: a function without scheduled work.
    tasks: Option<Vec<Task>>,
}

impl Handler for Sweeper {
    const LONGEST_WAIT: &'static str = "Wait";

    type Work = u64;
    type Report = u64;

    fn rejected_table(&self) -> &RejectedTable {
        &self.rejected
    }

    async fn warm_up(&self) {}

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, u64> {
        Decoded { work: 0, rejected: Vec::new(), done: DoneRecords::none_of(records.len()) }
    }

    async fn work<'r>(&self, _work: &mut u64, _invocation: &Invocation<'r>) -> Vec<RejectedRecord<'r>> {
        Vec::new()
    }

    fn report(work: u64) -> u64 {
        work
    }

    fn metrics(report: &u64) -> Vec<Metric> {
        vec![Metric::count("Done", *report)]
    }

    fn begin_sweep(&self) -> Option<u64> {
        self.tasks.as_ref().map(|_| 0)
    }

    async fn sweep(&self, work: &mut u64, sweep: &Sweep) {
        for task in self.tasks.iter().flatten() {
            let error = CallError::of_part("PutRecords", "AccessDenied", "no");
            match task {
                Task::Succeeds => *work += 1,
                Task::IsRetried => sweep.failures.retried(&error),
                Task::IsGivenUp => sweep.failures.given_up(&error, None),
                Task::Hangs => future::pending().await,
            }
        }
    }
}

fn sweeper(tasks: Option<Vec<Task>>) -> Sweeper {
    let variables = [("AWS_REGION", "r"), ("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let client = aws_sdk_dynamodb::Client::new(&crate::aws::sdk_config(variables).unwrap());
    let config = RejectedTableConfig { name: "rejected".to_owned(), retention_days: 1 };
    Sweeper { rejected: RejectedTable::new(client, config), tasks }
}

fn swept(tasks: Option<Vec<Task>>) -> Result<SweepOutput<u64>, EventError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        handle_sweep(&sweeper(tasks), TimeBudget::lasting(10_000, Duration::from_millis(200))).await
    })
}

#[test]
fn what_was_retried_successfully_is_no_error() {
    let output = swept(Some(vec![Task::Succeeds, Task::IsRetried, Task::Succeeds])).unwrap();
    assert_eq!((output.report, output.timing.in_time, output.outcome), (2, true, Ok(())));
}

#[test]
fn sweep_that_gives_something_up_goes_on_and_fails_saying_what() {
    let mut output = None;
    let tasks = vec![Task::IsGivenUp, Task::Succeeds, Task::IsGivenUp];
    let lines = captured(|| output = Some(swept(Some(tasks)).unwrap()));
    let output = output.unwrap();
    assert_eq!(output.report, 1);
    let error = output.outcome.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the sweep gave up: PutRecords (AccessDenied), 2 times, first: PutRecords failed: AccessDenied: no"
    );
    assert_eq!(Diagnostic::from(error).error_type, "SweepFailed");
    let [line] = &lines[..] else { panic!("one line expected: {lines:?}") };
    assert_eq!(line["fields"]["message"], "failed permanently; the next sweep tries again");
}

#[test]
fn sweep_that_runs_out_of_time_keeps_its_counts_and_is_no_error() {
    let output = swept(Some(vec![Task::Succeeds, Task::Hangs, Task::Succeeds])).unwrap();
    assert_eq!((output.report, output.timing.in_time, output.outcome), (1, false, Ok(())));
}

#[test]
fn sweep_of_a_function_without_scheduled_work_is_an_error() {
    let error = swept(None).unwrap_err();
    assert_eq!(error.to_string(), "this function has no sweep: it only reads Kinesis events");
    assert_eq!(Diagnostic::from(error).error_type, "NoSweep");
}

#[test]
fn metrics_of_a_sweep_are_the_functions_own_and_its_duration_once_it_has_finished() {
    let metrics = |in_time, outcome| {
        let timing = Timing { began_ms: 4_000, duration_ms: 250, in_time };
        metrics::of_sweep::<Sweeper>(&SweepOutput { timing, report: 7, outcome })
    };
    assert_eq!(metrics(true, Ok(())), [Metric::count("Done", 7), Metric::milliseconds("SweepDuration", 250)]);
    assert_eq!(metrics(false, Ok(())), [Metric::count("Done", 7)]);
    assert_eq!(metrics(true, Err(SweepError { given_up: "all".to_owned() })), [Metric::count("Done", 7)]);
}
