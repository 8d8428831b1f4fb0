//! What one invocation did, in numbers.

use std::ops::AddAssign;

/// Counts of one invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the batch.
    pub records: u64,
    /// Records that could not be read.
    pub rejected: u64,
    /// Sessions written.
    pub written: u64,
    /// Sessions of which the table already held this version or a newer one.
    pub superseded: u64,
    /// Records that are not done and come again.
    pub undone: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.rejected += other.rejected;
        self.written += other.written;
        self.superseded += other.superseded;
        self.undone += other.undone;
    }
}
