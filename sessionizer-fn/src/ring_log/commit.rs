//! One commit of a log.

use shared::boundary::Version;

/// One commit: one item of the log's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit<K, V> {
    /// Its number: one more than that of the commit before it.
    pub number: u64,
    /// The oldest commit that still counts, this one at most.
    pub tail: u64,
    /// Its version: greater than that of the commit before it, and no earlier than its time.
    pub version: Version,
    /// When it was made, in Unix milliseconds by its writer's clock.
    pub made_ms: u64,
    /// What it changes or repeats. A key occurs once.
    pub entries: Vec<(K, V)>,
}

/// What a key or value of a log takes.
pub trait Weight {
    /// Bytes in a commit, at most.
    fn encoded_bytes(&self) -> usize;

    /// Bytes in memory, approximately.
    fn memory_bytes(&self) -> usize;
}
