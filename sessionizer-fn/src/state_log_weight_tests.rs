use std::collections::HashMap;

use proptest::prelude::*;
use shared::columns::declaration::SessionColumns;
use smol_str::SmolStr;

use super::*;
use crate::state_log_codec::{COMMIT_OVERHEAD_BYTES, Parts};
use crate::state_log_samples::{at, column_values, declared, entries, entries_with_columns, time, typical_user, user};

fn bound(entries: &[(LogKey, LogValue)]) -> usize {
    let bytes = |(key, value): &(LogKey, LogValue)| key.encoded_bytes() + value.encoded_bytes();
    COMMIT_OVERHEAD_BYTES + entries.iter().map(bytes).sum::<usize>()
}

/// Bytes before compression.
fn bytes_of(entries: &[(LogKey, LogValue)], made_ms: u64) -> usize {
    let Parts { user_ids, columns, commit } = Parts::of(entries, made_ms, &SessionColumns::default()).unwrap();
    assert_eq!(columns, None);
    user_ids.len() + commit.len()
}

/// Bytes of columns before compression, without their declaration.
fn column_bytes_of(entries: &[(LogKey, LogValue)], made_ms: u64) -> usize {
    let bytes = |entries| Parts::of(entries, made_ms, &declared()).unwrap().columns.unwrap().len();
    bytes(entries) - bytes(&[])
}

fn without_columns(mut entries: Vec<(LogKey, LogValue)>) -> Vec<(LogKey, LogValue)> {
    for (_, value) in &mut entries {
        let outbox = match value {
            LogValue::User(user) => {
                user.window.sessions.iter_mut().for_each(|session| session.columns = ColumnValues::default());
                continue;
            }
            LogValue::Cursor(cursor) => &mut cursor.outbox,
            LogValue::Swept(outbox) => outbox,
        };
        outbox.entries.iter_mut().for_each(|entry| entry.session.columns = PublishedColumns::default());
    }
    entries
}

/// Bytes of the lengths of a commit's lists of tags, numbers and texts, which grow with it.
const LENGTHS_BYTES: usize = 7 * (2 + 2) + 2;

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

fn sessions_and_boundaries_without_columns(entries: &[(LogKey, LogValue)]) -> usize {
    let of_outbox =
        |outbox: &Outbox| outbox.entries.iter().filter(|it| it.session.columns.as_slice().is_empty()).count();
    entries.iter().filter_map(|(_, value)| value.outbox()).map(of_outbox).sum()
}

/// Bytes that texts may take less than their weight: a text twice is there once, at a place of one byte.
fn texts_slack(entries: &[(LogKey, LogValue)]) -> usize {
    let session_texts = |session: &Session| {
        let values = session.columns.as_slice().to_vec();
        values.into_iter().filter_map(|value| match value.seen {
            Seen::First(Some(at)) | Seen::Last(Some(at)) => Some(at.text),
            _ => None,
        })
    };
    let boundary_texts = |entry: &OutboxEntry| {
        let columns = entry.session.columns.as_slice().to_vec();
        columns.into_iter().filter_map(|column| match column.value {
            Some(PublishedValue::Text(text)) => Some(text),
            _ => None,
        })
    };
    let of_users = entries.iter().filter_map(|(_, value)| value.user()).flat_map(|user| &user.window.sessions);
    let of_outboxes = entries.iter().filter_map(|(_, value)| value.outbox()).flat_map(|outbox| &outbox.entries);
    let texts = of_users.flat_map(session_texts).chain(of_outboxes.flat_map(boundary_texts));
    let mut seen: HashMap<SmolStr, usize> = HashMap::new();
    texts.for_each(|text| *seen.entry(text).or_default() += 1);
    let slack = |(text, times): (&SmolStr, &usize)| times * (PLACE_BYTES - 1) + (times - 1) * text_bytes(text);
    seen.iter().map(slack).sum()
}

proptest! {
    #[test]
    fn commit_takes_its_weight_at_most_and_little_less(entries in entries(), made_ms in time()) {
        let (bytes, bound) = (bytes_of(&entries, made_ms), bound(&entries));
        prop_assert!(bytes <= bound, "{bytes} bytes, {bound} at most");
        prop_assert!(bytes + slack(&entries) >= bound, "{bytes} bytes, {bound} at most");
    }

    #[test]
    fn columns_take_their_weight_at_most_and_little_less(entries in entries_with_columns(), made_ms in time()) {
        let bytes = column_bytes_of(&entries, made_ms);
        let lacking = 7 * sessions_and_boundaries_without_columns(&entries); // a tag each
        let bound = bound(&entries) - bound(&without_columns(entries.clone()));
        prop_assert!(bytes <= bound + lacking + LENGTHS_BYTES, "{bytes} bytes, {bound} and {lacking} at most");
        prop_assert!(bytes + texts_slack(&entries) >= bound, "{bytes} bytes, {bound} at most");
    }

    #[test]
    fn no_column_takes_more_than_its_bound(values in column_values(), start_ms in time(), end_ms in time()) {
        let (start, end) = (at(start_ms), at(end_ms));
        let bytes: usize = values.as_slice().iter().map(|value| value_bytes(value, start, end, PLACE_BYTES)).sum();
        let published = values.in_closed();
        let published: usize = published.as_slice().iter().map(|column| published_bytes(column, PLACE_BYTES)).sum();
        prop_assert!(bytes <= columns_bytes_at_most(&values), "{bytes} bytes");
        prop_assert!(published <= bytes, "a boundary takes {published} bytes, its session {bytes}");
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
