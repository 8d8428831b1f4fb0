use std::sync::LazyLock;

use proptest::prelude::*;
use shared::attributes::Attributes;
use shared::columns::published::PublishedColumns;
use shared::session::{Status, TouchedSession};

use super::*;
use crate::state_log_entry::{Origin, OutboxEntry};
use crate::state_log_samples::{NOW_MS, at, entries, shard, time, typical_cursor, typical_user, user, user_entry};

/// No columns.
static NONE: LazyLock<SessionColumns> = LazyLock::new(SessionColumns::default);

const UUID: &str = "0189dc1e-5a3b-7c4d-8e5f-0123456789ab";

/// A commit with every kind of entry, boundary and optional value.
fn small_commit() -> Vec<(LogKey, LogValue)> {
    let (mut user_entry, cursor) = (typical_user(30_000), typical_cursor(1, NOW_MS, 1));
    user_entry.window.left_behind_until_ms = Some(NOW_MS - 31_000);
    user_entry.window.told_closed = true;
    let mut swept = cursor.outbox.clone();
    for status in [Status::Open, Status::Retracted] {
        let session = TouchedSession {
            ordinal: 0,
            start: at(NOW_MS),
            attributes: Attributes::default(),
            columns: PublishedColumns::default(),
            status,
        };
        swept.entries.push(OutboxEntry { user_id: user("v"), session });
    }
    vec![
        (LogKey::User(user("u")), LogValue::User(user_entry)),
        (LogKey::User(user(UUID)), LogValue::User(typical_user(20_000))),
        (LogKey::Origin(Origin::Sweep), LogValue::Swept(swept)),
        (shard("s/0"), LogValue::Cursor(cursor)),
    ]
}

/// The bytes of a user whose sessions are changed by `change`.
fn bytes_of_a_user(change: impl FnOnce(&mut UserEntry)) -> Vec<u8> {
    let mut user = typical_user(30_000);
    change(&mut user);
    encode_user(&user, &NONE).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    decode_user(bytes, &NONE).unwrap_err().to_string()
}

proptest! {
    #[test]
    fn entries_survive_a_round_trip(entries in entries(), made_ms in time()) {
        let bytes = encode_entries(&entries, made_ms, &NONE).unwrap();
        prop_assert_eq!(decode_entries(&bytes, made_ms, &NONE), Ok(entries));
    }

    #[test]
    fn user_at_rest_survives_a_round_trip(user in user_entry()) {
        prop_assert_eq!(decode_user(&encode_user(&user, &NONE).unwrap(), &NONE), Ok(user));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 1..200)) {
        bytes[0] = FORMAT;
        if let Ok(entries) = decode_entries(&bytes, NOW_MS, &NONE) {
            let again = encode_entries(&entries, NOW_MS, &NONE).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS, &NONE), Ok(entries));
        }
        let _ = decode_user(&bytes, &NONE);
    }

    #[test]
    fn one_changed_byte_is_decoded_or_refused(place in any::<proptest::sample::Index>(), change in 1_u8..) {
        let mut bytes = encode_entries(&small_commit(), NOW_MS, &NONE).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= change;
        if let Ok(entries) = decode_entries(&bytes, NOW_MS, &NONE) {
            let again = encode_entries(&entries, NOW_MS, &NONE).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS, &NONE), Ok(entries));
        }
    }

    #[test]
    fn one_changed_byte_before_compression_is_decoded_or_refused(
        place in any::<proptest::sample::Index>(),
        change in 1_u8..,
    ) {
        let mut parts = Parts::of(&small_commit(), NOW_MS, &NONE).unwrap();
        let place = place.index(parts.user_ids.len() + parts.commit.len());
        let byte = parts.user_ids.iter_mut().chain(&mut parts.commit).nth(place).unwrap();
        *byte ^= change;
        if let Ok(entries) = parts.into_entries(NOW_MS, &NONE) {
            let again = encode_entries(&entries, NOW_MS, &NONE).unwrap();
            prop_assert_eq!(decode_entries(&again, NOW_MS, &NONE), Ok(entries));
        }
    }

    #[test]
    fn cut_bytes_are_refused(entries in entries(), cut in any::<proptest::sample::Index>()) {
        let bytes = encode_entries(&entries, NOW_MS, &NONE).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(decode_entries(&bytes[..cut], NOW_MS, &NONE).is_err());
    }
}

