use proptest::prelude::*;

use super::*;
use crate::state_log_codec::{COMMIT_OVERHEAD_BYTES, encode_entries};
use crate::state_log_samples::{NOW_MS, entries, shard, time, typical_cursor, typical_user, user};

fn bound(entries: &[(LogKey, LogValue)]) -> usize {
    let bytes = |(key, value): &(LogKey, LogValue)| key.encoded_bytes() + value.encoded_bytes();
    COMMIT_OVERHEAD_BYTES + entries.iter().map(bytes).sum::<usize>()
}

/// Bytes that an entry may take less than its weight: its times, relative to the commit's, may be small.
fn slack(entries: &[(LogKey, LogValue)]) -> usize {
    let times = |(_, value): &(LogKey, LogValue)| match value {
        LogValue::User(_) => 1,
        LogValue::Cursor(_) => 2,
        LogValue::Swept(_) => 0,
    };
    let times: usize = entries.iter().map(times).sum();
    COMMIT_OVERHEAD_BYTES + times * (TIME_IN_COMMIT_BYTES - 1)
}

proptest! {
    #[test]
    fn commit_takes_its_weight_at_most_and_little_less(entries in entries(), made_ms in time()) {
        let bytes = encode_entries(&entries, made_ms).unwrap().len();
        let bound = bound(&entries);
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
fn weight_of_typical_commits_is_tight() {
    let mut entries =
        vec![(shard("click-stream/shardId-000000000000"), LogValue::Cursor(typical_cursor(1, NOW_MS, 500)))];
    for number in 0..1_000_u64 {
        let name = user(&format!("user{number:06}"));
        entries.push((LogKey::User(name), LogValue::User(typical_user(10 * number))));
    }
    let bytes = encode_entries(&entries, NOW_MS).unwrap().len();
    let bound = bound(&entries);
    assert!(bytes <= bound && bound * 100 <= bytes * 110, "{bytes} bytes, {bound} at most");
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
