//! A map kept as a log in a ring of slots.
//!
//! Each commit is one item with the entries it changes; the latest entry for a key counts. Commit *n* overwrites
//! commit *n* − slots, so entries that still count are repeated before that happens: the log's *tail* is the oldest
//! commit that still counts, its *head* the newest. A log therefore needs no deletes, no snapshots and no compaction,
//! and a reader that has read it from tail to head knows the whole map.
//!
//! Pure, and independent of what the keys and values are: [`ring`] assigns commits to slots, [`commit`] is one commit,
//! [`memory`] is what a reader knows.

pub mod commit;
pub mod memory;
pub mod ring;
