//! What one invocation did, in numbers.

use std::ops::AddAssign;

/// Counts of one invocation.
///
/// Every record of a finished batch is applied, late, already applied or rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Users who have clicks in the batch: each takes a state write.
    pub users: u64,
    /// Clicks that this invocation committed to a session.
    pub applied: u64,
    /// Clicks that came too late to be placed, committed as seen.
    pub late: u64,
    /// Clicks that an earlier delivery, or another invocation, had committed.
    pub already_applied: u64,
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
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.users += other.users;
        self.applied += other.applied;
        self.late += other.late;
        self.already_applied += other.already_applied;
        self.adjusted_attributes += other.adjusted_attributes;
        self.started += other.started;
        self.closed += other.closed;
        self.merged += other.merged;
        self.shard_switches += other.shard_switches;
        self.published += other.published;
        self.lost_races += other.lost_races;
    }
}
