//! Encoding and decoding of boundaries.
use super::*;
use crate::columns::published::PublishedColumns;

fn attributes() -> Attributes {
    Attributes {
        event_name: Some("search".into()),
        event_type: Some("click".into()),
        device_type: Some("desktop".into()),
    }
}

fn boundary(status: Status) -> Boundary {
    let user_id = UserId::new("user1").expect("valid");
    let start = EventTime::from_ms(1_721_390_012_345).expect("valid");
    Boundary::of(
        &user_id,
        TouchedSession { ordinal: 1, start, attributes: attributes(), columns: PublishedColumns::default(), status },
        &SessionColumns::default(),
        Version::new(7),
    )
}

fn closed() -> Status {
    Status::Closed { end: EventTime::from_ms(1_721_390_013_345).expect("valid"), event_count: 3 }
}

fn text(boundary: &Boundary) -> String {
    String::from_utf8(boundary.encode().expect("encodes")).expect("UTF-8")
}

fn code(json: &str) -> String {
    Boundary::decode(json.as_bytes()).expect_err(json).reason.to_string()
}

#[test]
fn keys_are_in_the_order_of_the_contract() {
    assert_eq!(
        text(&boundary(Status::Open)),
        r#"{"user_id":"user1","session_timestamp":1721390012345,"session_time":"2024-07-19 11:53:32","session_id":"user1_1","event_type":"click","device_type":"desktop","event_name":"search","status":"open","version":7}"#
    );
    assert_eq!(
        text(&boundary(closed())),
        r#"{"user_id":"user1","session_timestamp":1721390012345,"session_time":"2024-07-19 11:53:32","session_id":"user1_1","event_type":"click","device_type":"desktop","event_name":"search","status":"closed","session_end":1721390013345,"duration_ms":1000,"event_count":3,"version":7}"#
    );
}

#[test]
fn encoded_boundaries_decode_to_themselves() {
    for status in [Status::Open, closed(), Status::Retracted] {
        let boundary = boundary(status);
        assert_eq!(Boundary::decode(&boundary.encode().expect("encodes")), Ok(boundary));
    }
}

