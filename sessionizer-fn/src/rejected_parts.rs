//! The rejected parts of one record: the first few are kept singly, further ones together.
//!
//! A record of 1 MiB can hold half a million unreadable parts, and all of them must be kept before the record is done.

use std::borrow::Cow;

use kinesis_function::limits::MAX_REJECTED_DATA_BYTES;
use kinesis_function::records::Record;
use kinesis_function::rejected_records::{RejectedPart, RejectedRecord};
use shared::record_parts::RecordPart;
use shared::rejection::Rejection;

/// Most rejected parts of a record that are kept singly, each with its own message: enough to see what is wrong.
///
/// Further ones are kept together, by reason, one to a line, as far as they fit into an item. So a record makes at most
/// this many items, one for each reason (roughly 30), and one for each 392 KiB; and each can be redriven by its reason,
/// because a record may hold several values.
pub const MAX_PARTS_KEPT_SINGLY: usize = 10;

/// Collects the rejected parts of a record.
#[derive(Debug)]
pub(crate) struct RejectedParts<'r> {
    index: usize,
    record: Record<'r>,
    items: Vec<RejectedRecord<'r>>,
}

impl<'r> RejectedParts<'r> {
    /// Of the record at `index` of the batch, none so far.
    pub(crate) fn of(index: usize, record: Record<'r>) -> Self {
        Self { index, record, items: Vec::new() }
    }

    /// Adds the next `part`, which was rejected for `rejection`.
    pub(crate) fn add(&mut self, part: &RecordPart<'r>, rejection: Rejection) {
        let is_single = self.items.len() < MAX_PARTS_KEPT_SINGLY;
        let shared_item = self.items.iter_mut().rev().find(|item| {
            let has_room = item.part.data.len() + 1 + part.data.len() <= MAX_REJECTED_DATA_BYTES;
            matches!(item.part.data, Cow::Owned(_)) && item.rejection.reason == rejection.reason && has_room
        });
        if let (false, Some(item)) = (is_single, shared_item) {
            let data = item.part.data.to_mut();
            data.push(b'\n');
            data.extend_from_slice(part.data);
            item.part.parts += 1;
            return;
        }
        let data = if is_single { Cow::Borrowed(part.data) } else { Cow::Owned(part.data.to_vec()) };
        let partition_key = part.partition_key.unwrap_or(self.record.partition_key);
        let part = RejectedPart { place: Some(part.place), partition_key, data, parts: 1 };
        self.items.push(RejectedRecord { index: self.index, record: self.record, part, rejection });
    }

    /// The items to keep, if the record has this many parts.
    pub(crate) fn into_items(mut self, parts_of_record: u32) -> Vec<RejectedRecord<'r>> {
        if parts_of_record == 1 {
            self.items.iter_mut().for_each(|item| item.part.place = None);
        }
        self.items
    }
}
