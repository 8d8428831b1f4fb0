//! Decodes arbitrary bytes as the entries of a commit and as a user at rest; what is decoded must survive a round trip
//! and take no more bytes than its weight.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sessionizer_fn::ring_log::commit::Weight;
use sessionizer_fn::state_log_codec::{
    COMMIT_OVERHEAD_BYTES, decode_entries, decode_user, encode_entries, encode_user,
};

const MADE_MS: u64 = 1_721_390_400_000;

/// Times farther than this from the commit's take more bytes than weights allow for: 8,900 years.
const MAX_DISTANCE_MS: u64 = 1 << 48;

fuzz_target!(|data: &[u8]| {
    if let Ok(user) = decode_user(data) {
        let encoded = encode_user(&user).expect("a user can be encoded");
        assert_eq!(decode_user(&encoded).as_ref(), Ok(&user));
    }
    let Ok(entries) = decode_entries(data, MADE_MS) else { return };
    let encoded = encode_entries(&entries, MADE_MS).expect("keys and values go together");
    assert_eq!(decode_entries(&encoded, MADE_MS).as_ref(), Ok(&entries));

    let is_near = |ms: u64| ms.abs_diff(MADE_MS) < MAX_DISTANCE_MS;
    let are_near = entries.iter().all(|(_, value)| {
        value.user().is_none_or(|user| is_near(user.arrival_ms))
            && value.cursor().is_none_or(|cursor| is_near(cursor.arrival_ms) && is_near(cursor.made_ms))
    });
    let weight: usize = entries.iter().map(|(key, value)| key.encoded_bytes() + value.encoded_bytes()).sum();
    assert!(!are_near || encoded.len() <= COMMIT_OVERHEAD_BYTES + weight, "{} bytes, {weight}", encoded.len());
});
