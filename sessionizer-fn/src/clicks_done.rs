//! Which records of a batch are done, when a record may hold several clicks.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use kinesis_function::done_records::DoneRecords;

use crate::batch::BucketClicks;

/// Counts the clicks of each record that are not done yet. A record's clicks may belong to several buckets, and to
/// several commits of one; the record is done with the last of them.
#[derive(Debug)]
pub struct ClicksDone<'d> {
    done: &'d DoneRecords,
    /// By the index of the record.
    open: Vec<AtomicUsize>,
}

impl<'d> ClicksDone<'d> {
    /// For the clicks of these buckets; completes records in `done`.
    #[must_use]
    pub fn of<'b>(buckets: impl Iterator<Item = &'b BucketClicks>, done: &'d DoneRecords) -> Self {
        let mut open: Vec<AtomicUsize> = Vec::new();
        for click in buckets.flat_map(|clicks| clicks.values().flatten()) {
            if open.len() <= click.index {
                open.resize_with(click.index + 1, AtomicUsize::default);
            }
            *open[click.index].get_mut() += 1;
        }
        Self { done, open }
    }

    /// Notes that one more click of the record at `index` of the batch is applied, and what it made published. To be
    /// called once for each click.
    pub fn set_done(&self, index: usize) {
        if self.open.get(index).is_some_and(|open| open.fetch_sub(1, Relaxed) == 1) {
            self.done.set_done(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::sequence_number::SequenceNumber;
    use shared::user_id::UserId;

    use super::*;
    use crate::batch::BatchClick;
    use crate::state_log_entry::{Position, ShardKey};

    fn click(index: usize, place: u32) -> BatchClick {
        let time = shared::event_time::EventTime::from_ms(1).unwrap();
        let click = shared::click::Click { user_id: UserId::new("u").unwrap(), time, attributes: Default::default() };
        let sequence_number = SequenceNumber::parse(index.to_string()).unwrap();
        BatchClick { index, position: Position { sequence_number, place }, arrival_ms: 1, click }
    }

    #[test]
    fn record_is_done_with_the_last_of_its_clicks_in_whatever_bucket() {
        let bucket = |clicks: Vec<BatchClick>| BucketClicks::from([(ShardKey::new("s"), clicks)]);
        let buckets = [bucket(vec![click(0, 0), click(2, 0)]), bucket(vec![click(2, 1)])];
        let done = DoneRecords::none_of(3);
        let clicks = ClicksDone::of(buckets.iter(), &done);
        clicks.set_done(0);
        clicks.set_done(2);
        assert_eq!([0, 1, 2].map(|index| done.is_done(index)), [true, false, false]);
        clicks.set_done(2);
        assert!(done.is_done(2));
    }
}
