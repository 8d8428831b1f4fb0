//! What the entries of a state log take, in commits and in memory.
//!
//! Sizes in commits are those before compression, and count the attributes and texts of each session although a commit
//! has each only once: bounds that hold whatever the users. They follow [`crate::state_log_wire`],
//! [`crate::state_log_texts`] and [`crate::state_log_columns`]: a change there needs one here, and a property test
//! compares them.

use shared::attributes::Attributes;
use shared::columns::published::{PublishedColumns, PublishedValue};
use shared::columns::values::{ColumnValue, ColumnValues, Seen};
use shared::session::{Session, Status, TouchedSession};
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use crate::ring_log::commit::Weight;
use crate::state_log_columns::{published_bytes, value_bytes};
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, OutboxEntry, UserEntry};
use crate::state_log_wire::since;

/// Bytes of a time relative to when a commit was made, which a weight does not know. Enough for 8,900 years either way.
const TIME_IN_COMMIT_BYTES: usize = 7;

/// Bytes of a variant, a flag byte or a one-byte option.
const TAG_BYTES: usize = 1;

/// Bytes of the place of a combination of attributes or a text, at most: an item has fewer than 2^20 of them, and the
/// place of a text takes one more bit.
const PLACE_BYTES: usize = 3;

/// Bytes of a column's number, at most: 128 bits, seven to a byte.
const MAX_NUMBER_BYTES: usize = 19;

/// Memory of a list of columns besides these: a length and a capacity. Source: thin-vec.
const LIST_BYTES: usize = 16;

/// Longest text that takes no memory besides its value, in bytes. Source: smol_str, `SmolStr`.
const MAX_INLINE_BYTES: usize = 23;

/// Memory of a shared text besides its bytes: two counters.
const SHARED_TEXT_BYTES: usize = 16;

impl Weight for LogKey {
    fn encoded_bytes(&self) -> usize {
        match self {
            Self::User(user_id) => text_bytes(user_id.as_str()),
            Self::Origin(Origin::Shard(shard)) => text_bytes(shard.as_str()),
            Self::Origin(Origin::Sweep) => 0,
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::User(user_id) => user_id_heap_bytes(user_id),
                Self::Origin(Origin::Shard(shard)) => SHARED_TEXT_BYTES + shard.as_str().len(),
                Self::Origin(Origin::Sweep) => 0,
            }
    }
}

impl Weight for LogValue {
    fn encoded_bytes(&self) -> usize {
        TAG_BYTES
            + match self {
                Self::User(user) => user_bytes(user),
                Self::Cursor(cursor) => cursor_bytes(cursor),
                Self::Swept(outbox) => outbox_bytes(outbox),
            }
    }

    // Lengths, not capacities: a clone has the same weight.
    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::User(user) => user.window.sessions.iter().map(session_memory_bytes).sum(),
                Self::Cursor(cursor) => {
                    heap_bytes(cursor.position.sequence_number.as_str()) + outbox_heap_bytes(&cursor.outbox)
                }
                Self::Swept(outbox) => outbox_heap_bytes(outbox),
            }
    }
}

fn user_bytes(user: &UserEntry) -> usize {
    window_bytes(&user.window, user.arrival_ms)
}

/// What a user takes in a commit, key and value together.
pub(crate) fn user_entry_bytes(user_id: &UserId, window: &SessionWindow, arrival_ms: u64) -> usize {
    text_bytes(user_id.as_str()) + TAG_BYTES + window_bytes(window, arrival_ms)
}

fn window_bytes(window: &SessionWindow, arrival_ms: u64) -> usize {
    let first_start_ms = window.sessions.first().map_or(0, |first| first.start.ms());
    let until_bytes = window.left_behind_until_ms.map_or(0, |until_ms| signed_bytes(since(first_start_ms, until_ms)));
    let mut base_ms = arrival_ms;
    let session_bytes = |session: &Session| {
        let end_bytes = signed_bytes(since(base_ms, session.end.ms()));
        base_ms = session.start.ms();
        let length_ms = session.end.ms().wrapping_sub(session.start.ms());
        end_bytes
            + unsigned_bytes(length_ms)
            + unsigned_bytes(session.event_count)
            + attributes_bytes(&session.attributes)
            + columns_bytes(session)
    };
    TAG_BYTES // the flags
        + unsigned_bytes(window.first_ordinal)
        + TIME_IN_COMMIT_BYTES
        + TAG_BYTES
        + until_bytes
        + unsigned_bytes(window.sessions.len() as u64)
        + window.sessions.iter().rev().map(session_bytes).sum::<usize>()
}

fn cursor_bytes(cursor: &Cursor) -> usize {
    text_bytes(cursor.position.sequence_number.as_str())
        + unsigned_bytes(cursor.position.place.into())
        + 2 * TIME_IN_COMMIT_BYTES
        + outbox_bytes(&cursor.outbox)
}

