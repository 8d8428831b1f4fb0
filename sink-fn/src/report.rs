//! The counts of one invocation.

use std::ops::AddAssign;

/// The counts of one invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Sessions written.
    pub written: u64,
    /// Sessions whose stored version was the same or newer.
    pub superseded: u64,
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.superseded += other.superseded;
    }
}
