//! Which records are clicks, which are rejected, and why.
use proptest::prelude::*;

use super::*;
use crate::limits::MIN_CLICK_TIME_MS;
use crate::rejection::Reason;

const ARRIVAL_MS: u64 = 1_721_390_500_000;
const SKEW_MS: u64 = 3_600_000;

fn decode(data: &[u8]) -> Result<Click, Rejection> {
    let latest = LatestBelievable::after_arrival(ARRIVAL_MS, SKEW_MS);
    Click::decode(data, latest).map(|decoded| decoded.click)
}

fn click(json: &str) -> Click {
    decode(json.as_bytes()).unwrap_or_else(|rejection| panic!("{json}: {rejection:?}"))
}

fn rejection(data: impl AsRef<[u8]>) -> Rejection {
    let data = data.as_ref();
    decode(data).expect_err(&String::from_utf8_lossy(data))
}

fn code(data: impl AsRef<[u8]>) -> String {
    rejection(data).reason.to_string()
}

fn with_user(value: &str) -> String {
    format!(r#"{{"user_id":{value},"event_timestamp":1721390000000}}"#)
}

fn with_timestamp(value: &str) -> String {
    format!(r#"{{"user_id":"u","event_timestamp":{value}}}"#)
}

#[test]
fn decodes_the_click_of_the_walkthrough() {
    let json = r#"{"user_id":"user1","event_timestamp":"1721390000000","event_name":"search","event_type":"click","device_type":"desktop"}"#;
    let expected = Click {
        user_id: UserId::new("user1").expect("valid"),
        time: EventTime::from_ms(1_721_390_000_000).expect("valid"),
        attributes: Attributes {
            event_name: Some("search".into()),
            event_type: Some("click".into()),
            device_type: Some("desktop".into()),
        },
        columns: Default::default(),
    };
    assert_eq!(click(json), expected);
}

#[test]
fn attributes_may_be_missing_or_null_and_other_fields_are_ignored() {
    let json =
        r#" {"x":[{"y":1e999}],"user_id":"u","event_timestamp":1721390000000,"event_name":null,"z":{"user_id":"no"}} "#;
    assert_eq!(click(json).attributes, Attributes::default());
    assert_eq!(click(json).user_id.as_str(), "u");
}

#[test]
fn integer_user_ids_become_their_digits() {
    for (value, expected) in [
        ("12345", "12345"),
        ("-7", "-7"),
        ("-0", "0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ] {
        assert_eq!(click(&with_user(value)).user_id.as_str(), expected);
    }
}

#[test]
fn user_ids_have_1_to_256_characters_not_bytes() {
    let longest = "中".repeat(256);
    assert_eq!(click(&with_user(&format!("\"{longest}\""))).user_id.as_str(), longest);
    assert_eq!(code(with_user(&format!("\"{longest}x\""))), "user_id_too_long");
    assert_eq!(code(with_user(&"1".repeat(257))), "user_id_too_long");
    assert_eq!(code(with_user("\"\"")), "user_id_empty");
}

#[test]
fn escapes_are_resolved_in_keys_and_values() {
    assert_eq!(
        click(r#"{"user\u005fid":"a\"b\\\/\u00e9\ud83d\ude00","event_timestamp":1721390000000}"#).user_id.as_str(),
        "a\"b\\/é😀"
    );
}

#[test]
fn if_a_field_appears_twice_the_last_value_wins() {
    assert_eq!(click(r#"{"user_id":null,"event_timestamp":1721390000000,"user_id":"b"}"#).user_id.as_str(), "b");
    assert_eq!(code(r#"{"user_id":"b","event_timestamp":1721390000000,"user_id":null}"#), "user_id_null");
}

#[test]
fn byte_order_mark_is_ignored() {
    assert_eq!(click("\u{feff}{\"user_id\":\"u\",\"event_timestamp\":1721390000000}").time.ms(), 1_721_390_000_000);
}

#[test]
fn timestamps_are_whole_numbers_or_strings_of_digits_from_1973_to_9999() {
    for (value, ms) in [
        ("100000000000", 100_000_000_000),
        ("\"0001721390000000\"", 1_721_390_000_000),
        ("1721390000000", 1_721_390_000_000),
        ("1721390000000.0", 1_721_390_000_000),
    ] {
        assert_eq!(click(&with_timestamp(value)).time.ms(), ms);
    }
    for value in [
        "-1",
        "-1.0",
        "1e400",
        "253402300800000",
        "253402300800000.0",
        "\"253402300800000\"",
        "99999999999999999999999999",
        "\"99999999999999999999999999\"",
    ] {
        assert_eq!(code(with_timestamp(value)), "event_timestamp_out_of_range", "{value}");
    }
    for value in [
        "1721390000123.456",
        "1e-3",
        "true",
        "[]",
        "{}",
        "\"\"",
        "\"-1\"",
        "\"+1\"",
        "\" 1\"",
        "\"1721390000000.0\"",
        "\"soon\"",
        "\"١\"",
    ] {
        assert_eq!(code(with_timestamp(value)), "event_timestamp_not_an_integer", "{value}");
    }
}

#[test]
fn clicks_are_accepted_up_to_the_clock_skew_after_their_arrival() {
    let latest = ARRIVAL_MS + SKEW_MS;
    assert_eq!(click(&with_timestamp(&latest.to_string())).time.ms(), latest);
    let rejection = rejection(with_timestamp(&(latest + 1).to_string()));
    assert_eq!(rejection.reason.to_string(), "event_timestamp_in_the_future");
    for part in [(latest + 1).to_string(), ARRIVAL_MS.to_string(), "3600 s".to_owned()] {
        assert!(rejection.message.contains(&part), "{part} is not in: {}", rejection.message);
    }
}

#[test]
fn each_fault_has_its_own_code() {
    let cases: [(&[u8], &str); 18] = [
        (b"\xff\xfe", "not_utf8"),
        (b"{\"user_id\":\"\xed\xa0\x80\",\"event_timestamp\":1721390000000}", "not_utf8"),
        (b"\xf3\x89\x9a\xc2\x0a\x01a", "aggregated_record"),
        (b"", "not_json"),
        (b" ", "not_json"),
        (b"hello", "not_json"),
        (b"{", "not_json"),
        (b"{\"user_id\":\"u\",\"event_timestamp\":1721390000000}{}", "not_json"),
        (b"{\"user_id\":\"u\",\"event_timestamp\":1721390000000,}", "not_json"),
        (b"[]", "not_an_object"),
        (b"42", "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "user_id_missing"),
        (b"{\"user_id\":null}", "user_id_null"),
        (b"{\"user_id\":true,\"event_timestamp\":1721390000000}", "user_id_mistyped"),
        (b"{\"user_id\":1.5,\"event_timestamp\":1721390000000}", "user_id_mistyped"),
        (b"{\"user_id\":\"u\"}", "event_timestamp_missing"),
        (b"{\"user_id\":\"u\",\"event_timestamp\":null}", "event_timestamp_null"),
    ];
    for (data, expected) in cases {
        assert_eq!(code(data), expected, "{}", String::from_utf8_lossy(data));
    }
}

#[test]
fn deep_nesting_uses_no_stack() {
    let deep = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    assert_eq!(code(&deep), "not_an_object");
    assert_eq!(
        click(&format!(r#"{{"x":{deep},"user_id":"u","event_timestamp":1721390000000}}"#)).time.ms(),
        1_721_390_000_000
    );
    assert_eq!(code(with_user(&deep)), "user_id_mistyped");
    assert_eq!(code("{\"a\":".repeat(500_000)), "not_json");
}

#[test]
fn messages_truncate_long_values() {
    let message = rejection(with_user(&format!("\"{}\"", "x".repeat(100_000)))).message;
    assert!(message.len() < 500 && message.contains("256") && message.contains("100000"), "{message}");
}

/// Bytes that resemble a click.
fn almost_a_click() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just("null".to_owned()),
        "[0-9]{1,30}",
        "\"[0-9]{0,20}\"",
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        "-?[0-9]{1,15}(\\.[0-9]{1,3})?([eE][+-]?[0-9]{1,3})?",
        "\"(\\\\ud[89a-f][0-9a-f]{2}|[a-z]|\\\\[nu\"])*\"",
        "\"[a-zé中😀]{0,300}\"",
        prop::sample::select(vec!["NaN", "Infinity", "-Infinity", "\"undefined\"", "\"  \"", "[NaN]", "{}"])
            .prop_map(ToOwned::to_owned),
    ];
    let key = prop_oneof![Just("user_id"), Just("event_timestamp"), Just("event_name"), Just("other"), Just("\\ud83d")];
    let object = prop::collection::vec((key, value), 0..6).prop_map(|fields| {
        let fields: Vec<_> = fields.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", fields.join(",")).into_bytes()
    });
    (object, any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(|(mut bytes, index, byte, spoil)| {
        if spoil {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn arbitrary_bytes_are_a_click_or_a_rejection(data in prop_oneof![prop::collection::vec(any::<u8>(), 0..200), almost_a_click()]) {
        match decode(&data) {
            Ok(click) => {
                prop_assert!((1..=256).contains(&click.user_id.as_str().chars().count()));
                prop_assert!(!click.user_id.is_placeholder());
                prop_assert!((MIN_CLICK_TIME_MS..=ARRIVAL_MS + SKEW_MS).contains(&click.time.ms()));
                prop_assert!(click.attributes.len_bytes() <= 3 * 256);
            }
            Err(rejection) => {
                prop_assert!(!rejection.message.is_empty() && rejection.message.len() < 4_096);
                prop_assert!(!rejection.message.contains(char::is_control), "{:?}", rejection.message);
                prop_assert!(Reason::all().any(|reason| reason == rejection.reason), "{:?}", rejection.reason);
            }
        }
    }
}

#[test]
fn user_id_is_found_in_records_that_are_no_clicks() {
    let user = |data: &str| DEFAULT_FORMAT.user_id_in(data.as_bytes()).map(|user_id| user_id.as_str().to_owned());
    let cases = [
        (r#"{"user_id":"u1","event_timestamp":"soon"}"#, Some("u1")),
        (r#"{"user_id":7}"#, Some("7")),
        (r#"{"user_id":"undefined","event_timestamp":1721390000000}"#, Some("undefined")),
        (r#"{"user_id":"u1","session_id":"u2_0","status":"odd"}"#, Some("u1")),
        (r#"{"userId":"u1"}"#, None),
        (r#"{"user_id":"u1","event_na"#, None),
        ("u1", None),
    ];
    for (data, expected) in cases {
        assert_eq!(user(data).as_deref(), expected, "{data}");
    }
}
