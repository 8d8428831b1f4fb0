//! Checks that the list of reasons matches what the decoders return.

use std::collections::BTreeSet;

use super::*;
use crate::aggregated_record::tests as aggregation;
use crate::boundary::Boundary;
use crate::click::{Click, LatestBelievable};
use crate::click_format::{ClickFields, ClickFormat};
use crate::event_filter::EventFilter;
use crate::timestamp_format::TimestampFormat;

const ARRIVAL_MS: u64 = 1_721_390_500_000;

const CLICK: [(&str, &str); 2] = [("user_id", "\"u\""), ("event_timestamp", "1721390000000")];

const BOUNDARY: [(&str, &str); 8] = [
    ("user_id", "\"u\""),
    ("session_timestamp", "1721390000000"),
    ("session_time", "\"2024-07-19 11:53:20\""),
    ("session_id", "\"u_0\""),
    ("status", "\"closed\""),
    ("session_end", "1721390000000"),
    ("event_count", "1"),
    ("version", "7"),
];

/// Every kind of JSON value, and some that are not JSON.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "0",
        "-1",
        "1.5",
        "1.0",
        "1721390000",
        "1721390000000",
        "253402300799999",
        "253402300800000",
        "1e400",
        "NaN",
        "[]",
        "{}",
        "\"\"",
        "\" \"",
        "\"open\"",
        "\"undefined\"",
        "\"\\ud83d\"",
        "\"1721390000\"",
        "!",
    ]
    .map(ToOwned::to_owned)
    .to_vec();
    values.push(format!("\"{}\"", "x".repeat(3_000)));
    values
}

/// The object of `fields`, with each of `names` left out or set to each of [`values`].
fn records(fields: &[(&str, &str)], names: &[&str]) -> Vec<Vec<u8>> {
    let object = |changed: &str, value: Option<&str>| {
        let kept = fields.iter().filter(|(name, _)| *name != changed);
        let members = kept.map(|(name, value)| format!("\"{name}\":{value}"));
        let changed = value.map(|value| format!("\"{changed}\":{value}"));
        format!("{{{}}}", members.chain(changed).collect::<Vec<_>>().join(",")).into_bytes()
    };
    let mut records: Vec<Vec<u8>> = [b"\xff".as_slice(), b"\xf3\x89\x9a\xc2", b"", b"[]"].map(<[u8]>::to_vec).to_vec();
    for name in names {
        records.push(object(name, None));
        records.extend(values().iter().map(|value| object(name, Some(value))));
    }
    records
}

fn names<'f>(fields: &[(&'f str, &'f str)]) -> Vec<&'f str> {
    let attributes = ["event_name", "event_type", "device_type", "another"];
    fields.iter().map(|(name, _)| *name).chain(attributes).collect()
}

#[test]
fn list_contains_exactly_the_reasons_of_the_decoders_and_the_sinks_own() {
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, 0);
    let clicks = records(&CLICK, &names(&CLICK)).into_iter().map(|data| Click::decode(&data, latest).err());
    let seconds =
        ClickFormat::new(ClickFields::default(), TimestampFormat::Seconds, EventFilter::All).expect("default fields");
    let in_seconds = records(&CLICK, &names(&CLICK)).into_iter().map(|data| seconds.decode_one(&data, latest).err());
    let boundaries = records(&BOUNDARY, &names(&BOUNDARY)).into_iter().map(|data| Boundary::decode(&data).err());
    let of_records = clicks.chain(in_seconds).chain(boundaries).flatten();
    let given: BTreeSet<_> = of_records.chain(aggregation::faults()).map(|rejection| rejection.reason).collect();
    let listed: BTreeSet<_> = Reason::all().filter(|reason| *reason != Reason::SessionItemForeign).collect();
    assert_eq!(given, listed);
}

#[test]
fn codes_are_stable_because_metrics_alarms_and_redrives_use_them() {
    let codes: Vec<_> = Reason::all().map(|reason| reason.to_string()).collect();
    let expected = "
        not_utf8 aggregated_record not_json not_an_object session_item_foreign
        aggregated_record_too_short aggregated_record_wrong_checksum aggregated_record_malformed
        aggregated_record_field_missing aggregated_record_key_unknown aggregated_record_empty aggregated_record_nested
        user_id_missing user_id_null user_id_empty user_id_placeholder user_id_not_unicode user_id_too_long
        user_id_mistyped
        event_timestamp_missing event_timestamp_null event_timestamp_not_an_integer event_timestamp_wrong_format
        event_timestamp_out_of_range event_timestamp_in_seconds event_timestamp_in_the_future
        session_timestamp_missing session_timestamp_null session_timestamp_not_an_integer session_timestamp_out_of_range
        session_time_missing session_time_empty session_time_not_unicode session_time_too_long session_time_mistyped
        session_id_missing session_id_empty session_id_not_unicode session_id_mistyped session_id_not_user_and_ordinal
        status_unknown status_not_unicode status_mistyped
        session_end_missing session_end_null session_end_not_an_integer session_end_out_of_range
        event_count_missing event_count_null event_count_not_an_integer event_count_out_of_range
        version_missing version_null version_not_an_integer version_out_of_range";
    assert_eq!(codes, expected.split_whitespace().collect::<Vec<_>>());
}
