//! How records are taken apart.
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::click::LatestBelievable;
use crate::field_path::FieldPath;

const LATEST: fn() -> LatestBelievable = || LatestBelievable::after_arrival(1_721_390_125_000, 900_000);

/// A click of this user.
fn click(user: &str) -> String {
    format!(r#"{{"user_id":"{user}","event_timestamp":1721390000000}}"#)
}

/// What each value of the record is: the user, or the reason code; and its bytes.
fn values(data: &[u8]) -> Vec<(String, Range<usize>)> {
    let format = ClickFormat::default();
    let shown = |value: RecordValue| match value.decoded {
        Ok(Decoded::Click(decoded)) => (decoded.click.user_id.as_str().to_owned(), value.bytes),
        Ok(Decoded::Filtered) => panic!("the default format filters nothing"),
        Err(rejection) => (rejection.reason.to_string(), value.bytes),
    };
    format.values(data, LATEST()).map(shown).collect()
}

/// `record` with `C`, `D` and `E` replaced by clicks of the users c, d and e.
fn with_clicks(record: &str) -> String {
    ["C", "D", "E"].iter().fold(record.to_owned(), |record, name| record.replace(name, &click(&name.to_lowercase())))
}

/// Each value of `record`, as in [`values`], with its text in place of its bytes if it is not a click.
fn outcomes(record: &str) -> Vec<String> {
    let record = with_clicks(record);
    let shown = |(outcome, bytes): (String, Range<usize>)| match outcome.len() {
        1 => outcome,
        _ => format!("{outcome}: {}", &record[bytes]),
    };
    values(record.as_bytes()).into_iter().map(shown).collect()
}

#[test]
fn values_may_be_joined_in_any_way() {
    for record in [
        "CDE",
        "C\nD\nE",
        "C\nD\nE\n",
        "C\r\nD\r\nE\r\n",
        "C,D,E",
        "C,\nD,\nE,\n",
        " C\t D ,E ",
        "\u{feff}CDE",
        "C\u{feff}D\n\u{feff}E",
        "[C,D,E]",
        "[CDE]",
        " [ C ,\n D , E ]\n",
        "\u{feff}[C,D,E]",
        "[C]\n[D,E]",
        "C[D],E",
        "[C,D,E",
    ] {
        assert_eq!(outcomes(record), ["c", "d", "e"], "{record}");
    }
}

#[test]
fn bytes_are_those_of_the_value_or_of_the_whole_record() {
    let (c, d) = (click("c"), click("d"));
    let record = format!(" [{c} ,\n{d}]");
    let expected = [("c".to_owned(), 2..2 + c.len()), ("d".to_owned(), 5 + c.len()..5 + c.len() + d.len())];
    assert_eq!(values(record.as_bytes()), expected);
    for record in [c.clone(), format!("\u{feff} {c}\n"), format!("[{c}],"), "[ {} ]".to_owned(), " x".to_owned()] {
        let [(_, bytes)] = &values(record.as_bytes())[..] else { panic!("{record}") };
        assert_eq!(*bytes, 0..record.len(), "{record}");
    }
}

#[test]
fn invalid_values_cost_the_others_nothing() {
    for (record, expected) in [
        // Objects that are not clicks.
        ("C{}D", &["c", "user_id_missing: {}", "d"][..]),
        ("[{},C,{\"user_id\":null}]", &["user_id_missing: {}", "c", "user_id_null: {\"user_id\":null}"]),
        // Other values.
        ("C[1,2]D", &["c", "not_an_object: [1,2]", "d"]),
        ("C\n[]\nD", &["c", "not_an_object: []", "d"]),
        ("[C,[D],E]", &["c", "not_an_object: [D]", "e"]),
        ("[C,[[D]],E]", &["c", "not_an_object: [[D]]", "e"]),
        ("C null,D", &["c", "not_an_object: null", "d"]),
        ("\"x\"C-1.5e3[D]NaN", &["not_an_object: \"x\"", "c", "not_an_object: -1.5e3", "d", "not_an_object: NaN"]),
        ("[null,C,true]", &["not_an_object: null", "c", "not_an_object: true"]),
        // Broken JSON costs what remains of the line.
        ("C\n{\"a\":\nD\nE", &["c", "not_json: {\"a\":", "d", "e"]),
        ("C\n{\"a\":\"\nD\nE", &["c", "not_json: {\"a\":\"", "d", "e"]),
        ("C\n{\"a\":[[{\nD\nE", &["c", "not_json: {\"a\":[[{", "d", "e"]),
        ("C\nD}\nE", &["c", "d", "not_json: }", "e"]),
        ("oops\nC\nD", &["not_json: oops", "c", "d"]),
        ("C 1 2 D\nE", &["c", "not_json: 1 2 D", "e"]),
        ("C{oops}D\nE", &["c", "not_json: {oops}D", "e"]),
        ("C{oops}D", &["c", "not_json: {oops}D"]),
        ("C\n{\"a\":", &["c", "not_json: {\"a\":"]),
        ("C\0", &["c", "not_json: \0"]),
        ("[C,\n{oops},\nD\n]", &["c", "not_json: {oops}", "d"]),
        ("[C,\n{oops}\n]", &["c", "not_json: {oops}\n]"]),
        // A line is only what begins with an object; an object over several lines stays whole.
        ("C\n{oops\n  {}\n D\nE", &["c", "not_json: {oops\n  {}\n D", "e"]),
        (
            "{oops\n{\n  \"a\": {\n    \"b\": 1\n  }\n}\nC",
            &["not_json: {oops", "user_id_missing: {\n  \"a\": {\n    \"b\": 1\n  }\n}", "c"],
        ),
    ] {
        let expected = expected.iter().map(|it| if it.len() == 1 { (*it).to_owned() } else { with_clicks(it) });
        assert_eq!(outcomes(record), expected.collect::<Vec<_>>(), "{record}");
    }
}

#[test]
fn record_that_is_nothing_but_one_invalid_value_is_rejected_as_a_whole() {
    for (record, code) in [
        ("", "not_json"),
        (" \n", "not_json"),
        (",", "not_json"),
        ("]", "not_json"),
        ("[", "not_json"),
        ("[]", "not_an_object"),
        (" [ ]\n", "not_an_object"),
        ("[1,2]", "not_an_object"),
        ("[[{}]]", "not_an_object"),
        ("[1", "not_json"),
        ("null", "not_an_object"),
        ("{}", "user_id_missing"),
        ("{", "not_json"),
        ("4711,1721390000000,\"search\"\n4712,1721390000001,\"view\"", "not_json"),
        ("\"user1\";\"1721390000000\"", "not_json"),
        ("hello, world", "not_json"),
    ] {
        assert_eq!(values(record.as_bytes()), [(code.to_owned(), 0..record.len())], "{record:?}");
    }
    for data in [&b"\x1f\x8b\x08\x00\n{\n{\xff"[..], b"\xff\xfe{\0}\0", b"\xf3\x89\x9a\xc2\n{}", b"user1,J\xfcrgen\n{}"]
    {
        assert_eq!(values(data).len(), 1, "{data:?}");
    }
}

#[test]
fn messages_of_a_lone_value_are_those_of_a_record_and_others_name_the_place() {
    let message = |record: &str, place: usize| {
        let values: Vec<_> = ClickFormat::default().values(record.as_bytes(), LATEST()).collect();
        values[place].decoded.clone().unwrap_err().message
    };
    for record in ["{}", "{oops", "42", " {\"user_id\":1.5}\n", "user1,1721390000000,x", "\"eyJhIjoxfQ==\"", ""] {
        let alone = crate::click::Click::decode(record.as_bytes(), LATEST()).unwrap_err().message;
        assert_eq!(message(record, 0), alone);
    }
    assert_eq!(message("[]", 0), "the record is [], not a JSON object; an array of clicks must contain objects");
    let record = with_clicks("C {}42{\"user_id\":NaN}[1]\n{oops\n{\"user_id\":\"u\"}");
    for (place, expected) in [
        (1, "at byte 48: user_id is required but missing; the value has no keys"),
        (2, "at byte 50: the value is 42, not a JSON object"),
        (3, "at byte 52: user_id is NaN, expected a string or an integer"),
        (4, "at byte 67: the value is [1], not a JSON object; an array of clicks must contain objects"),
        (5, "at byte 71: the value is not JSON; key must be a string at line 1 column 2, near: {oops"),
        (6, "at byte 77: event_timestamp is required but missing; the value's keys are \"user_id\""),
    ] {
        assert_eq!(message(&record, place), expected);
    }
}

#[test]
fn invalid_characters_cost_their_line() {
    let (c, d) = (click("c"), click("d"));
    let mut record = format!("{c}\n").into_bytes();
    record.extend_from_slice(b"{\"name\":\"J\xfcrgen\"}\n");
    record.extend_from_slice(d.as_bytes());
    let broken = c.len() + 1..c.len() + 18;
    let expected = [("c", 0..c.len()), ("not_utf8", broken.clone()), ("d", broken.end + 1..record.len())];
    assert_eq!(values(&record), expected.map(|(outcome, bytes)| (outcome.to_owned(), bytes)));
}

#[test]
fn pythons_constants_are_rewritten_in_each_value() {
    let odd = |user: &str| format!(r#"{{"user_id":"{user}","x":NaN,"note":" NaN ","event_timestamp":1721390000000}}"#);
    let record = format!("{}\n{{\"a\":\"\n{}\n{}", odd("c"), odd("d"), odd("e"));
    let found = values(record.as_bytes());
    assert_eq!(found.iter().map(|(it, _)| it.as_str()).collect::<Vec<_>>(), ["c", "not_json", "d", "e"]);
    let fields = crate::click_format::ClickFields {
        event_name: FieldPath::parse("note").unwrap(),
        event_type: FieldPath::parse("x").unwrap(),
        ..Default::default()
    };
    let format = ClickFormat::new(fields, Default::default(), Default::default()).unwrap();
    for value in format.values(record.as_bytes(), LATEST()).filter(|value| value.decoded.is_ok()) {
        let Ok(Decoded::Click(decoded)) = value.decoded else { unreachable!("it is neither rejected nor filtered") };
        assert_eq!(decoded.click.attributes.event_name.as_deref(), Some(" NaN "));
        assert_eq!(decoded.click.attributes.event_type.as_deref(), Some("NaN"));
    }
}

/// Each takes less than a second. With work that grows with the square of the length, the first ones take minutes.
#[test]
fn work_is_linear_whatever_the_record_contains() {
    let click = click("c");
    for (unit, least) in [
        ("{\"a\":[\n", 25_000),
        ("{\"a\":\"\n", 25_000),
        ("{\"a\":NaN,\n", 20_000),
        ("{}", 125_000),
        ("{\n", 125_000),
        ("[", 1),
        ("[{", 1),
        ("[1,", 1),
        ("[1,{", 1),
        ("1 ", 1),
        ("1,{", 1),
        ("1{}", 150_000),
        ("\"\"", 1),
        ("\u{feff}", 1),
        ("NaN", 1),
        ("]{}", 1),
        (&format!("{click}{click}\n{{"), 2_500),
        (&format!("{click} "), 5_000),
    ] {
        let record = unit.repeat((1 << 18) / unit.len());
        let begin = Instant::now();
        let count = ClickFormat::default().values(record.as_bytes(), LATEST()).count();
        assert!(begin.elapsed() < Duration::from_secs(30), "{unit}: {:?}", begin.elapsed());
        assert!(count >= least && count <= record.len(), "{unit}: {count}");
    }
}

/// Text in pieces that matter here.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"{"[..],
        b"}",
        b"[",
        b"]",
        b",",
        b"\n",
        b" ",
        b"\"",
        b":",
        b"1",
        b"null",
        b"NaN",
        b"\xff",
        b"\\",
        b"\xef\xbb\xbf",
        b"\n{",
        b"{}",
        b"[]",
        b"\"a\"",
        br#"{"user_id":"u","event_timestamp":1721390000000}"#,
        b"{\"a\":",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_way_of_joining_clicks_gives_the_same_clicks(
        // For each user: what comes before it, and whether an array contains it.
        users in prop::collection::vec(("[a-z\"\\[{}]{1,4}", "[ \n\r\t,]{0,3}", any::<bool>(), any::<bool>()), 1..20),
    ) {
        let (mut record, mut is_open) = (String::new(), false);
        let mut expected = Vec::new();
        for (user, separator, opens, closes) in users {
            record.push_str(&separator);
            if opens && !is_open {
                record.push('[');
                is_open = true;
            }
            record.push_str(&click(&user.replace('"', "\\\"")));
            if closes && is_open {
                record.push(']');
                is_open = false;
            }
            expected.push(user);
        }
        let found: Vec<_> = values(record.as_bytes()).into_iter().map(|(user, _)| user).collect();
        prop_assert_eq!(found, expected, "{}", record);
    }

    #[test]
    fn values_are_in_order_and_do_not_overlap(data in pieces()) {
        let found: Vec<_> = ClickFormat::default().values(&data, LATEST()).collect();
        prop_assert!(!found.is_empty());
        let mut end = 0;
        for RecordValue { bytes, decoded } in &found {
            prop_assert!(end <= bytes.start && bytes.end <= data.len(), "{bytes:?}");
            prop_assert!(bytes.start < bytes.end || data.is_empty());
            end = bytes.end;
            let alone = ClickFormat::default().decode_one(&data[bytes.clone()], LATEST());
            match decoded {
                Ok(_) if found.len() > 1 => prop_assert_eq!(decoded, &alone),
                Ok(_) => {}
                Err(rejection) => {
                    prop_assert!(!rejection.message.contains(char::is_control), "{:?}", rejection.message);
                    prop_assert!(Reason::all().any(|reason| reason == rejection.reason));
                }
            }
        }
        // What belongs to no value separates values.
        let mut rest = data.clone();
        found.iter().for_each(|value| rest[value.bytes.clone()].fill(b' '));
        prop_assert!(rest.iter().all(|byte| b" ,\n\r\t[]\xef\xbb\xbf".contains(byte)), "{:?}", String::from_utf8_lossy(&rest));
    }
}