// If one of these fails, stored items can no longer be read: the format byte must change, and the old code must stay.
#[test]
fn parts_of_stored_commits_stay_readable() {
    let user_ids =
        [&b"\x06\x01u\x00\nuser000000\x01v\x01v\nuser000000"[..], b"\x10\x01\x89\xdc\x1eZ;|M\x8e_\x01#Eg\x89\xab"]
            .concat();
    let outbox = b"\x04\xbf\xb8\x02\x01\xa8F\x05\x00";
    let commit = [
        &b"\x02\x01\x06search\x01\x05click\x01\x07desktop\x00\x00\x00"[..],
        b"\x04\x00\x03\x03\xff\x95\x01\x01\xcf\x0f\x01\x9f\x06\xa0\x9c\x01\x07\x00",
        b"\x00\x02\x03\xf3a\x00\x01\x9f\x06\x96h\x07\x00",
        b"\x02\x80\x84\xf4\xd6\x8c2\x80\x84\xf4\xd6\x8c2\x03",
        outbox,
        b"\x00\x00\x00\x01\x00\x00\x02\x01",
        b"\x01\x03s/0\x3844444444444444444444444444444444444444444444444444000001\x00\xe7\x07\x00",
        b"\x80\x84\xf4\xd6\x8c2\x80\x84\xf4\xd6\x8c2\x01",
        outbox,
    ]
    .concat();
    let parts = Parts { user_ids, columns: None, commit };
    assert_eq!(Parts::of(&small_commit(), NOW_MS, &NONE), Ok(parts.clone()));
    assert_eq!(parts.into_entries(NOW_MS, &NONE), Ok(small_commit()));
}

// Other versions of zstd may compress in another way, but must read these.
#[test]
fn stored_commits_stay_readable() {
    let stored = [
        &b"\x02/0(\xb5/\xfd /=\x01\x00\xf8\x06\x01u\x00\nuser0\x01v\x01v\x10\x01\x89\xdc\x1eZ;|M\x8e_\x01#Eg\x89\xab"[..],
        b"\x02\x002\x8d\\\x00\t\xb2\x01\x83\x01(\xb5/\xfd \xb2\xd5\x03\x00\xf2\x86\x1a%\xa0)\x1d\x03\x13B4J0\x08\xb6\x86\xd8",
        b"\xe7\x9c\x8c\x1d\xdbv\x81\x820\xb9Ac9Y\xb7Z\xd5gH\xee\xbd\xa5L)f\xcdt\xa4\xaau\xab\xc5\x82\xdd\xdd%\x146\xf0\xf2G\xfb",
        b"\xb6\xcd\x9a\xe9HU+\x07\x8f\n\xc6\xd1@+\x14i\xd2\xed\\\x12m\xbdd\xd2\xa4\x03(?$\x93\xe9e[\x91`D\xef1\xe8#w@8v\xc8-\x9c",
        b"\xe7\xb5c\x04\x00\xa9\x01\xba0\xa0\xc4\xc5!d(Q",
    ]
    .concat();
    assert_eq!(decode_entries(&stored, NOW_MS, &NONE), Ok(small_commit()));
}

#[test]
fn stored_users_stay_readable() {
    let stored = b"\x02\x01\x01\x06search\x01\x05click\x01\x07desktop\
        \x02\x03\x80\xf2\xe6\xad\x99d\x00\x01\x9f\x06\xa0\x9c\x01\x07\x00";
    assert_eq!(decode_user(stored, &NONE), Ok(typical_user(30_000)));
    assert_eq!(encode_user(&typical_user(30_000), &NONE), Ok(stored.to_vec()));
}

#[test]
fn times_far_apart_survive_a_round_trip() {
    let mut user = typical_user(30_000);
    user.arrival_ms = u64::MAX;
    user.window.left_behind_until_ms = Some(u64::MAX - 1);
    assert_eq!(decode_user(&encode_user(&user, &NONE).unwrap(), &NONE), Ok(user.clone()));
    let entries = vec![(LogKey::User(crate::state_log_samples::user("u")), LogValue::User(user))];
    let bytes = encode_entries(&entries, 5, &NONE).unwrap();
    assert_eq!(decode_entries(&bytes, 5, &NONE), Ok(entries));
}

#[test]
fn other_formats_are_refused() {
    let mut bytes = encode_user(&typical_user(30_000), &NONE).unwrap();
    bytes[0] = 1;
    assert_eq!(decode_user(&bytes, &NONE), Err(CodecError::UnknownFormat(1)));
    assert_eq!(decode_entries(&bytes, NOW_MS, &NONE), Err(CodecError::UnknownFormat(1)));
    assert_eq!(decode_entries(&[], NOW_MS, &NONE), Err(CodecError::Empty));
}

#[test]
fn bytes_that_follow_are_refused() {
    let mut bytes = encode_entries(&small_commit(), NOW_MS, &NONE).unwrap();
    bytes.extend([0, 0]);
    assert_eq!(decode_entries(&bytes, NOW_MS, &NONE), Err(CodecError::TrailingBytes(2)));
}

