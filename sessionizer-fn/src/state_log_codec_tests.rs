use proptest::prelude::*;
use shared::attributes::Attributes;
use shared::session::{Status, TouchedSession};

use super::*;
use crate::state_log_entry::{Origin, OutboxEntry};
use crate::state_log_samples::{NOW_MS, at, entries, shard, time, typical_cursor, typical_user, user, user_entry};

/// A commit with every kind of entry, boundary and optional value.
fn small_commit() -> Vec<(LogKey, LogValue)> {
    let (mut user_entry, cursor) = (typical_user(30_000), typical_cursor(1, NOW_MS, 1));
    user_entry.window.left_behind_until_ms = Some(NOW_MS - 31_000);
    user_entry.window.told_closed = true;
    let mut swept = cursor.outbox.clone();
    for status in [Status::Open, Status::Retracted] {
        let session = TouchedSession { ordinal: 0, start: at(NOW_MS), attributes: Attributes::default(), status };
        swept.entries.push(OutboxEntry { user_id: user("v"), session });
    }
    vec![
        (LogKey::User(user("u")), LogValue::User(user_entry)),
        (LogKey::Origin(Origin::Sweep), LogValue::Swept(swept)),
        (shard("s/0"), LogValue::Cursor(cursor)),
    ]
}

/// The bytes of a user whose sessions are changed by `change`.
fn bytes_of_a_user(change: impl FnOnce(&mut UserEntry)) -> Vec<u8> {
    let mut user = typical_user(30_000);
    change(&mut user);
    encode_user(&user).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    decode_user(bytes).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn entries_survive_a_round_trip(entries in entries(), made_ms in time()) {
        let bytes = encode_entries(&entries, made_ms).unwrap();
        prop_assert_eq!(decode_entries(&bytes, made_ms), Ok(entries));
    }

    #[test]
    fn user_at_rest_survives_a_round_trip(user in user_entry()) {
        prop_assert_eq!(decode_user(&encode_user(&user).unwrap()), Ok(user));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = FORMAT;
        if let Ok(entries) = decode_entries(&bytes, NOW_MS) {
            let again = encode_entries(&entries, NOW_MS).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS), Ok(entries));
        }
        let _ = decode_user(&bytes);
    }

    #[test]
    fn one_changed_byte_is_decoded_or_refused(place in 1_usize..400, change in 1_u8..) {
        let mut bytes = encode_entries(&small_commit(), NOW_MS).unwrap();
        let place = 1 + place % (bytes.len() - 1);
        bytes[place] ^= change;
        if let Ok(entries) = decode_entries(&bytes, NOW_MS) {
            let again = encode_entries(&entries, NOW_MS).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS), Ok(entries));
        }
    }

    #[test]
    fn cut_bytes_are_refused(entries in entries(), cut in any::<proptest::sample::Index>()) {
        let bytes = encode_entries(&entries, NOW_MS).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(decode_entries(&bytes[..cut], NOW_MS).is_err());
    }
}

// If one of these fails, stored items can no longer be read: the format byte must change, and the old code must stay.
#[test]
fn stored_commits_stay_readable() {
    let stored = [
        &b"\x01\x03"[..],
        b"\x00\x01u\x03\x03\xff\x95\x01\x01\xcf\x0f\x01\xdf\xbe\x02\xa0\x9c\x01\x07\
          \x01\x06search\x01\x05click\x01\x07desktop",
        b"\x02\x80\x84\xf4\xd6\x8c2\x80\x84\xf4\xd6\x8c2\x03",
        b"\nuser000000\x04\xbf\xb8\x02\x01\xa8F\x05\x01\x06search\x01\x05click\x01\x07desktop",
        b"\x01v\x00\x00\x00\x00\x00\x00",
        b"\x01v\x00\x00\x02\x00\x00\x00",
        b"\x01\x03s/0\x3844444444444444444444444444444444444444444444444444000001\x00\xe7\x07\x00",
        b"\x80\x84\xf4\xd6\x8c2\x80\x84\xf4\xd6\x8c2\x01",
        b"\nuser000000\x04\xbf\xb8\x02\x01\xa8F\x05\x01\x06search\x01\x05click\x01\x07desktop",
    ]
    .concat();
    assert_eq!(decode_entries(&stored, NOW_MS), Ok(small_commit()));
    assert_eq!(encode_entries(&small_commit(), NOW_MS), Ok(stored));
}

#[test]
fn stored_users_stay_readable() {
    let stored = b"\x01\x02\x03\x80\xf2\xe6\xad\x99d\x00\x01\xdf\xbe\x02\xa0\x9c\x01\x07\
        \x01\x06search\x01\x05click\x01\x07desktop";
    assert_eq!(decode_user(stored), Ok(typical_user(30_000)));
    assert_eq!(encode_user(&typical_user(30_000)), Ok(stored.to_vec()));
}

#[test]
fn times_far_apart_survive_a_round_trip() {
    let mut user = typical_user(30_000);
    user.arrival_ms = u64::MAX;
    user.window.left_behind_until_ms = Some(u64::MAX - 1);
    assert_eq!(decode_user(&encode_user(&user).unwrap()), Ok(user.clone()));
    let entries = vec![(LogKey::User(crate::state_log_samples::user("u")), LogValue::User(user))];
    let bytes = encode_entries(&entries, 5).unwrap();
    assert_eq!(decode_entries(&bytes, 5), Ok(entries));
}

