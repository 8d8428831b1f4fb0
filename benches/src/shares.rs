//! Which shards write to a bucket, and with what share of its clicks.

use std::collections::BTreeMap;

use fastrand::Rng;

/// The shards that write to a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writers {
    /// Each shard's share of the bucket's clicks, relative to the others.
    pub shares: Vec<u64>,
    /// Whether the user is the partition key: all clicks of a user come from one shard.
    pub by_user: bool,
}

impl Writers {
    /// One shard.
    #[must_use]
    pub fn one() -> Self {
        Self { shares: vec![1], by_user: true }
    }

    /// The kinds of buckets that a stream of `shards` shards has, and how many there are of each. Shards and buckets
    /// are equal parts of the same range of hashes, so a bucket has clicks of every shard that it overlaps. With random
    /// partition keys (not `by_user`) it has clicks of all.
    #[must_use]
    pub fn kinds(shards: u32, buckets: u32, by_user: bool) -> Vec<(Self, u32)> {
        let (shards, buckets) = (u64::from(shards.max(1)), u64::from(buckets.max(1)));
        let mut kinds: BTreeMap<Vec<u64>, u32> = BTreeMap::new();
        for bucket in 0..buckets {
            let overlap = |shard: u64| {
                let end = ((bucket + 1) * shards).min((shard + 1) * buckets);
                end.saturating_sub((bucket * shards).max(shard * buckets))
            };
            let mut shares: Vec<u64> = (0..shards).map(overlap).filter(|share| *share > 0).collect();
            shares.sort_unstable();
            *kinds.entry(if by_user { shares } else { vec![1; (0..shards).count()] }).or_default() += 1;
        }
        kinds.into_iter().map(|(shares, count)| (Self { shares, by_user }, count)).collect()
    }

    /// The shard of the next click, which is one of `user`.
    #[must_use]
    pub fn shard_of(&self, user: usize, rng: &mut Rng) -> usize {
        let of_user = if self.by_user { &mut Rng::with_seed(user as u64) } else { rng };
        let place = of_user.u64(0..self.shares.iter().sum::<u64>().max(1));
        let mut end = 0;
        let is_before = |share: &&u64| {
            end += **share;
            end <= place
        };
        self.shares.iter().take_while(is_before).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_has_the_shards_that_it_overlaps() {
        assert_eq!(Writers::kinds(4, 4, true), [(Writers { shares: vec![4], by_user: true }, 4)]);
        assert_eq!(Writers::kinds(8, 4, true), [(Writers { shares: vec![4, 4], by_user: true }, 4)]);
        // Eight buckets to five shards: four of the eight lie across the border between two.
        let kinds = Writers::kinds(40, 64, true).into_iter().map(|(writers, count)| (writers.shares, count));
        assert_eq!(kinds.collect::<Vec<_>>(), [(vec![8, 32], 16), (vec![16, 24], 16), (vec![40], 32)]);
    }

    #[test]
    fn bucket_has_all_shards_with_random_partition_keys() {
        assert_eq!(Writers::kinds(3, 4, false), [(Writers { shares: vec![1; 3], by_user: false }, 4)]);
    }

    #[test]
    fn shards_get_their_shares_and_a_user_stays_in_one() {
        let (writers, mut rng) = (Writers { shares: vec![1, 3], by_user: true }, Rng::with_seed(1));
        let of_second = (0..1_000).filter(|user| writers.shard_of(*user, &mut rng) == 1).count();
        assert!((700..800).contains(&of_second), "{of_second}");
        assert!((0..50).all(|_| writers.shard_of(7, &mut rng) == writers.shard_of(7, &mut rng)));
        let random = Writers { by_user: false, ..writers };
        let of_second = (0..1_000).filter(|_| random.shard_of(7, &mut rng) == 1).count();
        assert!((700..800).contains(&of_second), "{of_second}");
    }
}
