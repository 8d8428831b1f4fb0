//! The counts of one invocation.

use std::ops::AddAssign;

/// The counts of one invocation.
///
/// Every record of a finished batch is applied, late, already applied or rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Users with clicks in the batch. Each takes a state write.
    pub users: u64,
    /// Clicks that this invocation committed to a session.
    pub applied: u64,
    /// Clicks that arrived too late for a session. The cursor still moves past them.
    pub late: u64,
    /// Clicks that an earlier delivery or another invocation had already committed.
    pub already_applied: u64,
    /// Attributes of clicks that were adjusted because they were not strings, not Unicode or too long.
    pub adjusted_attributes: u64,
    /// Sessions started.
    pub started: u64,
    /// Sessions closed because the user's next session started.
    pub closed: u64,
    /// Sessions merged into the previous one by a late click.
    pub merged: u64,
    /// Clicks that arrived on a different shard than the user's previous click (or with a different partition key, if
    /// cursors are per partition key). Each may add a cursor to the state item, and the invocations of the two shards
    /// compete for it. 0 if the partition key is the user id and no shard was split or merged.
    pub shard_switches: u64,
    /// Boundaries put into session-stream, including those of redeliveries.
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
