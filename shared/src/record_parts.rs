//! The parts of a record of click-stream: its JSON values, or those of the records that are aggregated in it.
//!
//! Decides where each part begins and which place it has. What a value means is decided by its decoder.

use crate::aggregated_record::{self, AggregatedRecord, is_aggregated};
use crate::click::{Click, DecodedClick, LatestBelievable};
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

/// What a part holds.
pub type Content = Result<DecodedClick, Rejection>;

/// Passes each part of the record `data` to `take`, in order: at least one. A record that is malformed as a whole is a
/// single part. Takes no memory but that of an [`AggregatedRecord`].
pub fn for_each_part<'a>(data: &'a [u8], latest: LatestBelievable, mut take: impl FnMut(RecordPart<'a>, Content)) {
    let mut place = 0;
    let mut take = |partition_key, data, content| {
        take(RecordPart { place, partition_key, data }, content);
        place += 1;
    };
    if !is_aggregated(data) {
        return take(None, data, Click::decode(data, latest));
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
            take(partition_key, record.data, Click::decode(record.data, latest));
        }
    }
}
