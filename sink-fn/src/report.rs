//! What one invocation did, in numbers.

use std::ops::AddAssign;

/// Counts of one invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sessions written.
    pub written: u64,
    /// Sessions of which the table already held this version or a newer one.
    pub superseded: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.superseded += other.superseded;
    }
}
