//! Which bytes are aggregated records, and how each lie in them is found.

use proptest::prelude::*;

use super::*;

/// A field of bytes.
pub(crate) fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    prost::encoding::encode_varint(content.len() as u64, &mut field);
    field.extend_from_slice(content);
    field
}

/// A field of a number below 128.
fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A `Record` field of these fields.
fn record(fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(3, &fields.concat())
}

pub(crate) fn plain_record(key: u8, data: &[u8]) -> Vec<u8> {
    record(&[number(1, key), bytes(3, data)])
}

/// The aggregated record of a message of these fields.
pub(crate) fn aggregated(fields: &[Vec<u8>]) -> Vec<u8> {
    let message = fields.concat();
    [MAGIC.as_slice(), &message, Md5::digest(&message).as_slice()].concat()
}

fn records(data: &[u8]) -> Vec<(&str, &[u8])> {
    let aggregated = AggregatedRecord::read(data).unwrap_or_else(|rejection| panic!("{rejection:?}"));
    aggregated.records().map(|record| (record.partition_key, record.data)).collect()
}

#[track_caller]
fn assert_rejected(data: &[u8], code: &str, message: &str) {
    let rejection = AggregatedRecord::read(data).expect_err(code);
    assert_eq!(rejection.reason.to_string(), format!("aggregated_record_{code}"), "{rejection:?}");
    let expected = format!("the record was aggregated by the Kinesis Producer Library, but {message}");
    assert_eq!(rejection.message, expected);
}

/// A rejection for each fault.
pub(crate) fn faults() -> Vec<Rejection> {
    let [key, record_of_key] = [bytes(1, b"key"), plain_record(0, b"data")];
    let data = [
        MAGIC.to_vec(),
        [MAGIC.as_slice(), &[0; CHECKSUM_BYTES]].concat(),
        aggregated(&[b"\x1a\x7f".to_vec()]),
        aggregated(&[key.clone(), record(&[])]),
        aggregated(&[record_of_key]),
        aggregated(&[key]),
    ];
    let read = |data: &Vec<u8>| AggregatedRecord::read(data).expect_err("a faulty record");
    data.iter().map(read).chain([nested()]).collect()
}

#[test]
fn records_come_in_order_with_their_own_keys() {
    let data = aggregated(&[
        bytes(1, b"a"),
        bytes(1, "b\u{e9}".as_bytes()),
        bytes(2, b"340282366920938463463374607431768211455"),
        plain_record(1, b"first"),
        record(&[number(1, 0), number(2, 0), bytes(3, b"second"), bytes(4, b"\x0a\x01t")]),
        plain_record(1, b""),
    ]);
    assert!(is_aggregated(&data));
    let expected: [(&str, &[u8]); 3] = [("b\u{e9}", b"first"), ("a", b"second"), ("b\u{e9}", b"")];
    assert_eq!(records(&data), expected);
}

#[test]
fn record_of_another_library_is_read() {
    // Made with aws_kinesis_agg 1.2.3, AWS' own aggregator for Python.
    let hex = "f3899ac20a0575736572310a0575736572321227333430323832333636393230393338343633343633333734363037343331373638\
               3231313435351a0708001a036f6e651a09080110001a0374776f1a0908001a057468726565f3ee5578fe88ff00b98b019a3d0544f4";
    let byte = |place| u8::from_str_radix(&hex[place..place + 2], 16).expect("two hexadecimal digits");
    let data: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let expected: [(&str, &[u8]); 3] = [("user1", b"one"), ("user2", b"two"), ("user1", b"three")];
    assert_eq!(records(&data), expected);
}

#[test]
fn fields_may_come_in_any_order_repeatedly_and_with_unknown_ones_between_them() {
    let data = aggregated(&[
        number(9, 1),
        record(&[bytes(3, b"replaced"), bytes(9, b"?"), bytes(3, b"kept"), number(1, 7), number(1, 0)]),
        b"\x79\x01\x02\x03\x04\x05\x06\x07\x08".to_vec(),
        bytes(1, b""),
        b"\x7d\x01\x02\x03\x04".to_vec(),
    ]);
    let expected: [(&str, &[u8]); 1] = [("", b"kept")];
    assert_eq!(records(&data), expected);
}

