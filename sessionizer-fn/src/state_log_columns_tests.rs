use proptest::prelude::*;
use shared::columns::declaration::SessionColumns;
use shared::columns::number::Number;
use shared::columns::values::{ColumnValue, Seen, TextAt};

use crate::state_log_codec::{
    CodecError, Parts, columns_of_entries, columns_of_user, decode_entries, decode_user, encode_entries, encode_user,
};
use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_samples::{
    NOW_MS, at, column_values, declared, entries_with_columns, shard, time, typical_cursor, typical_user, user,
    user_entry,
};

/// A user with one session, which has these columns.
fn user_with(values: &[Seen]) -> UserEntry {
    let mut user = typical_user(30_000);
    user.window.sessions[0].columns = values.iter().cloned().map(ColumnValue::from).collect();
    user
}

fn commit_of(user_entry: UserEntry) -> Vec<(LogKey, LogValue)> {
    vec![(LogKey::User(user("u")), LogValue::User(user_entry))]
}

fn columns(declaration: &str) -> SessionColumns {
    SessionColumns::parse(declaration).unwrap()
}

fn text_at(ms: u64, text: &str) -> TextAt {
    TextAt { time: at(ms), text: text.into() }
}

fn number(text: &str) -> Option<Number> {
    Number::parse_sum(text)
}

proptest! {
    #[test]
    fn entries_with_columns_survive_a_round_trip(entries in entries_with_columns(), made_ms in time()) {
        let bytes = encode_entries(&entries, made_ms, &declared()).unwrap();
        prop_assert_eq!(decode_entries(&bytes, made_ms, &declared()), Ok(entries));
    }

    #[test]
    fn user_at_rest_with_columns_survives_a_round_trip(mut user in user_entry(), values in column_values()) {
        user.window.sessions.iter_mut().for_each(|session| session.columns = values.clone());
        prop_assert_eq!(decode_user(&encode_user(&user, &declared()).unwrap(), &declared()), Ok(user));
    }

    #[test]
    fn one_changed_byte_of_columns_is_decoded_or_refused(
        entries in entries_with_columns(),
        place in any::<proptest::sample::Index>(),
        change in 1_u8..,
    ) {
        let mut parts = Parts::of(&entries, NOW_MS, &declared()).unwrap();
        let bytes = parts.columns.as_mut().unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        if let Ok(entries) = parts.into_entries(NOW_MS, &declared()) {
            let again = encode_entries(&entries, NOW_MS, &declared()).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS, &declared()), Ok(entries));
        }
    }

    #[test]
    fn cut_columns_are_refused(entries in entries_with_columns(), cut in any::<proptest::sample::Index>()) {
        let mut parts = Parts::of(&entries, NOW_MS, &declared()).unwrap();
        let bytes = parts.columns.as_mut().unwrap();
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(parts.into_entries(NOW_MS, &declared()).is_err());
    }
}

// If this fails, stored items can no longer be read: the format byte must change, and the old code must stay.
#[test]
fn stored_columns_stay_readable() {
    let values: [Seen; 7] = [
        Seen::First(Some(text_at(NOW_MS - 29_000, "/home"))),
        Seen::Last(Some(text_at(NOW_MS - 12_000, "/cart"))),
        Seen::Count(7),
        Seen::Sum(number("59.97")),
        Seen::Min(number("-0.000000001")),
        Seen::Max(number("1200")),
        Seen::Any(true),
    ];
    let user_entry = user_with(&values);
    let mut cursor = typical_cursor(1, NOW_MS, 1);
    cursor.outbox.entries[0].session.columns = user_entry.window.sessions[0].columns.in_closed();
    let entries =
        vec![(LogKey::User(user("u")), LogValue::User(user_entry.clone())), (shard("s/0"), LogValue::Cursor(cursor))];
    let stored = [
        &b"\x02\x05/home\x05/cart\x07"[..],
        b"\tfirst(/a)\x02\x11\x19\x03\xd0\x0f\x00\x00",
        b"\x08last(/b)\x02\x12\x19\x03\xa0\x1f\x02\x02",
        b"\x07count()\x02\x13\x9a\x02\x0e\x0e",
        b"\x07sum(/d)\x02TZ\x02\xda]\xda]",
        b"\x07min(/e)\x02\x15\x1a\x02\x01\x01",
        b"\x07max(/f)\x02\x96\x9a\x02\xe0\x12\xe0\x12",
        b"\x0bany(/g = 1)\x02\x17\x1b\x00",
    ]
    .concat();
    let parts = Parts::of(&entries, NOW_MS, &declared()).unwrap();
    assert_eq!(
        parts.columns.as_deref().map(<[u8]>::escape_ascii).unwrap().to_string(),
        stored.escape_ascii().to_string()
    );
    assert_eq!(parts.into_entries(NOW_MS, &declared()), Ok(entries));
    let at_rest = encode_user(&user_entry, &declared()).unwrap();
    assert_eq!(at_rest[0], 3, "the format");
    assert_eq!(decode_user(&at_rest, &declared()), Ok(user_entry));
}

