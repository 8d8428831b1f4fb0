//! How the state tables are kept: fixed when they are made, and checked by every environment.

use std::fmt;

/// The format of the items in both tables. Source: design, section 3.
pub const FORMAT: u64 = 2;

/// The settings item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The format of the items.
    pub format: u64,
    /// The number of buckets.
    pub buckets: u64,
    /// The slots of each bucket's ring.
    pub slots: u64,
    /// The number of the first commit: the time at which the tables were made, in Unix milliseconds. A log that is begun
    /// again so is above every old item.
    pub first_commit: u64,
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { format, buckets, slots, first_commit } = self;
        write!(f, "format {format}, {buckets} buckets of {slots} slots, first commit {first_commit}")
    }
}
