//! Decodes arbitrary bytes as the entries of a commit, compressed and not, and as a user at rest, with and without
//! columns; what is decoded must survive a round trip and take no more bytes than its weight.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sessionizer_fn::ring_log::commit::Weight;
use sessionizer_fn::state_log_codec::{
    COMMIT_OVERHEAD_BYTES, Parts, decode_entries, decode_user, encode_entries, encode_user,
};
use shared::columns::declaration::SessionColumns;

const MADE_MS: u64 = 1_721_390_400_000;

/// Times farther than this from the commit's take more bytes than weights allow for: 8,900 years.
const MAX_DISTANCE_MS: u64 = 1 << 48;

/// Boundaries of an outbox, at most: as many bytes as an input may have.
const MAX_BOUNDARIES: usize = 4_096;

static DECLARED: LazyLock<[SessionColumns; 2]> = LazyLock::new(|| {
    let declaration =
        "a = first(/a), b = last(/b), c = count(), d = sum(/d), e = min(/e), f = max(/f), g = any(/g = 1)";
    [SessionColumns::default(), SessionColumns::parse(declaration).expect("columns")]
});

fuzz_target!(|data: &[u8]| DECLARED.iter().for_each(|columns| check(data, columns)));

fn check(data: &[u8], columns: &SessionColumns) {
    if let Ok(user) = decode_user(data, columns) {
        let encoded = encode_user(&user, columns).expect("a user can be encoded");
        assert_eq!(decode_user(&encoded, columns).as_ref(), Ok(&user));
    }
    let compressed = decode_entries(data, MADE_MS, columns).ok();
    let Some(entries) = compressed.or_else(|| parts_of(data)?.into_entries(MADE_MS, columns).ok()) else { return };
    let encoded = encode_entries(&entries, MADE_MS, columns).expect("keys and values go together");
    assert_eq!(decode_entries(&encoded, MADE_MS, columns).as_ref(), Ok(&entries));

    let is_near = |ms: u64| ms.abs_diff(MADE_MS) < MAX_DISTANCE_MS;
    let are_near = entries.iter().all(|(_, value)| {
        value.user().is_none_or(|user| is_near(user.arrival_ms))
            && value.cursor().is_none_or(|cursor| is_near(cursor.arrival_ms) && is_near(cursor.made_ms))
    });
    let weight: usize = entries.iter().map(|(key, value)| key.encoded_bytes() + value.encoded_bytes()).sum();
    let Parts { user_ids, columns: in_columns, commit } =
        Parts::of(&entries, MADE_MS, columns).expect("keys and values go together");
    let bytes = user_ids.len() + commit.len() + in_columns.map_or(0, |bytes| bytes.len());
    let overhead = COMMIT_OVERHEAD_BYTES + columns_overhead_bytes(columns, entries.len());
    assert!(!are_near || bytes <= overhead + weight, "{bytes} bytes, {weight}");
}

/// Bytes of aggregates, of the lengths of lists, and of the tags of boundaries without columns.
fn columns_overhead_bytes(columns: &SessionColumns, entries: usize) -> usize {
    if columns.is_empty() {
        return 0;
    }
    let aggregates: usize = columns.canonical_texts().map(|text| text.len() + 2).sum();
    aggregates + columns.names().len() * (2 * 5 + MAX_BOUNDARIES * entries) + 2 * 5
}

/// The first two bytes say how many bytes of user ids and of columns follow them; the rest is everything else.
fn parts_of(data: &[u8]) -> Option<Parts> {
    let ([user_ids, columns], data) = data.split_first_chunk()?;
    let (user_ids, data) = data.split_at_checked(usize::from(*user_ids))?;
    let (columns, commit) = data.split_at_checked(usize::from(*columns))?;
    let columns = (!columns.is_empty()).then(|| columns.to_vec());
    Some(Parts { user_ids: user_ids.to_vec(), columns, commit: commit.to_vec() })
}
