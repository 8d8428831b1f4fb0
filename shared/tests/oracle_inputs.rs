//! Odd records, each with the click that an independent decoder in Python reads from it, or none.
//!
//! The records were generated at random from values at the edges of the contract. Records whose numbers Python rounds
//! (a fraction lost in a double) are left out, because the contract does not round.

#![allow(clippy::unwrap_used, clippy::panic)]

use serde::Deserialize;
use shared::click::{Click, LatestBelievable};
use shared::limits::END_OF_EVENT_TIME_MS;

const INPUTS: &str = include_str!("../../testdata/odd.inputs.ndjson");

#[derive(Deserialize)]
struct Input {
    record: String,
    click: Option<Expected>,
}

/// User, time in milliseconds, event name, event type, device type.
type Expected = (String, u64, Option<String>, Option<String>, Option<String>);

fn decoded(record: &str) -> Option<Expected> {
    let any_time = LatestBelievable::after_arrival(END_OF_EVENT_TIME_MS, 0);
    let click = Click::decode(record.as_bytes(), any_time).ok()?.click;
    let [name, kind, device] = [click.attributes.event_name, click.attributes.event_type, click.attributes.device_type]
        .map(|text| text.map(String::from));
    Some((click.user_id.as_str().to_owned(), click.time.ms(), name, kind, device))
}

#[test]
fn odd_records_decode_to_the_clicks_of_the_oracle() {
    let inputs: Vec<Input> = INPUTS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let clicks = inputs.iter().filter(|input| input.click.is_some()).count();
    assert!(clicks > 100 && inputs.len() - clicks > 100, "{clicks} clicks of {}", inputs.len());
    for Input { record, click } in inputs {
        assert_eq!(decoded(&record), click, "{record}");
    }
}
