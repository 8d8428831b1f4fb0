//! A batch of records, decoded part by part and dealt to the buckets of their users.
//!
//! Unreadable parts are separated, with their reasons. Nothing here reads state or decides about sessions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kinesis_function::records::{Record, Records};
use kinesis_function::rejected_records::RejectedRecord;
use shared::click::{Click, DecodedClick, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::record_parts::for_each_part;
use shared::user_id::UserId;

use crate::bucket::id::bucket_of;
use crate::rejected_parts::RejectedParts;
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
    /// The unreadable records and parts of records.
    pub rejected: Vec<RejectedRecord<'r>>,
    /// How many clicks and items of `rejected` each record has: what must be done before the record is.
    pub parts: Vec<usize>,
    /// How many events the filter left out.
    pub filtered: u64,
    /// How many attributes of clicks were adjusted.
    pub adjusted_attributes: u64,
    /// How many values for columns were adjusted or left out.
    pub adjusted_columns: u64,
}

impl<'r> Batch<'r> {
    /// Decodes `records`, which are in this `format`, and deals the clicks to `buckets` buckets.
    #[must_use]
    pub fn decode(records: &'r Records, format: &ClickFormat, max_clock_skew_ms: u64, buckets: u32) -> Self {
        let mut batch = Self { parts: Vec::with_capacity(records.len()), ..Self::default() };
        let mut bucket_of_user: HashMap<UserId, u32> = HashMap::new();
        for (index, record) in records.iter().enumerate() {
            let latest = LatestBelievable::after_arrival(record.arrival_ms, max_clock_skew_ms);
            let parts = batch.take_parts(index, record, format, latest, |user_id| match bucket_of_user.get(user_id) {
                Some(bucket) => *bucket,
                None => {
                    *bucket_of_user.entry(user_id.clone()).or_insert_with_key(|user_id| bucket_of(user_id, buckets))
                }
            });
            batch.parts.push(parts);
        }
        batch.users = bucket_of_user.len() as u64;
        batch
    }

    /// Takes the parts of `record`. Returns how many clicks and rejected items there are.
    fn take_parts(
        &mut self,
        index: usize,
        record: Record<'r>,
        format: &ClickFormat,
        latest: LatestBelievable,
        mut bucket_of: impl FnMut(&UserId) -> u32,
    ) -> usize {
        let sequence_number = record.sequence_number();
        let mut rejected = RejectedParts::of(index, record);
        let (mut parts, mut clicks) = (0, 0);
        for_each_part(record.data, format, latest, |part, content| {
            parts += 1;
            match content {
                Err(rejection) => rejected.add(&part, rejection),
                Ok(Decoded::Filtered) => self.filtered += 1,
                Ok(Decoded::Click(DecodedClick { click, adjusted_attributes, adjusted_columns })) => {
                    clicks += 1;
                    self.adjusted_attributes += adjusted_attributes;
                    self.adjusted_columns += adjusted_columns;
                    let shard = ShardKey::new(Arc::clone(record.shard.text()));
                    let of_bucket = self.buckets.entry(bucket_of(&click.user_id)).or_default();
                    let position = Position { sequence_number: sequence_number.clone(), place: part.place };
                    let click = BatchClick { index, position, arrival_ms: record.arrival_ms, click };
                    of_bucket.entry(shard).or_default().push(click);
                }
            }
        });
        let items = rejected.into_items(parts);
        let to_be_done = clicks + items.len();
        self.rejected.extend(items);
        to_be_done
    }
}