#[test]
fn without_declared_columns_nothing_of_them_is_stored() {
    let none = SessionColumns::default();
    let entries = commit_of(typical_user(30_000));
    assert_eq!(Parts::of(&entries, NOW_MS, &none).unwrap().columns, None);
    let (commit, user) =
        (encode_entries(&entries, NOW_MS, &none).unwrap(), encode_user(&typical_user(1), &none).unwrap());
    assert_eq!((commit[0], user[0]), (2, 2), "the format without columns");
}

#[test]
fn columns_that_are_declared_now_go_on_and_others_are_empty_and_partial_or_dropped() {
    let entries = commit_of(user_with(&[Seen::Count(5), Seen::Any(true)]));
    let bytes = encode_entries(&entries, NOW_MS, &columns("clicks = count(), buys = any(/kind = 'buy')")).unwrap();
    let now = columns("total = sum(/value), bought = any(/kind = 'buy')");
    let decoded = decode_entries(&bytes, NOW_MS, &now).unwrap();
    let mut expected = user_with(&[Seen::Sum(None), Seen::Any(true)]);
    expected.window.sessions[0].columns = [
        ColumnValue { seen: Seen::Sum(None), is_partial: true },
        ColumnValue { seen: Seen::Any(true), is_partial: false },
    ]
    .into_iter()
    .collect();
    assert_eq!(decoded, commit_of(expected));
    let dropped = decode_entries(&bytes, NOW_MS, &SessionColumns::default()).unwrap();
    assert_eq!(dropped, commit_of(typical_user(30_000)));
}

#[test]
fn sessions_stored_before_any_column_was_declared_are_partial() {
    let bytes = encode_user(&typical_user(30_000), &SessionColumns::default()).unwrap();
    let user = decode_user(&bytes, &columns("clicks = count()")).unwrap();
    let values: Vec<_> = user.window.sessions[0].columns.as_slice().to_vec();
    assert_eq!(values, [ColumnValue { seen: Seen::Count(0), is_partial: true }]);
}

#[test]
fn reader_without_a_declaration_learns_the_aggregates() {
    let stored = columns("clicks = count(), buys = any(/kind in ['buy', 'pay'])");
    let user = user_with(&[Seen::Count(5), Seen::Any(true)]);
    let commit = encode_entries(&commit_of(user.clone()), NOW_MS, &stored).unwrap();
    let texts = |columns: SessionColumns| columns.canonical_texts().map(str::to_owned).collect::<Vec<_>>();
    let expected = ["count()", r#"any(/kind in ["buy", "pay"])"#];
    let found = columns_of_entries(&commit).unwrap();
    assert_eq!(texts(found.clone()), expected);
    assert_eq!(decode_entries(&commit, NOW_MS, &found), Ok(commit_of(user.clone())), "nothing is lost");
    assert_eq!(texts(columns_of_user(&encode_user(&user, &stored).unwrap()).unwrap()), expected);
    let none = encode_entries(&commit_of(typical_user(1)), NOW_MS, &SessionColumns::default()).unwrap();
    assert!(columns_of_entries(&none).unwrap().is_empty());
}

#[test]
fn more_columns_than_declared_are_refused() {
    let entries = commit_of(user_with(&[Seen::Count(5), Seen::Any(true)]));
    let refused = encode_entries(&entries, NOW_MS, &columns("clicks = count()"));
    assert_eq!(refused, Err(CodecError::UndeclaredColumns(1)));
    assert_eq!(encode_entries(&entries, NOW_MS, &SessionColumns::default()), Err(CodecError::UndeclaredColumns(0)));
}