#[test]
fn huge_lengths_are_refused() {
    // A length of 2^63 for the frame of user ids, and for the list of entries.
    let length = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    let frame = [&[FORMAT, 1][..], &length].concat();
    assert!(matches!(decode_entries(&frame, NOW_MS, &NONE), Err(CodecError::Damaged(_))));
    let parts = Parts { user_ids: vec![0], columns: None, commit: [&[0][..], &length].concat() };
    assert!(matches!(parts.into_entries(NOW_MS, &NONE), Err(CodecError::Damaged(_))));
}

#[test]
fn frames_that_state_a_wrong_length_are_refused() {
    let parts = Parts::of(&small_commit(), NOW_MS, &NONE).unwrap();
    let frame = |bytes: &[u8]| compressor().unwrap().compress(bytes).unwrap();
    let (user_ids, commit) = (frame(&parts.user_ids), frame(&parts.commit));
    let refusal = |user_ids_len: usize| {
        let user_ids = Compressed::of(user_ids_len, &user_ids);
        let frames = WireFrames { user_ids, commit: Compressed::of(parts.commit.len(), &commit) };
        decode_entries(&to_extend(&frames, vec![FORMAT]).unwrap(), NOW_MS, &NONE).err().map(|error| error.to_string())
    };
    let len = parts.user_ids.len();
    assert_eq!(refusal(len), None);
    assert!(refusal(len - 1).unwrap().starts_with("the bytes cannot be decompressed: "));
    let expected = format!("the bytes cannot be decompressed: {len} bytes, expected {}", len + 1);
    assert_eq!(refusal(len + 1), Some(expected));
    let expected = "the bytes cannot be decompressed: 1048577 bytes once decompressed, more than the limit of 1048576";
    assert_eq!(refusal((1 << 20) + 1).as_deref(), Some(expected));
}

#[test]
fn commit_of_many_users_takes_a_third_of_its_bytes() {
    let mut rng = fastrand::Rng::with_seed(1);
    let user = |_| {
        let bits = rng.u128(..);
        let name = format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            bits as u32,
            bits >> 112,
            bits & 0xFFF,
            bits >> 100 & 0xFFF,
            bits >> 48 & 0xFFFF_FFFF_FFFF
        );
        let mut entry = typical_user(rng.u64(60_000..600_000));
        entry.arrival_ms = NOW_MS - rng.u64(0..1_000);
        entry.window.sessions[0].end = at(entry.arrival_ms - 5);
        (LogKey::User(crate::state_log_samples::user(&name)), LogValue::User(entry))
    };
    let entries: Vec<_> = (0..400).map(user).collect();
    let bytes = encode_entries(&entries, NOW_MS, &NONE).unwrap().len();
    // A UUID alone is 16 bytes of chance.
    assert!(bytes < 400 * 25, "{} bytes each", bytes / 400);
}

#[test]
fn user_ids_that_no_user_has_are_refused() {
    let mut parts = Parts::of(&small_commit(), NOW_MS, &NONE).unwrap();
    let (mut texts, mut uuids): (Vec<String>, Vec<u8>) = postcard::from_bytes(&parts.user_ids).unwrap();
    let mut refusal = |texts: &[String], uuids: &[u8]| {
        parts.user_ids = to_allocvec(&(texts, uuids)).unwrap();
        parts.clone().into_entries(NOW_MS, &NONE).unwrap_err().to_string()
    };
    texts.push("w".to_owned());
    assert_eq!(refusal(&texts, &uuids), "1 user ids belong to no user");
    texts.pop();
    uuids.push(0);
    assert_eq!(refusal(&texts, &uuids), "1 user ids belong to no user");
    assert_eq!(refusal(&texts, &uuids[..15]), "entry 1: length of a UUID is 15, expected 16 bytes");
    assert_eq!(refusal(&texts, &[]), "entry 1: length of a UUID is 0, expected 16 bytes");
    assert_eq!(refusal(&texts[..1], &uuids), "entry 1: number of user ids is 0, expected one for each user");
}

#[test]
fn attributes_that_the_commit_lacks_are_refused() {
    let mut texts = TextsOut::default();
    let user = typical_user(30_000);
    let user = WireUser::of(&user, NO_COMMIT_MS, &mut texts);
    let bytes = to_extend(&WireRestingUser { attributes: Vec::new(), user }, vec![FORMAT]).unwrap();
    assert_eq!(refusal(&bytes), "entry 0: place of attributes is 0, expected one that the commit has");
}

