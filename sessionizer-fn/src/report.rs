//! The counts of one invocation, and their names in CloudWatch.

use std::ops::AddAssign;

use kinesis_function::metrics::Metric;

/// The counts of one invocation, a batch or a sweep.
///
/// Every record of a finished batch is applied, late, already applied or rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Users with clicks in the batch.
    pub users: u64,
    /// Clicks that this invocation committed to a session.
    pub applied: u64,
    /// Clicks that arrived too late for a session. The cursor still moves past them.
    pub late: u64,
    /// Events that the filter by names left out; counted again when they are redelivered.
    pub filtered: u64,
    /// Clicks that an earlier delivery or another invocation had already committed.
    pub already_applied: u64,
    /// Attributes of clicks that were adjusted because they were not strings, not Unicode or too long.
    pub adjusted_attributes: u64,
    /// Values for columns that were adjusted or left out: texts as attributes are, numbers because they were none or too
    /// large.
    pub adjusted_columns: u64,
    /// Sessions started.
    pub started: u64,
    /// Sessions closed because the user's next session started.
    pub closed: u64,
    /// Sessions closed because the user was inactive.
    pub closed_by_inactivity: u64,
    /// Sessions closed ahead of time because the log or the memory was near its bounds.
    pub closed_early: u64,
    /// Sessions that went on after they had been closed by inactivity or ahead of time.
    pub reopened: u64,
    /// Sessions that late clicks merged with another one; each retracts an ordinal.
    pub merged: u64,
    /// Boundaries put into session-stream, including those of redeliveries.
    pub published: u64,
    /// Commits written to the state log.
    pub commits: u64,
    /// Commits that lost a race to another commit of the same bucket.
    pub lost_races: u64,
    /// Entries of old commits that a commit repeated to let the log's tail move on.
    pub carried: u64,
    /// Users read from session-state.
    pub users_read: u64,
    /// Users written to session-state.
    pub users_at_rest: u64,
    /// Shards whose sequence numbers started over: a stream that was deleted and created again under its old name.
    pub streams_begun_again: u64,
    /// Buckets whose log was read from tail to head.
    pub buckets_loaded: u64,
    /// Buckets in which a sweep did not use the current time because a shard was catching up.
    pub buckets_catching_up: u64,
    /// Sizes at the end of the invocation.
    pub gauges: Gauges,
}

/// Sizes rather than occurrences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Users whose last session is not told closed, in the buckets of this invocation. A sweep has all buckets.
    pub hot_users: u64,
    /// Live entries in the largest log of a bucket, in bytes.
    pub log_bytes: u64,
    /// Slots from tail to head in the longest log of a bucket.
    pub log_slots: u64,
    /// Memory that the environment's buckets take, in bytes.
    pub memory_bytes: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.users += other.users;
        self.applied += other.applied;
        self.late += other.late;
        self.filtered += other.filtered;
        self.already_applied += other.already_applied;
        self.adjusted_attributes += other.adjusted_attributes;
        self.adjusted_columns += other.adjusted_columns;
        self.started += other.started;
        self.closed += other.closed;
        self.closed_by_inactivity += other.closed_by_inactivity;
        self.closed_early += other.closed_early;
        self.reopened += other.reopened;
        self.merged += other.merged;
        self.published += other.published;
        self.commits += other.commits;
        self.lost_races += other.lost_races;
        self.carried += other.carried;
        self.users_read += other.users_read;
        self.users_at_rest += other.users_at_rest;
        self.streams_begun_again += other.streams_begun_again;
        self.buckets_loaded += other.buckets_loaded;
        self.buckets_catching_up += other.buckets_catching_up;
        self.gauges += other.gauges;
    }
}

impl Gauges {
    /// Adds another bucket of the same invocation.
    pub fn add_bucket(&mut self, bucket: Self) {
        let hot_users = self.hot_users + bucket.hot_users;
        *self += bucket;
        self.hot_users = hot_users;
    }
}

/// The larger reading of each size: two readings of the same log add up to nothing, and the largest one is what limits
/// are about.
impl AddAssign for Gauges {
    fn add_assign(&mut self, other: Self) {
        self.hot_users = self.hot_users.max(other.hot_users);
        self.log_bytes = self.log_bytes.max(other.log_bytes);
        self.log_slots = self.log_slots.max(other.log_slots);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
    }
}

impl Report {
    /// The counts as metrics.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        vec![
            Metric::count("Users", self.users),
            Metric::count("ClicksApplied", self.applied),
            Metric::count("ClicksLate", self.late),
            Metric::count("ClicksFiltered", self.filtered),
            Metric::count("ClicksAlreadyApplied", self.already_applied),
            Metric::count("AttributesAdjusted", self.adjusted_attributes),
            Metric::count("ColumnsAdjusted", self.adjusted_columns),
            Metric::count("SessionsStarted", self.started),
            Metric::count("SessionsClosed", self.closed),
            Metric::count("SessionsClosedByInactivity", self.closed_by_inactivity),
            Metric::count("SessionsClosedEarly", self.closed_early),
            Metric::count("SessionsReopened", self.reopened),
            Metric::count("SessionsRetracted", self.merged),
            Metric::count("BoundariesPublished", self.published),
            Metric::count("StateCommits", self.commits),
            Metric::count("StateConflicts", self.lost_races),
            Metric::count("EntriesCarried", self.carried),
            Metric::count("UsersRead", self.users_read),
            Metric::count("UsersAtRest", self.users_at_rest),
            Metric::count("StreamsBegunAgain", self.streams_begun_again),
            Metric::count("BucketsLoaded", self.buckets_loaded),
            Metric::count("BucketsCatchingUp", self.buckets_catching_up),
            Metric::count("HotUsers", self.gauges.hot_users),
            Metric::bytes("StateLogBytes", self.gauges.log_bytes),
            Metric::count("StateLogSlots", self.gauges.log_slots),
            Metric::bytes("BucketMemory", self.gauges.memory_bytes),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report in which every field has another value, from `first` on.
    fn counting_from(first: u64) -> Report {
        let mut next = first..;
        let mut count = || next.next().unwrap();
        Report {
            users: count(),
            applied: count(),
            late: count(),
            filtered: count(),
            already_applied: count(),
            adjusted_attributes: count(),
            adjusted_columns: count(),
            started: count(),
            closed: count(),
            closed_by_inactivity: count(),
            closed_early: count(),
            reopened: count(),
            merged: count(),
            published: count(),
            commits: count(),
            lost_races: count(),
            carried: count(),
            users_read: count(),
            users_at_rest: count(),
            streams_begun_again: count(),
            buckets_loaded: count(),
            buckets_catching_up: count(),
            gauges: Gauges { hot_users: count(), log_bytes: count(), log_slots: count(), memory_bytes: count() },
        }
    }

    fn values(report: Report) -> Vec<u64> {
        report.metrics().iter().map(|metric| metric.value).collect()
    }

    #[test]
    fn every_field_is_one_metric() {
        assert_eq!(values(counting_from(1)), (1..=26).collect::<Vec<_>>());
    }

    #[test]
    fn counts_add_up_and_of_sizes_the_largest_counts() {
        let mut sum = counting_from(1);
        sum += counting_from(101);
        sum += counting_from(1);
        let counts = (1..=22).map(|value| 3 * value + 100);
        assert_eq!(values(sum), counts.chain(123..=126).collect::<Vec<_>>());
    }
}
