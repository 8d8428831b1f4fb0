//! States to items and back, and items that must not be touched.

#![allow(clippy::expect_used)]

use super::*;

/// What DynamoDB counts for a value: its bytes, a number's digits at two to a byte, 3 bytes for a map or list and one
/// for each of its elements. Source: DynamoDB developer guide, item sizes and formats.
pub(crate) fn item_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::N(digits) => digits.len().div_ceil(2) + 1,
        AttributeValue::M(map) => 3 + map.iter().map(|(name, value)| 1 + name.len() + item_bytes(value)).sum::<usize>(),
        AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + item_bytes(value)).sum::<usize>(),
        _ => 1,
    }
}

fn at(ms: u64) -> EventTime {
    EventTime::from_ms(ms).expect("before 10000")
}

fn state() -> UserState {
    let attributes = Attributes { event_name: Some("search".to_owned()), ..Attributes::default() };
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

#[test]
fn what_is_encoded_is_decoded() {
    let with_previous = state();
    assert_eq!(decode(&item(&with_previous)), Ok(with_previous.clone()));
    let mut without = with_previous;
    without.sessions.previous = None;
    assert_eq!(decode(&item(&without)), Ok(without));
}

#[test]
fn unknown_schema_version_fails_closed() {
    assert_eq!(
        decode(&Item::from([("schema_version".to_owned(), number(2))])),
        Err(StateItemError::UnknownSchema(2)),
        "whatever else the item holds"
    );
    assert!(fault("schema_version", None).contains("schema_version: it is missing"));
}

#[test]
fn item_that_breaks_an_invariant_is_an_error_that_names_the_attribute() {
    assert!(fault("version", Some(AttributeValue::S("8".to_owned()))).contains("version: "));
    assert!(fault("ordinal", Some(number(0))).contains("previous: there is none before ordinal 0"));
    assert!(fault("ordinal", Some(AttributeValue::N("-1".to_owned()))).contains("ordinal: "));
    let too_high = fault("version", Some(number(MAX_SAFE_INTEGER + 1)));
    assert_eq!(too_high, "attribute version: it is not a whole number from 0 to 9007199254740991");
    assert!(fault("current", Some(AttributeValue::Null(true))).contains("current: it is null"));
    let backwards = Session { start: at(2), end: at(1), event_count: 1, attributes: Attributes::default() };
    assert!(fault("current", Some(encode_session(&backwards))).contains("current.end: it is before the start"));
    let cursors = AttributeValue::M(HashMap::from([("s".to_owned(), AttributeValue::M(HashMap::new()))]));
    assert!(fault("cursors", Some(cursors)).contains("cursors.s.sequence_number: it is missing"));
}

#[test]
fn ordinary_state_takes_less_than_one_kilobyte() {
    let mut state = state();
    let (first, second) =
        (state.cursors.pop_first().expect("a cursor").1, state.cursors.pop_first().expect("a cursor").1);
    let sequence_number =
        SequenceNumber::parse("49590338271490256608559692538361571095921575989136588898").expect("digits");
    state.cursors.insert(CursorKey::new("shardId-000000000001"), Cursor { sequence_number, ..first });
    drop(second);
    let names: usize = ATTRIBUTES.iter().map(|name| name.len()).sum();
    let bytes = names + encode(&state).iter().map(item_bytes).sum::<usize>() + KEY.len() + 36;
    assert!(bytes < 1_024, "{bytes} bytes");
}