#[test]
fn user_who_was_forgotten_survives_a_round_trip_in_a_commit_only() {
    let forgotten = UserEntry::forgotten(NOW_MS - 7);
    let entries = vec![(LogKey::User(user("u")), LogValue::User(forgotten.clone()))];
    let bytes = encode_entries(&entries, NOW_MS, &NONE).unwrap();
    assert_eq!(decode_entries(&bytes, NOW_MS, &NONE), Ok(entries));
    assert_eq!(
        refusal(&encode_user(&forgotten, &NONE).unwrap()),
        "entry 0: number of sessions is 0, expected 1 or more at rest"
    );
}

#[test]
fn values_that_are_never_written_are_refused_by_name() {
    let no_sessions = bytes_of_a_user(|user| user.window.sessions.clear());
    let expected = "entry 0: number of sessions is 0, expected 1 or more, unless nothing else is known of the user";
    assert_eq!(refusal(&no_sessions), expected);

    let no_clicks = bytes_of_a_user(|user| user.window.sessions[0].event_count = 0);
    assert_eq!(refusal(&no_clicks), "entry 0: event_count is 0, expected 1 or more");

    let ends_before_its_start = bytes_of_a_user(|user| user.window.sessions[0].end = at(1));
    let expected =
        "entry 0: length is 18446742352319181617, expected the time from a start in 1970 or later to the end";
    assert_eq!(refusal(&ends_before_its_start), expected);

    let overlaps = bytes_of_a_user(|user| {
        let mut next = user.window.sessions[0].clone();
        next.start = at(next.end.ms() - 1);
        user.window.sessions.push(next);
    });
    let expected = "entry 0: end is 1, expected 0 or less since the start of the session after it";
    assert_eq!(refusal(&overlaps), expected);

    let mut flags = bytes_of_a_user(|_| {});
    let attributes_end = 1 + 1 + 3 + b"searchclickdesktop".len() + 3; // the format, how many, three options, texts
    flags[attributes_end] = 4;
    assert_eq!(refusal(&flags), "entry 0: flags is 4, expected 0 to 3");
}

#[test]
fn times_after_9999_are_refused() {
    let entries = vec![(LogKey::User(user("u")), LogValue::User(typical_user(30_000)))];
    let bytes = encode_entries(&entries, NOW_MS, &NONE).unwrap();
    let refused = decode_entries(&bytes, 253_402_300_800_000 + 10_000, &NONE).unwrap_err().to_string();
    assert_eq!(refused, "entry 0: end is 253402300800000, expected a time from 1970 to 9999 in Unix milliseconds");
}

#[test]
fn invalid_user_ids_are_refused_without_being_shown() {
    let of_name = |name: &str| Parts {
        user_ids: to_allocvec(&(vec![name], Vec::<u8>::new())).unwrap(),
        ..Parts::of(&[(LogKey::User(user("u")), LogValue::User(typical_user(30_000)))], NOW_MS, &NONE).unwrap()
    };
    let name = "secret".repeat(50);
    let refused = of_name(&name).into_entries(NOW_MS, &NONE).unwrap_err().to_string();
    assert_eq!(refused, "entry 0: length of user_id is 300, expected 1 to 256 characters");
}

#[test]
fn odd_sequence_numbers_are_refused() {
    let mut parts = Parts::of(&[(shard("s"), LogValue::Cursor(typical_cursor(1, NOW_MS, 0)))], NOW_MS, &NONE).unwrap();
    let digit = parts.commit.iter().position(|byte| *byte == b'4').unwrap();
    parts.commit[digit] = b'x';
    let refused = parts.into_entries(NOW_MS, &NONE).unwrap_err().to_string();
    assert!(refused.starts_with("entry 0: sequence number is \"x444"), "{refused}");
}

#[test]
fn repeated_keys_are_refused() {
    let entry = (LogKey::User(user("u")), LogValue::User(typical_user(30_000)));
    let bytes = encode_entries(&[entry.clone(), entry], NOW_MS, &NONE).unwrap();
    let refused = decode_entries(&bytes, NOW_MS, &NONE).unwrap_err().to_string();
    assert_eq!(refused, "entry 1: key is that of an earlier entry, expected a new one");
}

#[test]
fn keys_with_values_of_another_kind_are_not_written() {
    let outbox = typical_cursor(1, NOW_MS, 0).outbox;
    let entries = [
        (LogKey::User(user("u")), LogValue::User(typical_user(30_000))),
        (LogKey::User(user("v")), LogValue::Swept(outbox)),
    ];
    assert_eq!(encode_entries(&entries, NOW_MS, &NONE), Err(CodecError::Mismatched(1)));
    let entries = [(LogKey::Origin(Origin::Sweep), LogValue::User(typical_user(30_000)))];
    assert_eq!(encode_entries(&entries, NOW_MS, &NONE), Err(CodecError::Mismatched(0)));
}
