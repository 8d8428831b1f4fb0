//! Common producer mistakes, several examples of each kind, with the exact outcome.
use super::*;

/// Kind, record, outcome.
type Case = (&'static str, Vec<u8>, Outcome);

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// User, time in milliseconds, event name, event type, device type, number of adjusted attributes.
    Click(String, u64, [Option<String>; 3], u64),
    /// Reason code and message.
    Rejected(String, String),
}

const MS: u64 = 1_721_390_000_000;

fn outcome(data: &[u8]) -> Outcome {
    match Click::decode(data, LatestBelievable::after_arrival(1_721_390_500_000, 900_000)) {
        Ok(DecodedClick { click, adjusted_attributes, adjusted_columns: 0 }) => {
            let Attributes { event_name, event_type, device_type } = click.attributes;
            let attributes = [event_name, event_type, device_type].map(|text| text.map(Into::into));
            Outcome::Click(click.user_id.as_str().to_owned(), click.time.ms(), attributes, adjusted_attributes)
        }
        Ok(decoded) => panic!("no column is declared: {decoded:?}"),
        Err(rejection) => Outcome::Rejected(rejection.reason.to_string(), rejection.message),
    }
}

fn rejected(code: &str, message: &str) -> Outcome {
    Outcome::Rejected(code.to_owned(), message.to_owned())
}

/// A click of `u` at [`MS`] without attributes.
fn plain_click() -> Outcome {
    click_at(MS)
}

fn click_at(ms: u64) -> Outcome {
    Outcome::Click("u".to_owned(), ms, [None, None, None], 0)
}

/// A click of `u` at [`MS`] whose event name is `name`, adjusted.
fn adjusted(name: Option<&str>) -> Outcome {
    Outcome::Click("u".to_owned(), MS, [name.map(ToOwned::to_owned), None, None], 1)
}

