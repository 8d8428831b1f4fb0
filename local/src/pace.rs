//! How much can be written to a shard without being throttled.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A shard's write limits per second: 1,000 records and 1 MiB, including partition keys. Source: Kinesis quotas.
const MAX_RECORDS_PER_SECOND: usize = 1_000;
const MAX_BYTES_PER_SECOND: usize = 1_024 * 1_024;
const SECOND: Duration = Duration::from_secs(1);

/// A number of records and their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Number of records.
    pub records: usize,
    /// Bytes of their data and partition keys.
    pub bytes: usize,
}

impl Amount {
    /// Whether a shard accepts this amount within a second.
    #[must_use]
    pub fn fits(self) -> bool {
        self.records <= MAX_RECORDS_PER_SECOND && self.bytes <= MAX_BYTES_PER_SECOND
    }

    /// The sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { records: self.records + other.records, bytes: self.bytes + other.bytes }
    }
}

/// The records put into one shard within the last second.
///
/// It counts them from the response to a call, after the shard itself counted them. So no matter how the shard aligns
/// its seconds, none contains more than the limit.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    given: VecDeque<(Instant, Amount)>,
}

impl Pace {
    /// When the shard can accept `amount`, at the earliest `now`. An amount above the limit waits until a second has
    /// passed since the previous one.
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

    /// Records that `amount` was put into the shard by `now`.
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
    fn no_second_exceeds_the_limits_of_a_shard() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let ms = Duration::from_millis;
        assert_eq!(pace.free_at(records(1_000), start), start);
        pace.give(records(600), start);
        pace.give(records(300), start + ms(400));
        let now = start + ms(500);
        assert_eq!(pace.free_at(records(100), now), now);
        assert_eq!(pace.free_at(records(101), now), start + SECOND, "by then the first 600 are a second old");
        assert_eq!(pace.free_at(records(701), now), start + ms(1_400));
        pace.give(Amount { records: 1, bytes: MAX_BYTES_PER_SECOND }, start + ms(2_000));
        assert_eq!(pace.free_at(records(1), start + ms(2_999)), start + ms(3_000), "bytes count as well");
    }
}
