//! A batch of records, decoded one by one and grouped by user.
//!
//! Unreadable records are separated, with their reasons. Nothing here reads state or decides about sessions.

use std::collections::HashMap;
use std::sync::Arc;

use kinesis_function::records::{Record, Records};
use kinesis_function::rejected_records::RejectedRecord;
use shared::click::{Click, DecodedClick, LatestBelievable};
use shared::sequence_number::SequenceNumber;
use shared::user_id::UserId;

/// Identifies a cursor: records with the same cursor key are processed in order.
///
/// As long as Lambda runs one batch of a shard at a time, the shard is the key. With a parallelization factor above 1,
/// Lambda preserves the order only within a partition key, so a record whose partition key is not its user id gets a
/// cursor for that partition key. A cursor for the whole shard would mistake the new clicks of a slower batch for
/// redelivered ones.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CursorKey(Arc<str>);

impl CursorKey {
    /// The key with this text, as stored in a state item.
    #[must_use]
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The key's text: stream and shard, followed by `#` and the partition key if the cursor is limited to one.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(record: &Record<'_>, user_id: &UserId, parallelization_factor: u64) -> Self {
        if parallelization_factor == 1 || record.partition_key == user_id.partition_key() {
            Self::new(Arc::clone(record.shard.text()))
        } else {
            Self::new(format!("{}#{}", record.shard, record.partition_key))
        }
    }
}

/// A click of the batch with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchClick {
    /// The record's index in the batch, from 0.
    pub index: usize,
    /// The cursor that covers it.
    pub cursor_key: CursorKey,
    /// Its sequence number, which is compared with that cursor.
    pub sequence_number: SequenceNumber,
    /// The click.
    pub click: Click,
}

/// The clicks of one user within a batch, in arrival order.
#[derive(Clone, Debug)]
pub struct UserClicks {
    /// The user.
    pub user_id: UserId,
    /// The clicks, at least one.
    pub clicks: Vec<BatchClick>,
}

/// A decoded batch.
#[derive(Debug, Default)]
pub struct Batch<'r> {
    /// The users who clicked, in order of their first click.
    pub users: Vec<UserClicks>,
    /// The unreadable records.
    pub rejected: Vec<RejectedRecord<'r>>,
    /// How many attributes of clicks were adjusted.
    pub adjusted_attributes: u64,
}

impl<'r> Batch<'r> {
    /// Decodes `records`.
    #[must_use]
    pub fn decode(records: &'r Records, max_clock_skew_ms: u64, parallelization_factor: u64) -> Self {
        let mut batch = Self::default();
        let mut places: HashMap<UserId, usize> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            let latest = LatestBelievable::after_arrival(record.arrival_ms, max_clock_skew_ms);
            match Click::decode(record.data, latest) {
                Err(rejection) => batch.rejected.push(RejectedRecord { index, record, rejection }),
                Ok(DecodedClick { click, adjusted_attributes }) => {
                    batch.adjusted_attributes += adjusted_attributes;
                    let place = *places.entry(click.user_id.clone()).or_insert_with_key(|user_id| {
                        batch.users.push(UserClicks { user_id: user_id.clone(), clicks: Vec::new() });
                        batch.users.len() - 1
                    });
                    let cursor_key = CursorKey::of(&record, &click.user_id, parallelization_factor);
                    let sequence_number = record.sequence_number();
                    batch.users[place].clicks.push(BatchClick { index, cursor_key, sequence_number, click });
                }
            }
        }
        batch
    }
}
