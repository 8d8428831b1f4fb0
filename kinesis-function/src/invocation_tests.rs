//! The shell around a minimal function, which counts records and hangs if one says so.
use std::future;
use std::time::Duration;

use shared::rejection::{Reason, Rejection};

use super::*;
use crate::event::FunctionEvent;
use crate::logs::captured;
use crate::metrics::Metric;
use crate::rejected_records::RejectedRecord;
use crate::rejected_table::{RejectedTable, RejectedTableConfig};

struct Counter {
    rejected: RejectedTable,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counted(u64);

impl Handler for Counter {
    const LONGEST_WAIT: &'static str = "Wait";

    type Work = (Vec<String>, Counted);
    type Report = Counted;

    fn rejected_table(&self) -> &RejectedTable {
        &self.rejected
    }

    /// Hangs, as if no service answered.
    async fn warm_up(&self) {
        future::pending().await
    }

    fn decode<'r>(&self, records: &'r Records) -> Decoded<'r, Self::Work> {
        let (mut texts, mut rejected) = (Vec::new(), Vec::new());
        for (index, record) in records.iter().enumerate() {
            match String::from_utf8(record.data.to_vec()) {
                Ok(text) => texts.push(text),
                Err(_) => {
                    let rejection = Rejection::of_record(Reason::SessionItemForeign, "not text".to_owned());
                    rejected.push(RejectedRecord::whole(index, record, rejection));
                }
            }
        }
        Decoded { work: (texts, Counted(0)), rejected, done: DoneRecords::none_of(records.len()) }
    }

    async fn work<'r>(
        &self,
        (texts, counted): &mut Self::Work,
        invocation: &Invocation<'r>,
    ) -> Vec<RejectedRecord<'r>> {
        for (index, text) in texts.iter().enumerate() {
            if text == "never ends" {
                future::pending::<()>().await;
            }
            counted.0 += 1;
            invocation.done.set_done(index);
        }
        Vec::new()
    }

    fn report((_, counted): Self::Work) -> Counted {
        counted
    }

    fn metrics(report: &Counted) -> Vec<Metric> {
        vec![Metric::count("Counted", report.0)]
    }
}

/// The output for records with this base64 data and sequence numbers from 1. No service is reachable.
fn output_for(data: &[&str]) -> HandlerOutput<Counted> {
    let record = |(number, data): (usize, &&str)| {
        serde_json::json!({
            "eventID": format!("s:{number}"), "eventSourceARN": "arn:aws:kinesis:r:1:stream/c",
            "kinesis": {
                "sequenceNumber": number.to_string(), "partitionKey": "k", "data": data,
                "approximateArrivalTimestamp": 1.5,
            },
        })
    };
    let records: Vec<_> = (1..).zip(data).map(record).collect();
    let json = serde_json::json!({ "Records": records }).to_string();
    let Ok(FunctionEvent::Batch(event)) = FunctionEvent::from_json(json.as_bytes()) else { panic!("a batch: {json}") };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        handle(&counter(), event, TimeBudget::lasting(10_000, Duration::from_millis(200))).await.unwrap()
    })
}

/// The function, with an unreachable table.
fn counter() -> Counter {
    let variables = [
        ("AWS_REGION", "r"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let client = aws_sdk_dynamodb::Client::new(&crate::aws::sdk_config(variables).unwrap());
    let config = RejectedTableConfig { name: "rejected".to_owned(), retention_days: 1 };
    Counter { rejected: RejectedTable::new(client, config) }
}

#[tokio::test(start_paused = true)]
async fn warm_up_is_bounded_when_no_service_answers() {
    let began = tokio::time::Instant::now();
    crate::runtime::warm_up(&counter()).await;
    assert_eq!(began.elapsed(), Duration::from_millis(500));
}

fn named(output: &HandlerOutput<Counted>) -> Option<&str> {
    output.response.batch_item_failures.first()?.item_identifier.as_deref()
}

#[test]
fn finished_work_leaves_nothing_to_redeliver() {
    let output = output_for(&["aGk=", "aGk="]);
    assert_eq!((named(&output), output.timing.in_time, output.report), (None, true, Counted(2)));
    assert_eq!(output.records, RecordCounts { received: 2, rejected: 0, undone: 0 });
}

#[test]
fn progress_and_counts_survive_the_work_that_the_deadline_drops() {
    let output = output_for(&["aGk=", "bmV2ZXIgZW5kcw==", "aGk="]);
    assert_eq!((named(&output), output.timing.in_time, output.report), (Some("2"), false, Counted(1)));
    assert_eq!(output.records, RecordCounts { received: 3, rejected: 0, undone: 2 });
}

#[test]
fn rejected_record_that_cannot_be_written_is_logged_once_and_redelivered() {
    let mut output = None;
    let lines = captured(|| output = Some(output_for(&["aGk=", "/w=="])));
    let output = output.unwrap();
    assert_eq!((named(&output), output.report), (Some("2"), Counted(1)));
    assert_eq!(output.records, RecordCounts { received: 2, rejected: 0, undone: 1 });
    let [line] = &lines[..] else { panic!("one line expected: {lines:?}") };
    assert_eq!((&line["level"], &line["fields"]["records"]), (&"ERROR".into(), &1.into()));
    assert_eq!(line["span"]["first_sequence_number"], "1");
}