#[test]
fn other_formats_are_refused() {
    let mut bytes = encode_user(&typical_user(30_000)).unwrap();
    bytes[0] = 2;
    assert_eq!(decode_user(&bytes), Err(CodecError::UnknownFormat(2)));
    assert_eq!(decode_entries(&bytes, NOW_MS), Err(CodecError::UnknownFormat(2)));
    assert_eq!(decode_entries(&[], NOW_MS), Err(CodecError::Empty));
}

#[test]
fn bytes_that_follow_are_refused() {
    let mut bytes = encode_entries(&small_commit(), NOW_MS).unwrap();
    bytes.extend([0, 0]);
    assert_eq!(decode_entries(&bytes, NOW_MS), Err(CodecError::TrailingBytes(2)));
}

#[test]
fn huge_lengths_are_refused() {
    // A length of 2^63 for the list of entries, and for a user's name.
    let length = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let list = [&[FORMAT][..], &length].concat();
    assert!(matches!(decode_entries(&list, NOW_MS), Err(CodecError::Damaged(_))));
    let name = [&[FORMAT, 1, 0][..], &length].concat();
    assert!(matches!(decode_entries(&name, NOW_MS), Err(CodecError::Damaged(_))));
}

#[test]
fn values_that_are_never_written_are_refused_by_name() {
    let no_sessions = bytes_of_a_user(|user| user.window.sessions.clear());
    assert_eq!(refusal(&no_sessions), "entry 0: number of sessions is 0, expected 1 or more");

    let no_clicks = bytes_of_a_user(|user| user.window.sessions[0].event_count = 0);
    assert_eq!(refusal(&no_clicks), "entry 0: event_count is 0, expected 1 or more");

    let ends_before_its_start = bytes_of_a_user(|user| user.window.sessions[0].end = at(1));
    let expected = "entry 0: end is 18446744073709551615, expected a time from 1970 to 9999 in Unix milliseconds";
    assert_eq!(refusal(&ends_before_its_start), expected);

    let overlaps = bytes_of_a_user(|user| {
        let mut next = user.window.sessions[0].clone();
        next.start = at(next.end.ms() - 1);
        user.window.sessions.push(next);
    });
    let expected = "entry 0: start is -1, expected 0 or more since the end of the session before";
    assert_eq!(refusal(&overlaps), expected);

    let mut flags = bytes_of_a_user(|_| {});
    flags[1] = 4;
    assert_eq!(refusal(&flags), "entry 0: flags is 4, expected 0 to 3");
}

#[test]
fn times_after_9999_are_refused() {
    let entries = vec![(LogKey::User(user("u")), LogValue::User(typical_user(30_000)))];
    let bytes = encode_entries(&entries, NOW_MS).unwrap();
    let refused = decode_entries(&bytes, 253_402_300_800_000 + 10_000).unwrap_err().to_string();
    assert_eq!(refused, "entry 0: end is 253402300800000, expected a time from 1970 to 9999 in Unix milliseconds");
}

#[test]
fn invalid_user_ids_are_refused_without_being_shown() {
    let of_name = |name: &str| {
        let user = typical_user(30_000);
        let wire = vec![WireEntry::User { user_id: name, user: WireUser::of(&user, NOW_MS) }];
        to_extend(&wire, vec![FORMAT]).map_err(CodecError::Unencodable)
    };
    let name = "secret".repeat(50);
    let refused = |name: &str| decode_entries(&of_name(name).unwrap(), NOW_MS).unwrap_err().to_string();
    assert_eq!(refused(&name), "entry 0: length of user_id is 300, expected 1 to 256 characters");
    assert_eq!(refused(""), "entry 0: length of user_id is 0, expected 1 to 256 characters");
}

#[test]
fn odd_sequence_numbers_are_refused() {
    let mut bytes = encode_entries(&[(shard("s"), LogValue::Cursor(typical_cursor(1, NOW_MS, 0)))], NOW_MS).unwrap();
    let digit = bytes.iter().position(|byte| *byte == b'4').unwrap();
    bytes[digit] = b'x';
    let refused = decode_entries(&bytes, NOW_MS).unwrap_err().to_string();
    assert!(refused.starts_with("entry 0: sequence number is \"x444"), "{refused}");
}

#[test]
fn repeated_keys_are_refused() {
    let entry = (LogKey::User(user("u")), LogValue::User(typical_user(30_000)));
    let bytes = encode_entries(&[entry.clone(), entry], NOW_MS).unwrap();
    let refused = decode_entries(&bytes, NOW_MS).unwrap_err().to_string();
    assert_eq!(refused, "entry 1: key is that of an earlier entry, expected a new one");
}

#[test]
fn keys_with_values_of_another_kind_are_not_written() {
    let outbox = typical_cursor(1, NOW_MS, 0).outbox;
    let entries = [
        (LogKey::User(user("u")), LogValue::User(typical_user(30_000))),
        (LogKey::User(user("v")), LogValue::Swept(outbox)),
    ];
    assert_eq!(encode_entries(&entries, NOW_MS), Err(CodecError::Mismatched(1)));
    let entries = [(LogKey::Origin(Origin::Sweep), LogValue::User(typical_user(30_000)))];
    assert_eq!(encode_entries(&entries, NOW_MS), Err(CodecError::Mismatched(0)));
}