#[test]
fn magic_bytes_begin_no_json() {
    assert!(String::from_utf8(MAGIC.to_vec()).is_err());
    assert!(!is_aggregated(br#"{"user_id":"u"}"#) && !is_aggregated(b"") && !is_aggregated(&MAGIC[..3]));
}

#[test]
fn record_cut_at_any_byte_is_rejected() {
    let data = aggregated(&[bytes(1, b"key"), plain_record(0, b"data"), plain_record(0, b"more")]);
    for end in MAGIC.len()..data.len() {
        if end < MAGIC.len() + CHECKSUM_BYTES {
            let message = format!("has {end} bytes, fewer than the 20 of its magic number and its checksum");
            assert_rejected(&data[..end], "too_short", &message);
        } else {
            let message = format!("its {end} bytes do not match its checksum (MD5); they were cut or changed");
            assert_rejected(&data[..end], "wrong_checksum", &message);
        }
    }
}

#[test]
fn message_cut_at_any_byte_is_rejected_even_with_the_right_checksum() {
    let [key, record] = [bytes(1, b"key"), plain_record(0, b"data")];
    let message = [key.as_slice(), &record].concat();
    for end in 0..message.len() {
        let rejection = AggregatedRecord::read(&aggregated(&[message[..end].to_vec()])).expect_err("a cut message");
        let is_whole_field = end == 0 || end == key.len();
        let fault = if is_whole_field { AggregationFault::Empty } else { AggregationFault::Malformed };
        assert_eq!(rejection.reason, Reason::Aggregation(fault), "{end}");
    }
}

#[test]
fn every_changed_byte_is_found_by_the_checksum() {
    let data = aggregated(&[bytes(1, b"key"), plain_record(0, b"data")]);
    for place in MAGIC.len()..data.len() {
        let mut changed = data.clone();
        changed[place] ^= 1;
        let rejection = AggregatedRecord::read(&changed).expect_err("a changed record");
        assert_eq!(rejection.reason, Reason::Aggregation(AggregationFault::WrongChecksum), "{place}");
    }
}

#[test]
fn aggregate_of_no_records_is_rejected() {
    assert_rejected(&aggregated(&[]), "empty", "contains no records");
    assert_rejected(&aggregated(&[bytes(1, b"key")]), "empty", "contains no records");
}

#[test]
fn lying_lengths_and_unknown_wire_types_are_rejected() {
    let key = bytes(1, b"key");
    let with = |field: &[u8]| aggregated(&[key.clone(), field.to_vec()]);
    for (data, fault) in [
        (with(b"\x1a\x7f\x08\x00"), "at byte 5 of 9: field 3 has 127 bytes, of which only 2 are left"),
        (with(b"\x1a\xff\xff\xff\xff\x0f"), "at byte 5 of 11: field 3 has 4294967295 bytes, of which only 0 are left"),
        (with(b"\x1a"), "at byte 5 of 6: field 3 is not a number: failed to decode Protobuf message: invalid varint"),
        (with(b"\x1b\x1c"), "at byte 5 of 7: field 3 is a group"),
        (with(b"\x1e\x00"), "at byte 5 of 7: failed to decode Protobuf message: invalid wire type value: 6"),
        (
            with(&bytes(3, b"\x08\x00\x1a\x05ab")),
            "record 0 in it, at byte 2 of 6: field 3 has 5 bytes, of which only 2 are left",
        ),
        (with(&number(3, 1)), "record 0 in it, which is not a message"),
        (
            with(&[plain_record(0, b"x"), record(&[bytes(1, b"0"), bytes(3, b"x")])].concat()),
            "record 1 in it, whose field 1 has another type than in the format",
        ),
        (
            with(&record(&[number(1, 0), number(3, 0)])),
            "record 0 in it, whose field 3 has another type than in the format",
        ),
        (
            with(&record(&[number(1, 0), bytes(2, b""), bytes(3, b"x")])),
            "record 0 in it, whose field 2 has another type than in the format",
        ),
        (with(&[number(1, 1), plain_record(0, b"x")].concat()), "partition key 1 is not a text"),
        (with(&[bytes(1, b"\xff"), plain_record(0, b"x")].concat()), "partition key 1 is not valid UTF-8"),
        (
            with(&[bytes(1, "\u{e9}".repeat(257).as_bytes()), plain_record(0, b"x")].concat()),
            &format!(
                "partition key 1 has 257 characters, more than the limit of 256: \"{}\"… (514 bytes)",
                "\u{e9}".repeat(64)
            ),
        ),
    ] {
        assert_rejected(&data, "malformed", &format!("is malformed: {fault}"));
    }
    let longest = "\u{e9}".repeat(256);
    let data = aggregated(&[bytes(1, longest.as_bytes()), plain_record(0, b"x")]);
    assert_eq!(records(&data), [(longest.as_str(), b"x".as_slice())]);
}

#[test]
fn record_without_key_or_data_is_rejected() {
    let key = bytes(1, b"key");
    let without_key = aggregated(&[key.clone(), plain_record(0, b"x"), record(&[bytes(3, b"x")])]);
    assert_rejected(&without_key, "field_missing", "lacks partition_key_index in record 1, where it is required");
    let without_data = aggregated(&[key, record(&[number(1, 0)])]);
    assert_rejected(&without_data, "field_missing", "lacks data in record 0, where it is required");
}

#[test]
fn index_beyond_its_table_is_rejected() {
    let key = bytes(1, b"key");
    let data = aggregated(&[key.clone(), plain_record(0, b"x"), plain_record(1, b"x")]);
    assert_rejected(&data, "key_unknown", "has partition_key_index 1 in record 1, but only 1 such keys");
    let data = aggregated(&[plain_record(0, b"x")]);
    assert_rejected(&data, "key_unknown", "has partition_key_index 0 in record 0, but only 0 such keys");
    let huge = [b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01".to_vec(), bytes(3, b"x")];
    let data = aggregated(&[key.clone(), record(&huge)]);
    assert_rejected(
        &data,
        "key_unknown",
        "has partition_key_index 18446744073709551615 in record 0, but only 1 such keys",
    );
    let data = aggregated(&[key, record(&[number(1, 0), number(2, 0), bytes(3, b"x")])]);
    assert_rejected(&data, "key_unknown", "has explicit_hash_key_index 0 in record 0, but only 0 such keys");
}

#[test]
fn record_full_of_the_smallest_records_or_keys_is_read() {
    let smallest = plain_record(0, b"");
    let data = aggregated(&[bytes(1, b""), smallest.repeat((1 << 20) / smallest.len())]);
    assert_eq!(AggregatedRecord::read(&data).unwrap().records().count(), 174_762);
    let data = aggregated(&[bytes(1, b"").repeat(500_000), plain_record(100, b"x")]);
    assert_eq!(AggregatedRecord::read(&data).unwrap().records().count(), 1);
    let data = aggregated(&[bytes(1, b""), bytes(3, b"").repeat(500_000)]);
    assert_rejected(&data, "field_missing", "lacks partition_key_index in record 0, where it is required");
}

proptest! {
    #[test]
    fn any_records_are_read_as_they_were_written(
        written in proptest::collection::vec((0_u8..5, proptest::collection::vec(any::<u8>(), 0..300)), 1..20),
    ) {
        let keys = ["", "a", "b", "longer key", "\u{1f600}"];
        let mut fields: Vec<_> = keys.iter().map(|key| bytes(1, key.as_bytes())).collect();
        fields.extend(written.iter().map(|(key, data)| plain_record(*key, data)));
        let data = aggregated(&fields);
        let expected: Vec<_> = written.iter().map(|(key, data)| (keys[usize::from(*key)], data.as_slice())).collect();
        prop_assert_eq!(records(&data), expected);
    }

    #[test]
    fn arbitrary_messages_are_read_or_rejected_with_a_listed_reason(
        message in proptest::collection::vec(prop_oneof![0_u8..32, any::<u8>()], 0..60),
    ) {
        match AggregatedRecord::read(&aggregated(&[message])) {
            Ok(read) => prop_assert!(read.records().count() > 0),
            Err(rejection) => {
                prop_assert!(Reason::all().any(|reason| reason == rejection.reason));
                prop_assert!(!rejection.message.contains(char::is_control));
            }
        }
    }
}
