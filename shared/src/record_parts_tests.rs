//! Which parts a record has, with their places and partition keys.

use super::*;
use crate::aggregated_record::tests::{aggregated, bytes, plain_record};

const LATEST_MS: u64 = 1_721_390_500_000;

/// Place, partition key, bytes, and user or reason of each part.
fn parts(data: &[u8]) -> Vec<(u32, Option<String>, Vec<u8>, String)> {
    let mut parts = Vec::new();
    let latest = LatestBelievable::after_arrival(LATEST_MS, 0);
    for_each_part(data, &ClickFormat::default(), latest, |part, content| {
        let shown = match content {
            Ok(Decoded::Click(decoded)) => decoded.click.user_id.as_str().to_owned(),
            Ok(Decoded::Filtered) => "filtered".to_owned(),
            Err(rejection) => rejection.reason.to_string(),
        };
        parts.push((part.place, part.partition_key.map(ToOwned::to_owned), part.data.to_vec(), shown));
    });
    parts
}

fn click(user: &str) -> Vec<u8> {
    format!(r#"{{"user_id":"{user}","event_timestamp":1721390000000}}"#).into_bytes()
}

fn part(
    place: u32,
    key: Option<&str>,
    data: impl Into<Vec<u8>>,
    shown: &str,
) -> (u32, Option<String>, Vec<u8>, String) {
    (place, key.map(ToOwned::to_owned), data.into(), shown.to_owned())
}

#[test]
fn record_of_one_value_is_its_own_part() {
    assert_eq!(parts(&click("a")), [part(0, None, click("a"), "a")]);
    assert_eq!(parts(b"none"), [part(0, None, "none", "not_json")]);
    assert_eq!(parts(b""), [part(0, None, "", "not_json")]);
}

#[test]
fn each_value_of_a_record_is_a_part_rejected_or_not() {
    let data = [click("a"), b"{}".to_vec(), click("b")].join(&b'\n');
    let expected =
        [part(0, None, click("a"), "a"), part(1, None, "{}", "user_id_missing"), part(2, None, click("b"), "b")];
    assert_eq!(parts(&data), expected);
}

#[test]
fn places_count_over_all_records_of_an_aggregated_one_and_all_their_values() {
    let inner = aggregated(&[bytes(1, b"k"), plain_record(0, &click("c"))]);
    let data = aggregated(&[
        bytes(1, b"k0"),
        bytes(1, b"k1"),
        plain_record(0, &[click("a"), b"{}".to_vec()].concat()),
        plain_record(1, &inner),
        plain_record(1, b""),
        plain_record(1, &click("b")),
    ]);
    let expected = [
        part(0, Some("k0"), click("a"), "a"),
        part(1, Some("k0"), "{}", "user_id_missing"),
        part(2, Some("k1"), inner, "aggregated_record_nested"),
        part(3, Some("k1"), "", "not_json"),
        part(4, Some("k1"), click("b"), "b"),
    ];
    assert_eq!(parts(&data), expected);
}

#[test]
fn aggregated_record_with_a_fault_is_one_part() {
    let mut data = aggregated(&[bytes(1, b"k"), plain_record(0, &click("a"))]);
    data.pop();
    assert_eq!(parts(&data), [part(0, None, data.clone(), "aggregated_record_wrong_checksum")]);
}
