use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::state_log_codec::{COMMIT_OVERHEAD_BYTES, Parts};
use crate::state_log_samples::{entries, time, typical_user, user};

fn bound(entries: &[(LogKey, LogValue)]) -> usize {
    let bytes = |(key, value): &(LogKey, LogValue)| key.encoded_bytes() + value.encoded_bytes();
    COMMIT_OVERHEAD_BYTES + entries.iter().map(bytes).sum::<usize>()
}

/// Bytes before compression.
fn bytes_of(entries: &[(LogKey, LogValue)], made_ms: u64) -> usize {
    let Parts { user_ids, commit } = Parts::of(entries, made_ms).unwrap();
    user_ids.len() + commit.len()
}

fn attributes_of(value: &LogValue) -> Vec<&Attributes> {
    let of_outbox =
        value.outbox().into_iter().flat_map(|outbox| &outbox.entries).map(|entry| &entry.session.attributes);
    let of_user = value.user().into_iter().flat_map(|user| &user.window.sessions).map(|session| &session.attributes);
    of_outbox.chain(of_user).collect()
}

/// Bytes that entries may take less than their weight: their times, relative to the commit's, and the places of their
/// attributes may be small, each combination of attributes is there only once, and UUIDs take 16 bytes.
fn slack(entries: &[(LogKey, LogValue)]) -> usize {
    let times = |(_, value): &(LogKey, LogValue)| match value {
        LogValue::User(_) => 1,
        LogValue::Cursor(_) => 2,
        LogValue::Swept(_) => 0,
    };
    let times: usize = entries.iter().map(times).sum();
    let mut seen: HashMap<&Attributes, usize> = HashMap::new();
    for attributes in entries.iter().flat_map(|(_, value)| attributes_of(value)) {
        *seen.entry(attributes).or_default() += 1;
    }
    let attributes = |(attributes, times): (&&Attributes, &usize)| {
        times * (PLACE_BYTES - 1) + (times - 1) * (attributes_bytes(attributes) - PLACE_BYTES)
    };
    let of_outboxes = |(_, value): &(LogKey, LogValue)| value.outbox().map_or(0, |outbox| outbox.entries.len());
    let ids = entries.len() + entries.iter().map(of_outboxes).sum::<usize>();
    COMMIT_OVERHEAD_BYTES
        + ids * (36 - 16)
        + times * (TIME_IN_COMMIT_BYTES - 1)
        + seen.iter().map(attributes).sum::<usize>()
}

proptest! {
    #[test]
    fn commit_takes_its_weight_at_most_and_little_less(entries in entries(), made_ms in time()) {
        let (bytes, bound) = (bytes_of(&entries, made_ms), bound(&entries));
        prop_assert!(bytes <= bound, "{bytes} bytes, {bound} at most");
        prop_assert!(bytes + slack(&entries) >= bound, "{bytes} bytes, {bound} at most");
    }

    #[test]
    fn lengths_of_numbers_are_those_of_the_encoding(number in any::<u64>(), shift in 0_u32..64) {
        let number = number >> shift;
        let signed = number.cast_signed();
        prop_assert_eq!(unsigned_bytes(number), postcard::to_allocvec(&number).unwrap().len());
        for number in [signed, signed.wrapping_neg(), !signed] {
            prop_assert_eq!(signed_bytes(number), postcard::to_allocvec(&number).unwrap().len());
        }
    }
}

#[test]
fn memory_counts_long_texts_once_and_short_ones_not_at_all() {
    let key = |length: usize| LogKey::User(user(&"x".repeat(length))).memory_bytes();
    assert_eq!(key(1), size_of::<LogKey>());
    assert_eq!(key(23), size_of::<LogKey>());
    assert_eq!(key(24), size_of::<LogKey>() + 40);
}

#[test]
fn memory_of_a_clone_is_the_same() {
    let mut entry = typical_user(30_000);
    entry.window.sessions.reserve(100);
    let value = LogValue::User(entry);
    assert_eq!(value.memory_bytes(), value.clone().memory_bytes());
    assert_eq!(value.memory_bytes(), size_of::<LogValue>() + size_of::<Session>());
}