#[test]
fn six_key_boundary_of_the_flink_job_has_no_status_and_version_0() {
    let json = r#"{"user_id":"user1","session_timestamp":1721390413000,"session_time":"2024-07-19 12:00:13","session_id":"user1_1","event_type":"click","device_type":"desktop"}"#;
    let boundary = Boundary::decode(json.as_bytes()).expect("a boundary");
    assert_eq!((boundary.status, boundary.version), (None, Version::NONE));
    assert_eq!(boundary.session_time, "2024-07-19 12:00:13");
    let row = serde_json::to_string(&boundary.to_row(None)).expect("encodes");
    assert_eq!(row, json.replace("}", r#","event_name":null}"#));
}

#[test]
fn each_fault_has_its_own_code() {
    let full = text(&boundary(closed()));
    let without = |key: &str| {
        let mut value: serde_json::Map<_, _> = serde_json::from_str(&full).expect("an object");
        value.remove(key).unwrap_or_else(|| panic!("{key} is not a key"));
        serde_json::to_string(&value).expect("encodes")
    };
    for key in ["user_id", "session_timestamp", "session_time", "session_id", "session_end", "event_count", "version"] {
        assert_eq!(code(&without(key)), format!("{key}_missing"));
    }
    assert_eq!(code(&full.replace("\"closed\"", "\"paused\"")), "status_unknown");
    assert_eq!(code(&full.replace("\"closed\"", "5")), "status_mistyped");
    assert_eq!(code(&full.replace("1721390013345", "1721390012344")), "session_end_out_of_range");
    assert_eq!(code(&full.replace("1721390012345", "\"1721390012345\"")), "session_timestamp_not_an_integer");
    assert_eq!(code(&full.replace("\"version\":7", "\"version\":9007199254740992")), "version_out_of_range");
    assert_eq!(code(&full.replace("\"version\":7", "\"version\":-7")), "version_out_of_range");
    assert_eq!(code(&full.replace("user1_1", "")), "session_id_empty");
    assert_eq!(code(&full.replace("2024-07-19 11:53:32", &"s".repeat(65))), "session_time_too_long");
    assert_eq!(code("[]"), "not_an_object");
}

#[test]
fn session_id_that_is_not_the_user_id_and_a_number_is_rejected_with_its_own_reason() {
    let flink = |user: &str, id: &str| {
        let json = r#"{"user_id":USER,"session_timestamp":0,"session_time":"1970-01-01 00:00:00","session_id":"ID","event_type":null,"device_type":null}"#;
        json.replace("USER", user).replace("ID", id)
    };
    let ordinal = |user: &str, id: &str| Boundary::decode(flink(user, id).as_bytes()).map(|boundary| boundary.ordinal);
    assert_eq!(ordinal("\"a\"", "a_0"), Ok(0));
    assert_eq!(ordinal("7", "7_12"), Ok(12));
    assert_eq!(ordinal("\"a_1\"", "a_1_9007199254740991"), Ok(9_007_199_254_740_991));
    for wrong in [
        "a",
        "a_",
        "a1",
        "b_1",
        "ab_1",
        "a_1_1",
        "a_x",
        "a_-1",
        "a_+1",
        "a_01",
        "a_1 ",
        "a_١",
        "a_9007199254740992",
        "a_99999999999999999999",
    ] {
        assert_eq!(code(&flink("\"a\"", wrong)), "session_id_not_user_and_ordinal", "{wrong}");
    }
    let message = Boundary::decode(flink("\"a\"", "b_1").as_bytes()).expect_err("of another user").message;
    let expected =
        r#"session_id is "b_1", expected the user_id "a", _ and the session's number from 0 to 9007199254740991"#;
    assert_eq!(message, expected);
}

#[test]
fn versions_grow_with_every_commit_and_with_time() {
    assert_eq!(Version::NONE.next(1_000), Version::new(1_000));
    assert_eq!(Version::new(1_000).next(1_000), Version::new(1_001));
    assert_eq!(Version::new(5_000).next(1_000), Version::new(5_001));
    assert_eq!(Version::new(5_000).next(9_000), Version::new(9_000));
}

#[test]
fn bad_attributes_never_reject_a_session() {
    let full = text(&boundary(Status::Open));
    let adjusted = |json: &str| Boundary::decode(json.as_bytes()).expect("a boundary").attributes;
    let long = full.replace("search", &"é".repeat(200)).replace("\"click\"", "404");
    let expected = Attributes {
        event_name: Some("é".repeat(128).into()),
        event_type: Some("404".into()),
        device_type: Some("desktop".into()),
    };
    assert_eq!(adjusted(&long), expected);
    assert_eq!(adjusted(&full.replace("null", "[\"mobile\"]")), attributes());
}

#[test]
fn sessions_of_placeholder_users_are_accepted() {
    let json = text(&boundary(Status::Open)).replace("user1", "undefined");
    assert_eq!(Boundary::decode(json.as_bytes()).expect("a boundary").user_id.as_str(), "undefined");
}

#[test]
fn unpaired_surrogate_in_an_id_or_the_status_is_rejected() {
    let full = text(&boundary(Status::Open));
    assert_eq!(code(&full.replace("\"user1\"", "\"\\ud83d\"")), "user_id_not_unicode");
    assert_eq!(code(&full.replace("user1_1", "\\ud83d_1")), "session_id_not_unicode");
    assert_eq!(code(&full.replace("\"open\"", "\"open\\ud83d\"")), "status_not_unicode");
}

mod columns {
    use super::*;
    use crate::columns::published::{PublishedColumn, PublishedValue};

    /// What stands in a boundary between `event_name` and `version`.
    fn columns_of(boundary: &Boundary) -> String {
        let json = text(boundary);
        let (_, from_status) = json.split_once(r#""status":"#).expect("a status");
        from_status.strip_suffix(r#","version":7}"#).expect("version is the last key").to_owned()
    }

    fn told(status: Status, columns: &str, told: &[PublishedColumn]) -> Boundary {
        let columns = SessionColumns::parse(columns).expect("valid");
        let named = NamedColumns::new(&columns, told.iter().cloned().collect());
        Boundary { columns: named, ..boundary(status) }
    }

    fn value(value: PublishedValue) -> PublishedColumn {
        PublishedColumn { value: Some(value), is_partial: false }
    }

    #[test]
    fn closed_boundaries_have_them_between_the_count_and_the_version() {
        let boundary = told(
            closed(),
            "entry_page = first(/p), none = last(/p), n = count(), revenue = sum(/v), bought = any(/e = 'x')",
            &[
                value(PublishedValue::Text("/é\"".into())),
                PublishedColumn::default(),
                value(PublishedValue::Number(3.into())),
                PublishedColumn {
                    value: crate::columns::number::Number::from_billionths(59_970_000_000).map(PublishedValue::Number),
                    is_partial: true,
                },
                PublishedColumn { value: Some(PublishedValue::Flag(false)), is_partial: true },
            ],
        );
        assert_eq!(
            columns_of(&boundary),
            r#""closed","session_end":1721390013345,"duration_ms":1000,"event_count":3,"entry_page":"/é\"","n":3,"revenue":59.97,"bought":false,"partial":["revenue","bought"]"#
        );
        assert_eq!(Boundary::decode(&boundary.encode().expect("encodes")), Ok(boundary));
    }

    #[test]
    fn open_boundaries_have_those_that_are_told_of_them() {
        let boundary = told(Status::Open, "entry_page = first(/p)", &[value(PublishedValue::Text("/".into()))]);
        assert_eq!(columns_of(&boundary), r#""open","entry_page":"/""#);
        assert_eq!(Boundary::decode(&boundary.encode().expect("encodes")), Ok(boundary));
    }

    #[test]
    fn sums_have_all_their_digits() {
        let number = crate::columns::number::Number::from_billionths(-(10_i128.pow(38) - 1)).expect("in range");
        let boundary = told(closed(), "revenue = sum(/v)", &[value(PublishedValue::Number(number))]);
        let digits = r#""revenue":-99999999999999999999999999999.999999999"#;
        assert!(columns_of(&boundary).ends_with(digits), "{}", columns_of(&boundary));
        assert_eq!(Boundary::decode(&boundary.encode().expect("encodes")), Ok(boundary));
    }

    #[test]
    fn fields_that_cannot_be_columns_are_left_out_and_reject_nothing() {
        let with = |fields: &str| {
            let json = text(&boundary(closed())).replace(r#","version""#, &format!(r#",{fields},"version""#));
            Boundary::decode(json.as_bytes()).expect("a boundary").columns
        };
        assert_eq!(with(r#""a b":1,"1a":1,"ordinal":7,"expires_at":5,"Version":1"#), NamedColumns::default());
        assert_eq!(with(r#""a":null,"b":{"x":1},"c":[1],"d":1e400"#), NamedColumns::default());
        assert_eq!(with(r#""partial":"a","a":true"#).partial, Vec::<smol_str::SmolStr>::new());
        assert_eq!(with(r#""partial":["a","status","b c"]"#).partial, ["a"]);
        let twice = with(r#""a":1,"a":"x","b":true"#).values;
        assert_eq!(twice, [("a".into(), PublishedValue::Text("x".into())), ("b".into(), PublishedValue::Flag(true))]);
        let long = with(&format!(r#""a":"{}""#, "x".repeat(1_000))).values;
        assert_eq!(long, [("a".into(), PublishedValue::Text("x".repeat(256).into()))]);
        let many: Vec<_> = (0..100).map(|n| format!(r#""c{n}":{n}"#)).collect();
        assert_eq!(with(&many.join(",")).values.len(), 16);
    }

    #[test]
    fn other_fields_of_a_boundary_without_a_status_are_ignored() {
        let json = r#"{"user_id":"u","session_timestamp":1721390413000,"session_time":"x","session_id":"u_1","a":1}"#;
        assert_eq!(Boundary::decode(json.as_bytes()).expect("a boundary").columns, NamedColumns::default());
    }
}
