//! Decodes arbitrary bytes as the entries of a commit, compressed and not, and as a user at rest; what is decoded must
//! survive a round trip and take no more bytes than its weight.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessionizer_fn::ring_log::commit::Weight;
use sessionizer_fn::state_log_codec::{
    COMMIT_OVERHEAD_BYTES, Parts, decode_entries, decode_user, encode_entries, encode_user,
};

const MADE_MS: u64 = 1_721_390_400_000;

/// Times farther than this from the commit's take more bytes than weights allow for: 8,900 years.
const MAX_DISTANCE_MS: u64 = 1 << 48;

fuzz_target!(|data: &[u8]| {
    if let Ok(user) = decode_user(data) {
        let encoded = encode_user(&user).expect("a user can be encoded");
        assert_eq!(decode_user(&encoded).as_ref(), Ok(&user));
    }
    let compressed = decode_entries(data, MADE_MS).ok();
    let Some(entries) = compressed.or_else(|| parts_of(data)?.into_entries(MADE_MS).ok()) else { return };
    let encoded = encode_entries(&entries, MADE_MS).expect("keys and values go together");
    assert_eq!(decode_entries(&encoded, MADE_MS).as_ref(), Ok(&entries));

    let is_near = |ms: u64| ms.abs_diff(MADE_MS) < MAX_DISTANCE_MS;
    let are_near = entries.iter().all(|(_, value)| {
        value.user().is_none_or(|user| is_near(user.arrival_ms))
            && value.cursor().is_none_or(|cursor| is_near(cursor.arrival_ms) && is_near(cursor.made_ms))
    });
    let weight: usize = entries.iter().map(|(key, value)| key.encoded_bytes() + value.encoded_bytes()).sum();
    let Parts { user_ids, commit } = Parts::of(&entries, MADE_MS).expect("keys and values go together");
    let bytes = user_ids.len() + commit.len();
    assert!(!are_near || bytes <= COMMIT_OVERHEAD_BYTES + weight, "{bytes} bytes, {weight}");
});

/// The first byte says how many bytes of user ids follow it; the rest is everything else.
fn parts_of(data: &[u8]) -> Option<Parts> {
    let (len, data) = data.split_first()?;
    let (user_ids, commit) = data.split_at_checked(usize::from(*len))?;
    Some(Parts { user_ids: user_ids.to_vec(), commit: commit.to_vec() })
}
