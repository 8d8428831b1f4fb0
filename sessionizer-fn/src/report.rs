//! What one invocation did, in numbers.

use std::ops::AddAssign;

use kinesis_function::metrics::Metric;

/// Counts of one invocation.
///
/// Every record of a finished batch is applied, late, already applied or rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the batch.
    pub records: u64,
    /// Users who have clicks in the batch: each takes a state write.
    pub users: u64,
    /// Clicks that this invocation committed to a session.
    pub applied: u64,
    /// Clicks that came too late to be placed, committed as seen.
    pub late: u64,
    /// Clicks that an earlier delivery, or another invocation, had committed.
    pub already_applied: u64,
    /// Records that could not be read and are kept in the table of rejected ones.
    pub rejected: u64,
    /// Attributes of clicks that were not strings, not Unicode or too long, and were adjusted to what is kept of them.
    pub adjusted_attributes: u64,
    /// Sessions started.
    pub started: u64,
    /// Sessions closed, because their user's next one started.
    pub closed: u64,
    /// Sessions merged into the one before by a late click.
    pub merged: u64,
    /// Clicks that arrived over another shard than the user's previous click (or under another partition key, where
    /// that has a cursor): each may add a cursor to the state item, and the invocations of two shards lose races over
    /// it. 0 where the partition key is the user and no shard was split or merged.
    pub shard_switches: u64,
    /// Boundaries put into session-stream, those of a redelivery included.
    pub published: u64,
    /// Commits that lost a race to another commit of the same user.
    pub lost_races: u64,
    /// Records that are not done and will be redelivered.
    pub undone: u64,
}

impl Report {
    /// The counts as CloudWatch knows them, with the longest wait from a record's arrival to the answer, in
    /// milliseconds, where there was a record.
    #[must_use]
    pub fn metrics(&self, longest_wait_ms: Option<u64>) -> Vec<Metric> {
        let counts = [
            ("Records", self.records),
            ("Users", self.users),
            ("ClicksApplied", self.applied),
            ("ClicksLate", self.late),
            ("ClicksAlreadyApplied", self.already_applied),
            ("RecordsRejected", self.rejected),
            ("AttributesAdjusted", self.adjusted_attributes),
            ("RecordsUndone", self.undone),
            ("SessionsStarted", self.started),
            ("SessionsClosed", self.closed),
            ("SessionsRetracted", self.merged),
            ("BoundariesPublished", self.published),
            ("ShardSwitches", self.shard_switches),
            ("StateConflicts", self.lost_races),
        ];
        let wait = longest_wait_ms.map(|ms| Metric::milliseconds("ClickToBoundary", ms));
        counts.into_iter().map(|(name, value)| Metric::count(name, value)).chain(wait).collect()
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.users += other.users;
        self.applied += other.applied;
        self.late += other.late;
        self.already_applied += other.already_applied;
        self.rejected += other.rejected;
        self.adjusted_attributes += other.adjusted_attributes;
        self.started += other.started;
        self.closed += other.closed;
        self.merged += other.merged;
        self.shard_switches += other.shard_switches;
        self.published += other.published;
        self.lost_races += other.lost_races;
        self.undone += other.undone;
    }
}
