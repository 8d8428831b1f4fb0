//! The parts of a record of click-stream: its JSON values, or those of the records that are aggregated in it.
//!
//! Decides which place each part has. Where a value begins is decided by [`crate::record_values`], what it means by its
//! [`ClickFormat`].

use crate::aggregated_record::{self, AggregatedRecord, is_aggregated};
use crate::click::LatestBelievable;
use crate::click_format::{ClickFormat, Decoded};
use crate::rejection::Rejection;

/// A part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPart<'a> {
    /// Its place within the record, from 0. Every part has one, whatever becomes of it, so that a place means the same
    /// at every delivery.
    pub place: u32,
    /// The partition key that its producer chose, if the part was aggregated; otherwise that of the record counts.
    pub partition_key: Option<&'a str>,
    /// Its bytes.
    pub data: &'a [u8],
}

/// What a part is.
pub type Content = Result<Decoded, Rejection>;

/// Passes each part of the record `data` to `take`, in order: at least one. A record that is malformed as a whole is a
/// single part. Takes no memory but that of an [`AggregatedRecord`].
pub fn for_each_part<'a>(
    data: &'a [u8],
    format: &ClickFormat,
    latest: LatestBelievable,
    mut take: impl FnMut(RecordPart<'a>, Content),
) {
    let mut place = 0;
    let mut take = |partition_key, data, content| {
        take(RecordPart { place, partition_key, data }, content);
        place += 1;
    };
    let values = |data: &'a [u8]| {
        let values = format.values(data, latest);
        values.map(move |value| (data.get(value.bytes).unwrap_or_default(), value.decoded))
    };
    if !is_aggregated(data) {
        return values(data).for_each(|(data, content)| take(None, data, content));
    }
    let aggregated = match AggregatedRecord::read(data) {
        Ok(aggregated) => aggregated,
        Err(rejection) => return take(None, data, Err(rejection)),
    };
    for record in aggregated.records() {
        let partition_key = Some(record.partition_key);
        if is_aggregated(record.data) {
            take(partition_key, record.data, Err(aggregated_record::nested()));
        } else {
            values(record.data).for_each(|(data, content)| take(partition_key, data, content));
        }
    }
}

#[cfg(test)]
#[path = "record_parts_tests.rs"]
mod tests;
