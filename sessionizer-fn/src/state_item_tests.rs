//! States to items and back, and items that must not be touched.
use std::collections::BTreeMap;

use shared::attributes::Attributes;
use shared::event_time::EventTime;
use shared::limits::MAX_USER_ID_CHARS;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{Session, Status, TouchedSession, UserSessions};

use super::*;
use crate::batch::CursorKey;
use crate::state::{Cursor, OutboxEntry};

/// What DynamoDB counts for a value of a state item: its bytes, or a number's digits at two to a byte.
/// Source: DynamoDB developer guide, item sizes and formats.
pub(crate) fn item_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        _ => 1,
    }
}

fn at(ms: u64) -> EventTime {
    EventTime::from_ms(ms).expect("before 10000")
}

fn state() -> UserState {
    let attributes = Attributes { event_name: Some("search".into()), ..Attributes::default() };
    let session =
        |start, end| Session { start: at(start), end: at(end), event_count: 3, attributes: attributes.clone() };
    let entry = |ordinal, status| OutboxEntry {
        version: Version::new(7),
        session: TouchedSession { ordinal, start: at(5), attributes: attributes.clone(), status },
    };
    let cursor = Cursor {
        sequence_number: SequenceNumber::parse("9".repeat(129)).expect("digits"),
        version: Version::new(8),
        outbox: vec![
            entry(3, Status::Closed { end: at(6), event_count: 2 }),
            entry(4, Status::Open),
            entry(5, Status::Retracted),
        ],
    };
    UserState {
        version: Version::new(8),
        sessions: UserSessions { ordinal: 4, current: session(50_000, 51_000), previous: Some(session(5, 6)) },
        cursors: BTreeMap::from([
            (CursorKey::new("shardId-000000000001"), cursor.clone()),
            (CursorKey::new("shardId-000000000002#k"), Cursor { outbox: vec![], ..cursor }),
        ]),
    }
}

fn item(state: &UserState) -> Item {
    ATTRIBUTES.into_iter().map(str::to_owned).zip(encode(state)).collect()
}

/// The message for the item of [`state`] with `value` for the attribute `name`.
fn fault(name: &str, value: Option<AttributeValue>) -> String {
    let mut item = item(&state());
    match value {
        Some(value) => item.insert(name.to_owned(), value),
        None => item.remove(name),
    };
    decode(&item).expect_err(name).to_string()
}

/// The message for the item of [`state`] in whose text `from` is `to`.
fn fault_in_text(from: &str, to: &str) -> String {
    let text = state_text::write(&state());
    assert!(text.contains(from), "{from} is not in: {text}");
    fault("state", Some(AttributeValue::S(text.replacen(from, to, 1))))
}

#[test]
fn what_is_encoded_is_decoded() {
    let with_previous = state();
    assert_eq!(decode(&item(&with_previous)), Ok(with_previous.clone()));
    let mut without = with_previous;
    without.sessions.previous = None;
    assert_eq!(decode(&item(&without)), Ok(without));
}

#[test]
fn text_is_what_the_documentation_says() {
    let number = SequenceNumber::parse("4959").expect("digits");
    let mut state = state();
    state.sessions.previous = None;
    state.cursors = BTreeMap::from([(
        CursorKey::new("shop/s 1"),
        Cursor { sequence_number: number, ..state.cursors.pop_first().expect("a cursor").1 },
    )]);
    let expected = "ordinal 4 current 50000 51000 3 6:search - - cursor 8:shop/s 1 4959 8 \
                    closed 7 3 5 6 2 6:search - - open 7 4 5 6:search - - retracted 7 5 5 6:search - -";
    assert_eq!(state_text::write(&state), expected);
}

/// States in this form are stored: a change of the form needs a new schema version, and code that reads the old one.
#[test]
fn stored_state_of_schema_version_1_can_be_read() {
    let text = "ordinal 4 current 50000 51000 3 6:search - - cursor 8:shop/s 1 4959 8 closed 7 3 5 6 2 6:search - -";
    let number = |value: &str| AttributeValue::N(value.to_owned());
    let item = [
        ("user_id", AttributeValue::S("user1".to_owned())),
        ("version", number("8")),
        ("schema_version", number("1")),
        ("state", AttributeValue::S(text.to_owned())),
    ];
    let state = decode(&item.map(|(name, value)| (name.to_owned(), value)).into()).expect("schema version 1");
    assert_eq!((state.version.number(), state.sessions.ordinal, state.sessions.current.event_count), (8, 4, 3));
    assert_eq!(state.cursors.len(), 1);
}

#[test]
fn texts_may_hold_anything_and_grow_by_nothing_but_their_length() {
    let mut state = state();
    for strange in ["", " ", "-", "cursor", "1:2 3:", "\u{0}\n\"\\", "中 🦀"] {
        let attributes = &mut state.sessions.current.attributes;
        attributes.event_name = Some(strange.into());
        attributes.device_type = Some(strange.into());
        let key = CursorKey::new(format!("stream/shard#{strange}"));
        let cursor = state.cursors.values().next().expect("a cursor").clone();
        state.cursors.insert(key, cursor);
        assert_eq!(decode(&item(&state)).as_ref(), Ok(&state), "{strange:?}");
    }
    let bytes = |name: &str| {
        let mut state = state.clone();
        state.sessions.current.attributes.event_name = Some(name.into());
        state_text::write(&state).len()
    };
    assert_eq!(bytes(&"\u{1}".repeat(100)), bytes(&"x".repeat(100)));
}

