//! A batch of records, decoded one by one and dealt to the buckets of their users.
//!
//! Unreadable records are separated, with their reasons. Nothing here reads state or decides about sessions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kinesis_function::records::Records;
use kinesis_function::rejected_records::RejectedRecord;
use shared::click::{Click, DecodedClick, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::user_id::UserId;

use crate::bucket::id::bucket_of;
use crate::state_log_entry::{Position, ShardKey};

/// A click of the batch with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchClick {
    /// The record's index in the batch, from 0.
    pub index: usize,
    /// Its position, which is compared with the shard's cursor.
    pub position: Position,
    /// When its record arrived, in Unix milliseconds.
    pub arrival_ms: u64,
    /// The click.
    pub click: Click,
}

/// The clicks of one bucket within a batch: by shard, in the order of their positions. Batches of Lambda hold one shard.
pub type BucketClicks = BTreeMap<ShardKey, Vec<BatchClick>>;

/// A decoded batch.
#[derive(Debug, Default)]
pub struct Batch<'r> {
    /// The clicks, by bucket.
    pub buckets: BTreeMap<u32, BucketClicks>,
    /// How many users clicked.
    pub users: u64,
    /// The unreadable records.
    pub rejected: Vec<RejectedRecord<'r>>,
    /// The indexes of the records whose event the filter leaves out.
    pub filtered: Vec<usize>,
    /// How many attributes of clicks were adjusted.
    pub adjusted_attributes: u64,
}

impl<'r> Batch<'r> {
    /// Decodes `records`, which contain clicks in this format, and deals the clicks to `buckets` buckets.
    #[must_use]
    pub fn decode(records: &'r Records, format: &ClickFormat, max_clock_skew_ms: u64, buckets: u32) -> Self {
        let mut batch = Self::default();
        let mut bucket_of_user: HashMap<UserId, u32> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            let latest = LatestBelievable::after_arrival(record.arrival_ms, max_clock_skew_ms);
            match format.decode_one(record.data, latest) {
                Err(rejection) => batch.rejected.push(RejectedRecord { index, record, rejection }),
                Ok(Decoded::Filtered) => batch.filtered.push(index),
                Ok(Decoded::Click(DecodedClick { click, adjusted_attributes })) => {
                    batch.adjusted_attributes += adjusted_attributes;
                    let bucket = match bucket_of_user.get(&click.user_id) {
                        Some(bucket) => *bucket,
                        None => *bucket_of_user
                            .entry(click.user_id.clone())
                            .or_insert_with_key(|user_id| bucket_of(user_id, buckets)),
                    };
                    let shard = ShardKey::new(Arc::clone(record.shard.text()));
                    let position = Position { sequence_number: record.sequence_number(), place: 0 };
                    let clicks = batch.buckets.entry(bucket).or_default().entry(shard).or_default();
                    clicks.push(BatchClick { index, position, arrival_ms: record.arrival_ms, click });
                }
            }
        }
        batch.users = bucket_of_user.len() as u64;
        batch
    }
}
