//! How much may be written to one shard without being refused.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// What a shard takes within a second: 1,000 records and 1 MiB, partition keys included. Source: Kinesis quotas.
const MAX_RECORDS_PER_SECOND: usize = 1_000;
const MAX_BYTES_PER_SECOND: usize = 1_024 * 1_024;
const SECOND: Duration = Duration::from_secs(1);

/// Records, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many records.
    pub records: usize,
    /// Their data and partition keys.
    pub bytes: usize,
}

impl Amount {
    /// Whether a shard takes as much within a second.
    #[must_use]
    pub fn fits(self) -> bool {
        self.records <= MAX_RECORDS_PER_SECOND && self.bytes <= MAX_BYTES_PER_SECOND
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { records: self.records + other.records, bytes: self.bytes + other.bytes }
    }
}

/// What one shard was given within the last second.
///
/// It counts from the answer of a call on, although the shard counted the records before: so whatever second the shard
/// looks at, it finds no more than fits.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    given: VecDeque<(Instant, Amount)>,
}

impl Pace {
    /// When the shard takes `amount`, which may be at once. What is more than a second's worth goes alone.
    #[must_use]
    pub fn free_at(&self, amount: Amount, now: Instant) -> Instant {
        let mut free_at = now;
        let mut total = amount;
        for (at, given) in self.given.iter().rev() {
            total = total.plus(*given);
            if !total.fits() {
                free_at = free_at.max(*at + SECOND);
                break;
            }
        }
        free_at
    }

    /// Notes what was given to the shard by `now`.
    pub fn give(&mut self, amount: Amount, now: Instant) {
        self.given.retain(|(at, _)| now < *at + SECOND);
        self.given.push_back((now, amount));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(records: usize) -> Amount {
        Amount { records, bytes: records }
    }

    #[test]
    fn no_second_has_more_than_a_shard_takes() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let ms = Duration::from_millis;
        assert_eq!(pace.free_at(records(1_000), start), start);
        pace.give(records(600), start);
        pace.give(records(300), start + ms(400));
        let now = start + ms(500);
        assert_eq!(pace.free_at(records(100), now), now);
        assert_eq!(pace.free_at(records(101), now), start + SECOND, "the first 600 are a second old then");
        assert_eq!(pace.free_at(records(701), now), start + ms(1_400));
        pace.give(Amount { records: 1, bytes: MAX_BYTES_PER_SECOND }, start + ms(2_000));
        assert_eq!(pace.free_at(records(1), start + ms(2_999)), start + ms(3_000), "bytes count, too");
    }
}