#[test]
fn unknown_schema_version_fails_closed() {
    assert_eq!(
        decode(&Item::from([("schema_version".to_owned(), AttributeValue::N("2".to_owned()))])),
        Err(StateItemError::UnknownSchema(2)),
        "whatever else the item holds"
    );
    assert!(fault("schema_version", None).contains("schema_version: it is missing"));
}

#[test]
fn item_that_breaks_an_invariant_is_an_error_that_names_the_attribute() {
    assert!(fault("version", Some(AttributeValue::S("8".to_owned()))).contains("version: "));
    assert!(fault("state", Some(AttributeValue::Null(true))).contains("state: it is not a string"));
    assert!(fault("state", Some(AttributeValue::S(String::new()))).contains("state: no \"ordinal\" before byte 0"));
    let too_high = fault("version", Some(AttributeValue::N((MAX_SAFE_INTEGER + 1).to_string())));
    assert_eq!(too_high, "attribute version: it is not a whole number from 0 to 9007199254740991");
}

#[test]
fn text_that_breaks_an_invariant_is_an_error() {
    assert!(fault_in_text("ordinal 4", "ordinal 0").contains("the ordinal is 0"));
    assert!(fault_in_text("ordinal 4", "ordinal -1").contains("\"-1\" instead of a whole number"));
    assert!(fault_in_text("ordinal 4", "ordinal 04").contains("\"04\" instead of a whole number"));
    assert!(fault_in_text("ordinal 4", "ordinal 9007199254740992").contains("instead of a whole number"));
    assert!(fault_in_text("50000 51000", "51000 50000").contains("an end before its start"));
    assert!(fault_in_text("50000 51000", "50000 253402300800000").contains("a time after the year 9999"));
    assert!(fault_in_text("6:search", "7:search").contains("a text longer than its length"));
    assert!(fault_in_text("6:search", "5:search").contains("a text longer than its length"));
    assert!(fault_in_text("6:search", "99999:search").contains("no text with its length"));
    assert!(fault_in_text("6:search", "+6:search").contains("no text with its length"));
    assert!(fault_in_text("cursor", "cursors").contains("something else than a cursor"));
    assert!(fault_in_text("closed", "ended").contains("something else than a cursor"));
    assert!(fault_in_text("20:shardId-000000000001", "-").contains("a cursor without a key"));
    assert!(fault_in_text(&"9".repeat(129), "12a").contains("12a"));
}

#[test]
fn second_cursor_with_one_key_is_an_error() {
    let text = state_text::write(&state());
    let (_, cursor) = text.rsplit_once(" cursor ").expect("a cursor");
    let twice = format!("{text} cursor {cursor}");
    assert!(fault("state", Some(AttributeValue::S(twice))).contains("a second cursor with one key"));
}

#[test]
fn whatever_is_cut_off_is_missed() {
    let text = state_text::write(&state());
    for (end, _) in text.char_indices() {
        // A whole cursor or boundary less is a state as well; nothing else may be.
        if let Ok((sessions, cursors)) = state_text::read(&text[..end]) {
            let state = UserState { sessions, cursors, ..state() };
            assert_eq!(state_text::write(&state).trim_end(), text[..end].trim_end());
        }
    }
}

/// A user's with an id of 36 characters, as UUIDs have, and two boundaries to publish.
#[test]
fn ordinary_state_takes_less_than_one_kilobyte() {
    assert!(ordinary_bytes(36) < 700, "{} bytes", ordinary_bytes(36));
    assert!(ordinary_bytes(MAX_USER_ID_CHARS) < 1_024, "{} bytes", ordinary_bytes(MAX_USER_ID_CHARS));
}

fn ordinary_bytes(user_id: usize) -> usize {
    let attributes = Attributes {
        event_name: Some("add_to_cart".into()),
        event_type: Some("click".into()),
        device_type: Some("desktop".into()),
    };
    let (version, start, end) = (Version::new(1_721_390_000_000), at(1_721_390_000_000), at(1_721_390_038_000));
    let session = Session { start, end, event_count: 20, attributes: attributes.clone() };
    let entry = |status| OutboxEntry {
        version,
        session: TouchedSession { ordinal: 1_000, start, attributes: attributes.clone(), status },
    };
    let digits = "49590338271490256608559692538361571095921575989136588898";
    let cursor = Cursor {
        sequence_number: SequenceNumber::parse(digits).expect("digits"),
        version,
        outbox: vec![entry(Status::Closed { end, event_count: 20 }), entry(Status::Open)],
    };
    let state = UserState {
        version,
        sessions: UserSessions { ordinal: 1_000, current: session.clone(), previous: Some(session) },
        cursors: BTreeMap::from([(CursorKey::new("click-stream/shardId-000000000001"), cursor)]),
    };
    let names: usize = ATTRIBUTES.iter().map(|name| name.len()).sum();
    names + encode(&state).iter().map(item_bytes).sum::<usize>() + KEY.len() + user_id
}