fn with_timestamp(value: &str) -> Vec<u8> {
    format!(r#"{{"user_id":"u","event_timestamp":{value}}}"#).into_bytes()
}

fn with_user(value: &str) -> Vec<u8> {
    format!(r#"{{"user_id":{value},"event_timestamp":{MS}}}"#).into_bytes()
}

/// A click with one more member.
fn with(member: &str) -> Vec<u8> {
    format!(r#"{{"user_id":"u",{member},"event_timestamp":{MS}}}"#).into_bytes()
}

fn utf_16(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(to_bytes).collect()
}

fn base64(data: impl AsRef<[u8]>) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(data)
}

fn times() -> Vec<Case> {
    let in_seconds = |shown: &str, ms: &str, seconds: &str| {
        rejected(
            "event_timestamp_in_seconds",
            &format!(
                "event_timestamp is {shown}: as milliseconds {ms} UTC, before 1973-03-03; as seconds it would be \
                 {seconds} UTC; expected Unix milliseconds"
            ),
        )
    };
    let not_an_integer = |shown: &str| {
        rejected(
            "event_timestamp_not_an_integer",
            &format!("event_timestamp is {shown}, expected Unix milliseconds as an integer or a string of digits"),
        )
    };
    let out_of_range = |shown: &str| {
        rejected(
            "event_timestamp_out_of_range",
            &format!(
                "event_timestamp is {shown}, expected Unix milliseconds from 100000000000 to 253402300799999 \
                 (the end of 9999)"
            ),
        )
    };
    let finer = |shown: &str, unit: &str| {
        rejected(
            "event_timestamp_out_of_range",
            &format!(
                "event_timestamp is {shown}, expected Unix milliseconds from 100000000000 to 253402300799999 \
                 (the end of 9999); as {unit} it would be 2024-07-19 11:53:20 UTC"
            ),
        )
    };
    let cases = [
        ("1721390000", in_seconds("1721390000", "1970-01-20 22:09:50", "2024-07-19 11:53:20")),
        ("\"1721390000\"", in_seconds("\"1721390000\"", "1970-01-20 22:09:50", "2024-07-19 11:53:20")),
        ("1721390000.0", in_seconds("1721390000.0", "1970-01-20 22:09:50", "2024-07-19 11:53:20")),
        ("1.5e1", in_seconds("1.5e1", "1970-01-01 00:00:00", "1970-01-01 00:00:15")),
        ("0", in_seconds("0", "1970-01-01 00:00:00", "1970-01-01 00:00:00")),
        ("-0.0", in_seconds("-0.0", "1970-01-01 00:00:00", "1970-01-01 00:00:00")),
        ("99999999999", in_seconds("99999999999", "1973-03-03 09:46:39", "5138-11-16 09:46:39")),
        ("100000000000", click_at(100_000_000_000)),
        ("1721390000000.0", plain_click()),
        ("1.72139E12", plain_click()),
        ("17213900000000e-1", plain_click()),
        ("1721390000000.000000000000000000000000", plain_click()),
        ("1721390000123.456", not_an_integer("1721390000123.456")),
        ("1721390000000.0000000000000000000001", not_an_integer("1721390000000.0000000000000000000001")),
        ("1721390000.5", in_seconds("1721390000.5", "1970-01-20 22:09:50", "2024-07-19 11:53:20")),
        ("\"1721390000.123\"", in_seconds("\"1721390000.123\"", "1970-01-20 22:09:50", "2024-07-19 11:53:20")),
        ("1721390000000000", finer("1721390000000000", "microseconds")),
        ("\"1721390000000000123\"", finer("\"1721390000000000123\"", "nanoseconds")),
        ("\"1721390000000.0\"", not_an_integer("\"1721390000000.0\"")),
        ("\"2024-07-19T11:53:20Z\"", {
            rejected(
                "event_timestamp_not_an_integer",
                "event_timestamp is \"2024-07-19T11:53:20Z\", expected Unix milliseconds as an integer or a string of \
                 digits; as iso8601 it would be 2024-07-19 11:53:20 UTC",
            )
        }),
        ("\"1721390000000\\ud83d\"", not_an_integer("\"1721390000000\\ud83d\"")),
        ("NaN", not_an_integer("NaN")),
        ("-Infinity", not_an_integer("-Infinity")),
        ("false", not_an_integer("false")),
        ("{\"$numberLong\":\"1\"}", not_an_integer("{\"$numberLong\":\"1\"}")),
        ("-1.0", out_of_range("-1.0")),
        ("253402300799999.9999", not_an_integer("253402300799999.9999")),
        ("253402300800000.0", out_of_range("253402300800000.0")),
        ("\"253402300800000\"", out_of_range("\"253402300800000\"")),
        ("1e400", out_of_range("1e400")),
        ("1e-400", not_an_integer("1e-400")),
    ];
    cases.into_iter().map(|(value, outcome)| ("a time", with_timestamp(value), outcome)).collect()
}

fn attributes() -> Vec<Case> {
    let x = |count: usize| "x".repeat(count);
    let cases = [
        (r#""event_name":404"#.to_owned(), adjusted(Some("404"))),
        (r#""event_name":-0"#.to_owned(), adjusted(Some("0"))),
        (r#""event_name":1.50e3"#.to_owned(), adjusted(Some("1.50e3"))),
        (r#""event_name":true"#.to_owned(), adjusted(Some("true"))),
        (r#""event_name":NaN"#.to_owned(), adjusted(Some("NaN"))),
        (r#""event_name":-Infinity"#.to_owned(), adjusted(Some("-Infinity"))),
        (r#""event_name":["mobile"]"#.to_owned(), adjusted(None)),
        (r#""event_name":{"a":NaN}"#.to_owned(), adjusted(None)),
        (r#""event_name":null"#.to_owned(), plain_click()),
        (format!(r#""event_name":"{}""#, x(257)), adjusted(Some(&x(256)))),
        (format!(r#""event_name":"{}é""#, x(255)), adjusted(Some(&x(255)))),
        (format!(r#""event_name":"{}é""#, x(254)), {
            Outcome::Click("u".to_owned(), MS, [Some(format!("{}é", x(254))), None, None], 0)
        }),
        (format!(r#""event_name":"{}\ud83dx""#, x(254)), adjusted(Some(&x(254)))),
        (format!(r#""event_name":{}"#, "7".repeat(100_000)), adjusted(Some(&"7".repeat(256)))),
        (
            r#""event_name":"","event_type":7,"device_type":["mobile"]"#.to_owned(),
            Outcome::Click("u".to_owned(), MS, [Some(String::new()), Some("7".to_owned()), None], 2),
        ),
    ];
    cases.into_iter().map(|(members, outcome)| ("an attribute", with(&members), outcome)).collect()
}

fn invalid_strings_and_numbers() -> Vec<Case> {
    let kept = |member: &str| ("unpaired surrogate", with(member), plain_click());
    let number = |member: &str| ("Python constant", with(member), plain_click());
    let not_unicode = |shown: &str| {
        rejected("user_id_not_unicode", &format!("user_id is {shown}, which contains an unpaired surrogate"))
    };
    vec![
        ("unpaired surrogate", with(r#""event_name":"search \ud83d""#), adjusted(Some("search \u{fffd}"))),
        ("unpaired surrogate", with(r#""event_name":"\ude00\ud83d\ude00""#), adjusted(Some("\u{fffd}😀"))),
        kept(r#""price":"\ud83d""#),
        kept(r#""items":[{"\udc00":"\ud83dx"}]"#),
        kept(r#""\ud83d":1"#),
        kept(r#""event_name\ud83d":"x""#),
        ("unpaired surrogate", with_user(r#""\ud83d""#), not_unicode(r#""\ud83d""#)),
        ("unpaired surrogate", with_user(r#""é\udfff""#), not_unicode(r#""é\udfff""#)),
        number(r#""price":NaN"#),
        number(r#""price": Infinity ,"x":[-Infinity,{"y":NaN}]"#),
        number(r#""price":NaN,"note":"\", NaN ,""#),
        ("Python constant", with_user("NaN"), {
            rejected("user_id_mistyped", "user_id is NaN, expected a string or an integer")
        }),
        ("Python constant", with_user("-Infinity"), {
            rejected("user_id_mistyped", "user_id is -Infinity, expected a string or an integer")
        }),
        ("Python constant", b"NaN".to_vec(), rejected("not_an_object", "the record is NaN, not a JSON object")),
        ("invalid number", with(r#""price":nan"#), {
            rejected(
                "not_json",
                r#"the record is not JSON; expected ident at line 1 column 25, near: {"user_id":"u","price":nan,"event_timestamp":172…"#,
            )
        }),
        ("invalid number", with(r#""price":1NaN"#), {
            rejected(
                "not_json",
                r#"the record is not JSON; expected `,` or `}` at line 1 column 25, near: {"user_id":"u","price":1NaN,"event_timestamp":17…"#,
            )
        }),
    ]
}

fn users() -> Vec<Case> {
    let placeholder = |value: &'static str| {
        let message =
            format!("user_id is {value}, a placeholder; accepting it would merge unrelated people into one user");
        ("a placeholder", with_user(value), rejected("user_id_placeholder", &message))
    };
    let click_of = |value: &str, user: &str| {
        ("a user", with_user(value), Outcome::Click(user.to_owned(), MS, [None, None, None], 0))
    };
    let mistyped = |value: &'static str| {
        let message = format!("user_id is {value}, expected a string or an integer");
        ("a mistyped user", with_user(value), rejected("user_id_mistyped", &message))
    };
    vec![
        placeholder("\" \""),
        placeholder("\"\u{a0}\u{3000} \""),
        ("a placeholder", with_user(r#""\t\u001f""#), {
            let shown = r#""\u0009\u001f""#;
            let message =
                format!("user_id is {shown}, a placeholder; accepting it would merge unrelated people into one user");
            rejected("user_id_placeholder", &message)
        }),
        placeholder("\"undefined\""),
        placeholder("\"null\""),
        placeholder("\"NaN\""),
        placeholder("\"None\""),
        placeholder("\"[object Object]\""),
        click_of("\"Undefined\"", "Undefined"),
        click_of("\"nan\"", "nan"),
        click_of("\" null\"", " null"),
        click_of("\"0\"", "0"),
        mistyped("4711.0"),
        mistyped("1e3"),
        mistyped("true"),
        mistyped("[\"u\"]"),
        mistyped("{\"id\":4711}"),
    ]
}

fn other_formats() -> Vec<Case> {
    let json = std::str::from_utf8(br#"{"user_id":"u","event_timestamp":1721390000000}"#).expect("ASCII");
    let uncompressed = "send records uncompressed";
    let utf_16_hint = "it looks like UTF-16; encode records as UTF-8";
    let inner = "send plain JSON, the SDK encodes it for transport";
    let case = |kind, data: Vec<u8>, code: &str, message: String| (kind, data, rejected(code, &message));
    vec![
        case(
            "gzip",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV*-N-\x8a\xcfLQ\xb2R*U\xd2".to_vec(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 1; it looks like gzip; {uncompressed}"),
        ),
        case(
            "zlib",
            b"\x78\x9c\xabV*-N-\x8a\xcfLQ\xb2R*U\xd2".to_vec(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 1; it looks like zlib; {uncompressed}"),
        ),
        case(
            "zlib, stored",
            b"\x78\x01\x01\x01\x00\xfe\xffx".to_vec(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 5; it looks like zlib; {uncompressed}"),
        ),
        case(
            "zlib that happens to be UTF-8",
            b"\x78\x01\x03\x00\x00\x00\x00\x01".to_vec(),
            "not_json",
            format!(
                "the record is not JSON; it looks like zlib; {uncompressed}; expected value at line 1 column 1, \
                 near: x\\u0001\\u0003\\u0000\\u0000\\u0000\\u0000\\u0001"
            ),
        ),
        case(
            "zstd",
            b"\x28\xb5\x2f\xfd\x04\x58\x81\x01\x00".to_vec(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 1; it looks like zstd; {uncompressed}"),
        ),
        case(
            "UTF-16 with a byte order mark",
            [b"\xff\xfe".to_vec(), utf_16(json, u16::to_le_bytes)].concat(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 0; {utf_16_hint}"),
        ),
        case(
            "big-endian UTF-16 with a byte order mark",
            [b"\xfe\xff".to_vec(), utf_16(json, u16::to_be_bytes)].concat(),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 0; {utf_16_hint}"),
        ),
        case(
            "UTF-16 without a byte order mark",
            utf_16(json, u16::to_le_bytes),
            "not_json",
            format!(
                "the record is not JSON; {utf_16_hint}; key must be a string at line 1 column 2, near: \
                 {{\\u0000\"\\u0000u\\u0000s\\u0000e\\u0000r\\u0000_\\u0000i\\u0000d\\u0000\"\\u0000:\\u0000\"\\u0000u…"
            ),
        ),
        case(
            "big-endian UTF-16 without a byte order mark",
            utf_16("{}", u16::to_be_bytes),
            "not_json",
            format!(
                "the record is not JSON; {utf_16_hint}; expected value at line 1 column 1, near: \\u0000{{\\u0000}}"
            ),
        ),
        case(
            "UTF-16 without a byte order mark, beyond ASCII",
            utf_16("{\"user_id\":\"\u{fffd}\"}", u16::to_le_bytes),
            "not_utf8",
            format!("the record is not valid UTF-8 at byte 24; {utf_16_hint}"),
        ),
        case(
            "UTF-32",
            "{}".chars().flat_map(|char| u32::from(char).to_le_bytes()).collect(),
            "not_json",
            "the record is not JSON; it looks like UTF-32; encode records as UTF-8; key must be a string at line 1 \
             column 2, near: {\\u0000\\u0000\\u0000}\\u0000\\u0000\\u0000"
                .to_owned(),
        ),
        case(
            "base64",
            base64(json).into_bytes(),
            "not_json",
            format!(
                "the record is not JSON; it looks like base64-encoded JSON; {inner}; expected value at line 1 column 1, \
                 near: eyJ1c2VyX2lkIjoidSIsImV2…"
            ),
        ),
        case(
            "base64 in lines",
            format!("{}\r\n{}", &base64(json)[..20], &base64(json)[20..]).into_bytes(),
            "not_json",
            format!(
                "the record is not JSON; it looks like base64-encoded JSON; {inner}; expected value at line 1 column 1, \
                 near: eyJ1c2VyX2lkIjoidSIs  Im…"
            ),
        ),
        case(
            "base64 as a JSON string",
            format!("\"{}\"", base64("[{}]")).into_bytes(),
            "not_an_object",
            format!(
                "the record is \"W3t9XQ==\", not a JSON object; it looks like base64-encoded JSON; {inner}"
            ),
        ),
        case(
            "base64 within base64",
            base64(base64(json)).into_bytes(),
            "not_json",
            format!(
                "the record is not JSON; it looks like doubly base64-encoded JSON; {inner}; expected value at line 1 \
                 column 1, near: ZXlKMWMyVnlYMmxrSWpvaWRT…"
            ),
        ),
        case(
            "base64 of gzip",
            base64(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03").into_bytes(),
            "not_json",
            "the record is not JSON; it looks like base64-encoded compressed data; send plain JSON, uncompressed; \
             expected value at line 1 column 1, near: H4sIAAAAAAAAAw=="
                .to_owned(),
        ),
        case(
            "CSV",
            b"user1,1721390000000,search\nuser2,1721390000001,view\n".to_vec(),
            "not_json",
            "the record is not JSON; it looks like CSV; send each click as a JSON object; expected value at line 1 \
             column 1, near: user1,1721390000000,sear…"
                .to_owned(),
        ),
        case(
            "CSV of two fields",
            b"user1;1721390000000".to_vec(),
            "not_json",
            "the record is not JSON; it looks like CSV; send each click as a JSON object; expected value at line 1 \
             column 1, near: user1;1721390000000"
                .to_owned(),
        ),
        case(
            "CSV whose first field is JSON",
            b"\"user1\";\"1721390000000\";\"search\"".to_vec(),
            "not_json",
            "the record is not JSON; it looks like CSV; send each click as a JSON object; trailing characters at line 1 \
             column 8, near: \"user1\";\"1721390000000\";\"search…"
                .to_owned(),
        ),
        case(
            "JSON with a trailing comma",
            b" {\"a\":1,\"b\":2,\"c\":3,}".to_vec(),
            "not_json",
            "the record is not JSON; trailing comma at line 1 column 21, near:  {\"a\":1,\"b\":2,\"c\":3,}".to_owned(),
        ),
        case(
            "text",
            b"hello".to_vec(),
            "not_json",
            "the record is not JSON; expected value at line 1 column 1, near: hello".to_owned(),
        ),
        case("an empty record", Vec::new(), "not_json", "the record is not JSON; EOF while parsing a value at line 1 column 0".to_owned()),
        case(
            "truncated JSON",
            "{\"user_id\":\n\"é".as_bytes().to_vec(),
            "not_json",
            "the record is not JSON; EOF while parsing a string at line 2 column 3, near: {\"user_id\": \"é".to_owned(),
        ),
        case(
            "other bytes",
            b"{\"user_id\":\"J\xfcrgen\"}".to_vec(),
            "not_utf8",
            "the record is not valid UTF-8 at byte 13".to_owned(),
        ),
    ]
}

fn several_in_one_record() -> Vec<Case> {
    let several = |data: &[u8], offset: u32| {
        let message =
            format!("the record contains several JSON values, the second at byte {offset}; send one click per record");
        ("several values", data.to_vec(), rejected("not_json", &message))
    };
    vec![
        several(br#"{"user_id":"u"}{"user_id":"v"}"#, 15),
        several(b"{\"price\":NaN}\n{\"price\":NaN}\n", 14),
        several(br#"{"user_id":"u"},[]"#, 16),
        ("an array", br#"[{"user_id":"u"},{"user_id":"v"}]"#.to_vec(), {
            rejected(
                "not_an_object",
                r#"the record is [{"user_id":"u"},{"user_id":"v"}], not a JSON object; send one click per record"#,
            )
        }),
        ("JSON encoded twice", br#""{\"user_id\":\"u\"}""#.to_vec(), {
            rejected(
                "not_an_object",
                r#"the record is "{\"user_id\":\"u\"}", not a JSON object; it looks like JSON encoded twice; send the object itself"#,
            )
        }),
        ("an aggregated record", b"\xf3\x89\x9a\xc2\x0a\x01a".to_vec(), {
            rejected(
                "aggregated_record",
                "the record was aggregated by the Kinesis Producer Library; turn aggregation off in the producer \
                 (AggregationEnabled=false)",
            )
        }),
    ]
}

fn envelopes() -> Vec<Case> {
    let case = |kind, json: &str, keys: &str| {
        let message = format!("user_id is required but missing; the record{keys}");
        (kind, json.as_bytes().to_vec(), rejected("user_id_missing", &message))
    };
    vec![
        case(
            "EventBridge",
            r#"{"version":"0","id":"1","detail-type":"click","source":"shop","account":"1","time":"2024-07-19T11:53:20Z","region":"r","resources":[],"detail":{"user_id":"u"}}"#,
            r#"'s keys are "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail""#,
        ),
        case(
            "SNS",
            r#"{"Type":"Notification","MessageId":"1","TopicArn":"a","Message":"{\"user_id\":\"u\"}","Timestamp":"t"}"#,
            r#"'s keys are "Type", "MessageId", "TopicArn", "Message", "Timestamp""#,
        ),
        case(
            "Segment",
            r#"{"type":"track","userId":"u","event":"search","properties":{"price":NaN},"timestamp":"t"}"#,
            r#"'s keys are "type", "userId", "event", "properties", "timestamp""#,
        ),
        case(
            "PostHog",
            r#"{"event":"$pageview","distinct_id":"u","properties":{}}"#,
            r#"'s keys are "event", "distinct_id", "properties""#,
        ),
        case(
            "change data capture",
            r#"{"before":null,"after":{"user_id":"u"},"op":"c","ts_ms":1}"#,
            r#"'s keys are "before", "after", "op", "ts_ms""#,
        ),
        case(
            "many keys",
            r#"{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1}"#,
            r#"'s keys are "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" and 2 more"#,
        ),
        case(
            "odd keys",
            "{\"\\ud83d\\u001b[2J\":1,\"\":1,\"clé_beaucoup_trop_longue_pour_un_message\":1}",
            "'s keys are \"\u{fffd}\\u001b[2J\", \"\", \"clé_beaucoup_trop_longue_pour_un\"… (41 bytes)",
        ),
        case("an empty object", "{}", " has no keys"),
        ("another name for the time", br#"{"user_id":"u","timestamp":1721390000000}"#.to_vec(), {
            rejected(
                "event_timestamp_missing",
                r#"event_timestamp is required but missing; the record's keys are "user_id", "timestamp""#,
            )
        }),
    ]
}

#[test]
fn each_producer_mistake_becomes_the_expected_click_or_rejection() {
    let kinds = [
        times(),
        attributes(),
        invalid_strings_and_numbers(),
        users(),
        other_formats(),
        several_in_one_record(),
        envelopes(),
    ];
    let wrong: Vec<_> = kinds
        .into_iter()
        .flatten()
        .map(|(kind, data, expected)| (kind, outcome(&data), expected, data))
        .filter(|(_, actual, expected, _)| actual != expected)
        .map(|(kind, actual, expected, data)| {
            let data = String::from_utf8_lossy(&data[..data.len().min(200)]).into_owned();
            format!("{kind}: {data}\n  expected {expected:?}\n  but got  {actual:?}\n")
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