fn outbox_bytes(outbox: &Outbox) -> usize {
    let version = outbox.version.number();
    let entry_bytes = |entry: &OutboxEntry| boundary_bytes(&entry.user_id, &entry.session, version);
    unsigned_bytes(outbox.commit)
        + unsigned_bytes(version)
        + unsigned_bytes(outbox.entries.len() as u64)
        + outbox.entries.iter().map(entry_bytes).sum::<usize>()
}

/// What a boundary takes in the outbox of a commit with this version.
pub(crate) fn boundary_bytes(user_id: &UserId, session: &TouchedSession, version: u64) -> usize {
    let summary_bytes = match session.status {
        Status::Open | Status::Retracted => 0,
        Status::Closed { end, event_count } => {
            unsigned_bytes(end.ms().wrapping_sub(session.start.ms())) + unsigned_bytes(event_count)
        }
    };
    text_bytes(user_id.as_str())
        + unsigned_bytes(session.ordinal)
        + signed_bytes(since(version, session.start.ms()))
        + TAG_BYTES
        + summary_bytes
        + attributes_bytes(&session.attributes)
        + session.columns.as_slice().iter().map(|column| published_bytes(column, PLACE_BYTES)).sum::<usize>()
}

fn columns_bytes(session: &Session) -> usize {
    let Session { start, end, columns, .. } = session;
    columns.as_slice().iter().map(|value| value_bytes(value, *start, *end, PLACE_BYTES)).sum()
}

/// What the columns of a session, of its boundary, or of a click that joins it take in a commit, at most: numbers may
/// still grow, so they count as the longest.
pub(crate) fn columns_bytes_at_most(columns: &ColumnValues) -> usize {
    let bytes = |value: &ColumnValue| match &value.seen {
        Seen::First(text) | Seen::Last(text) => {
            text.as_ref().map_or(0, |it| MAX_NUMBER_BYTES + PLACE_BYTES + text_bytes(&it.text))
        }
        Seen::Count(_) | Seen::Sum(_) | Seen::Min(_) | Seen::Max(_) => MAX_NUMBER_BYTES,
        Seen::Any(_) => 0,
    };
    columns.as_slice().iter().map(|value| TAG_BYTES + bytes(value)).sum()
}

fn attributes_bytes(attributes: &Attributes) -> usize {
    let Attributes { event_name, event_type, device_type } = attributes;
    let bytes = |text: &&str| text_bytes(text);
    let texts = [event_name, event_type, device_type].map(Option::as_deref);
    PLACE_BYTES + texts.len() * TAG_BYTES + texts.iter().flatten().map(bytes).sum::<usize>()
}

fn text_bytes(text: &str) -> usize {
    unsigned_bytes(text.len() as u64) + text.len()
}

/// Seven bits to a byte.
pub(crate) fn unsigned_bytes(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// The sign takes a bit.
fn signed_bytes(number: i64) -> usize {
    let magnitude = if number < 0 { !number } else { number }.cast_unsigned();
    (u64::BITS - magnitude.leading_zeros() + 1).div_ceil(7) as usize
}

fn session_memory_bytes(session: &Session) -> usize {
    size_of::<Session>() + attributes_heap_bytes(&session.attributes) + values_heap_bytes(&session.columns)
}

fn values_heap_bytes(columns: &ColumnValues) -> usize {
    list_heap_bytes(columns.as_slice(), |value| match &value.seen {
        Seen::First(at) | Seen::Last(at) => at.as_ref().map(|at| &*at.text),
        _ => None,
    })
}

fn published_heap_bytes(columns: &PublishedColumns) -> usize {
    list_heap_bytes(columns.as_slice(), |column| match &column.value {
        Some(PublishedValue::Text(text)) => Some(text),
        _ => None,
    })
}

/// Memory of a list of columns, each of which may have a `text`.
fn list_heap_bytes<T>(list: &[T], text: impl Fn(&T) -> Option<&str>) -> usize {
    let own = if list.is_empty() { 0 } else { LIST_BYTES };
    own + size_of_val(list) + list.iter().filter_map(text).map(heap_bytes).sum::<usize>()
}

fn outbox_heap_bytes(outbox: &Outbox) -> usize {
    let bytes = |entry: &OutboxEntry| {
        let TouchedSession { attributes, columns, .. } = &entry.session;
        size_of::<OutboxEntry>()
            + user_id_heap_bytes(&entry.user_id)
            + attributes_heap_bytes(attributes)
            + published_heap_bytes(columns)
    };
    outbox.entries.iter().map(bytes).sum()
}

fn attributes_heap_bytes(attributes: &Attributes) -> usize {
    let Attributes { event_name, event_type, device_type } = attributes;
    [event_name, event_type, device_type].into_iter().flatten().map(|text| heap_bytes(text)).sum()
}

fn user_id_heap_bytes(user_id: &UserId) -> usize {
    heap_bytes(user_id.as_str())
}

fn heap_bytes(text: &str) -> usize {
    if text.len() <= MAX_INLINE_BYTES { 0 } else { SHARED_TEXT_BYTES + text.len() }
}

#[cfg(test)]
#[path = "state_log_weight_tests.rs"]
mod tests;
