//! Fields by path, and the filter.
use crate::event_filter::EventNames;

use super::*;

const ARRIVAL_MS: u64 = 1_721_390_500_000;

fn path(text: &str) -> FieldPath {
    FieldPath::parse(text).unwrap()
}

fn format(user_id: &str, event_name: &str, filter: EventFilter) -> ClickFormat {
    let user_id = FieldPath::parse_list(user_id).unwrap();
    let fields = ClickFields { user_id, event_name: path(event_name), ..ClickFields::default() };
    ClickFormat::new(fields, TimestampFormat::Arrival, filter).unwrap()
}

fn decode(format: &ClickFormat, json: &str) -> Result<Decoded, Rejection> {
    format.decode_one(json.as_bytes(), LatestBelievable::after_arrival(ARRIVAL_MS, 0))
}

fn click(format: &ClickFormat, json: &str) -> DecodedClick {
    match decode(format, json) {
        Ok(Decoded::Click(decoded)) => decoded,
        other => panic!("{json}: {other:?}"),
    }
}

/// The event name that is found at `path` in `json`.
fn found(path: &str, json: &str) -> Option<String> {
    let format = format("u", path, EventFilter::All);
    click(&format, &format!(r#"{{"u":"u",{json}}}"#)).click.attributes.event_name.map(Into::into)
}

#[test]
fn paths_lead_through_objects_and_arrays() {
    for (path, json, value) in [
        // A bare name is a top-level key, whatever it contains.
        ("name", r#""name":"x""#, Some("x")),
        ("a/b", r#""a/b":"x","a":{"b":"y"}"#, Some("x")),
        ("a~1b", r#""a~1b":"x","a/b":"y""#, Some("x")),
        ("a.b", r#""a.b":"x","a":{"b":"y"}"#, Some("x")),
        (r"a\b", r#""a\\b":"x""#, Some("x")),
        (r"a\u0062", r#""a\u0062":"y","a\\u0062":"x""#, Some("x")),
        ("a\"b", r#""a\"b":"x""#, Some("x")),
        ("0", r#""0":"x""#, Some("x")),
        // Pointers, with their escapes.
        ("/name", r#""name":"x""#, Some("x")),
        ("/", r#""":"x""#, Some("x")),
        ("/a/", r#""a":{"":"x"}"#, Some("x")),
        ("/a~1b", r#""a/b":"x""#, Some("x")),
        ("/m~0n", r#""m~n":"x""#, Some("x")),
        ("/~01", r#""~1":"x""#, Some("x")),
        ("/a/b/c", r#" "a" : { "x" : [ 1 ] , "b" : { "c" : "x" } } "#, Some("x")),
        ("/é/中", r#""\u00e9":{"中":"x"}"#, Some("x")),
        ("/a/b", r#""a":{"b":{"c":1}}"#, None),
        // Indexes of arrays, which are also keys of objects.
        ("/a/0", r#""a":["x","y"]"#, Some("x")),
        ("/a/2", "\"a\" : [ {\"b\":[1]} ,\n2, \"x\" ]", Some("x")),
        ("/a/1/b", r#""a":[{"b":"y"},{"b":"x"}]"#, Some("x")),
        ("/a/1/0", r#""a":[["y"],["x"]]"#, Some("x")),
        ("/a/0", r#""a":{"0":"x"}"#, Some("x")),
        ("/a/2", r#""a":["y","y"]"#, None),
        ("/a/0", r#""a":[]"#, None),
        ("/a/-", r#""a":["y"]"#, None),
        ("/a/00", r#""a":["y"]"#, None),
        ("/a/+0", r#""a":["y"]"#, None),
        ("/a/18446744073709551616", r#""a":["y"]"#, None),
        // Parents that are missing or something else.
        ("/a/b", r#""b":"y""#, None),
        ("/a/b/c", r#""a":{"x":1}"#, None),
        ("/a/b", r#""a":null"#, None),
        ("/a/b", r#""a":"b""#, None),
        ("/a/b", r#""a":-1e999"#, None),
        ("/a/b", r#""a":true"#, None),
        ("/a/b", r#""a":{}"#, None),
        ("/a/b", r#""a":["b"]"#, None),
        // The last of two equal keys counts, at each level.
        ("/a/b", r#""a":{"b":"y"},"a":{"b":"x"}"#, Some("x")),
        ("/a/b", r#""a":{"b":"y","b":"x"}"#, Some("x")),
        ("/a/b", r#""a":{"b":"y"},"a":{"c":"y"}"#, None),
        ("/a/b", r#""a":{"b":"y"},"a":7"#, None),
        ("/a/b/c", r#""a":{"b":{"c":"y"},"b":{}}"#, None),
        // What is skipped may contain what Unicode lacks.
        ("/a/b", r#""a":{"\ud83d":"\ud83d","b":"x"}"#, Some("x")),
        ("/a/b", r#""x":NaN,"a":{"c":[Infinity],"b":"x"}"#, Some("x")),
    ] {
        assert_eq!(found(path, json).as_deref(), value, "{path} in {json}");
    }
}

#[test]
fn one_value_may_fill_several_fields_and_contain_another() {
    let fields = ClickFields {
        user_id: vec![path("/user/id")],
        event_timestamp: path("/at"),
        event_name: path("/user/id"),
        event_type: path("/user"),
        device_type: path("/user/devices/0"),
    };
    let format = ClickFormat::new(fields, TimestampFormat::Arrival, EventFilter::All).unwrap();
    let decoded = click(&format, r#"{"user":{"id":"u","devices":["ios"]}}"#);
    let attributes = Attributes { event_name: Some("u".into()), event_type: None, device_type: Some("ios".into()) };
    assert_eq!((decoded.click.user_id.as_str(), decoded.click.attributes), ("u", attributes));
    assert_eq!(decoded.adjusted_attributes, 1, "the object at /user is no attribute");
}

#[test]
fn first_user_id_that_is_there_counts() {
    let format = format("/userId,/anonymousId,deep/id", "event_name", EventFilter::All);
    for (json, user) in [
        (r#"{"userId":"u","anonymousId":"a"}"#, "u"),
        (r#"{"anonymousId":"a","userId":"u"}"#, "u"),
        (r#"{"anonymousId":"a"}"#, "a"),
        (r#"{"userId":null,"anonymousId":"a"}"#, "a"),
        (r#"{"userId":"","anonymousId":"a"}"#, "a"),
        (r#"{"userId":"","anonymousId":null,"deep/id":7}"#, "7"),
    ] {
        assert_eq!(click(&format, json).click.user_id.as_str(), user, "{json}");
    }
    let all = "/userId or /anonymousId or deep/id";
    for (json, code, message) in [
        ("{}", "user_id_missing", format!("{all} is required but missing; the record has no keys")),
        (r#"{"user":1}"#, "user_id_missing", format!("{all} is required but missing; the record's keys are \"user\"")),
        (r#"{"anonymousId":null}"#, "user_id_null", format!("{all} is required but null")),
        (
            r#"{"userId":null,"anonymousId":""}"#,
            "user_id_empty",
            format!("{all} is empty, expected 1 to 256 characters"),
        ),
        (
            r#"{"userId":null,"anonymousId":true}"#,
            "user_id_mistyped",
            "/anonymousId is true, expected a string or an integer".to_owned(),
        ),
        (
            r#"{"userId":"undefined","anonymousId":"a"}"#,
            "user_id_placeholder",
            "/userId is \"undefined\", a placeholder; accepting it would merge unrelated people into one user"
                .to_owned(),
        ),
    ] {
        let rejection = decode(&format, json).unwrap_err();
        assert_eq!((rejection.reason.to_string().as_str(), rejection.message), (code, message), "{json}");
    }
}

#[test]
fn there_are_1_to_8_paths_for_the_user_id() {
    let new = |count: usize| {
        let user_id = (0..count).map(|number| path(&format!("id{number}"))).collect();
        ClickFormat::new(ClickFields { user_id, ..ClickFields::default() }, TimestampFormat::Arrival, EventFilter::All)
    };
    assert_eq!(new(0), Err(PathError::Empty));
    assert_eq!(click(&new(MAX_USER_ID_PATHS).unwrap(), r#"{"id7":"u"}"#).click.user_id.as_str(), "u");
    assert_eq!(new(MAX_USER_ID_PATHS + 1), Err(PathError::TooMany(9)));
}

#[test]
fn filter_is_applied_before_anything_else_is_looked_at() {
    let names = |list| EventNames::parse_list(list).unwrap();
    for (json, only, all_but) in [
        (r#"{"user_id":"u","event_name":"ping"}"#, true, false),
        (r#"{"user_id":"u","event_name":"p\u0069ng"}"#, true, false),
        (r#"{"user_id":"u","event_name":"7"}"#, true, false),
        (r#"{"user_id":"u","event_name":7}"#, true, false),
        (r#"{"user_id":"u","event_name":"Ping"}"#, false, true),
        (r#"{"user_id":"u","event_name":"ping\ud83d"}"#, false, true),
        (r#"{"user_id":"u","event_name":""}"#, false, true),
        (r#"{"user_id":"u"}"#, false, true),
        (r#"{"user_id":"u","event_name":null}"#, false, true),
        (r#"{"user_id":"u","event_name":["ping"]}"#, false, true),
    ] {
        for (filter, counts) in
            [(EventFilter::Only(names("ping, 7")), only), (EventFilter::AllBut(names("7,ping")), all_but)]
        {
            let decoded = decode(&format("user_id", "event_name", filter), json).unwrap();
            assert_eq!(matches!(decoded, Decoded::Click(_)), counts, "{json}");
        }
    }
    let filtered = format("user_id", "event_name", EventFilter::AllBut(names("ping")));
    assert_eq!(decode(&filtered, r#"{"user_id":true,"event_name":"ping"}"#), Ok(Decoded::Filtered));
    assert_eq!(decode(&filtered, r#"{"event_name":"ping"}"#), Ok(Decoded::Filtered));
    assert!(decode(&filtered, r#"{"event_name":"view"}"#).is_err());
    assert!(decode(&filtered, r#"["ping"]"#).is_err());
}

#[test]
fn deep_nesting_on_a_path_uses_no_stack() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(500_000), "1".to_owned() + &"}".repeat(500_000));
    let path = "/a".repeat(16);
    assert_eq!(found(&path, &format!(r#""a":{deep}"#)), None);
    let longest = format!("{}\"x\"{}", r#"{"a":"#.repeat(15), "}".repeat(15));
    assert_eq!(found(&path, &format!(r#""a":{longest}"#)).as_deref(), Some("x"));
}
