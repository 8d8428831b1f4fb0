//! The bounds of a bucket's log and memory.

use kinesis_function::limits::MAX_ITEM_BYTES;
use shared::limits::{MAX_COLUMN_DECLARATION_BYTES, MAX_COLUMNS};

use crate::compression::MAX_DECOMPRESSED_BYTES;

/// Slots of a bucket's ring.
///
/// At one commit a second the log fills half of the ring, where it begins to let go of users, in eight minutes: most
/// users with the default gap leave it without having been repeated, and at a gap of half an hour writes are a seventh
/// below those with half as many slots. A newcomer reads half a ring, 512 commits. Source: design, section 3, which
/// leaves the number to measurement.
pub const SLOTS: u64 = 1_024;

/// How long an entry counts before it is repeated or let go of, in milliseconds, however slowly the ring fills: an
/// hour. Source: design, section 3.
pub const LONGEST_MEMORY_MS: u64 = 3_600_000;

/// Largest commit, in bytes of entries as they are stored. Leaves an item 20 KB for its other attributes. Source:
/// design, section 3 (380 KB).
pub const MAX_COMMIT_BYTES: usize = MAX_ITEM_BYTES - 20 * 1_024;

/// How many times the bytes of a commit that need not be compressed are tried first: most commits take less than a third
/// of their size once compressed, and one commit for a batch of 8,000 clicks takes a third of the calls of three.
const TIGHT: usize = 3;

/// Most bytes that a commit can have before compression: what it changes, the boundaries of users told closed ahead of
/// time, and what it repeats.
const _: () =
    assert!((TIGHT + 2) * MAX_COMMIT_BYTES / 2 < MAX_DECOMPRESSED_BYTES, "every commit that is written can be read");

/// How much less a commit may change than it may repeat, in bytes: an outbox that fills a commit must still fit into
/// what a later one repeats, with its cursor. The aggregates of columns are in every commit, and fit into it, too.
const OUTBOX_MARGIN_BYTES: usize = 4 * 1_024;

const _: () = assert!(
    MAX_COLUMN_DECLARATION_BYTES + MAX_COLUMNS * 16 < OUTBOX_MARGIN_BYTES,
    "a commit with columns that changes and repeats as much as it may is no larger than one without may be"
);

/// Smallest budget for the buckets of an environment, in bytes of memory.
const LEAST_MEMORY_BYTES: u64 = 16 * 1_024 * 1_024;

/// Most buckets that an invocation works on at the same time. Each needs a few calls of some milliseconds, so this many
/// keep one vCPU busy; and each may need the memory of a commit.
pub const CONCURRENT_BUCKETS: usize = 16;

/// How much is packed into a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// More than is sure to fit: it does if it compresses as well as most clicks do. If not, the commit is decided again.
    Tight,
    /// What fits even if nothing can be compressed.
    Loose,
}

/// What a commit may change, in bytes before compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Most bytes of everything that changes.
    pub all: usize,
    /// Most bytes of the boundaries among it. Never more than is sure to fit: a later commit may have to repeat them.
    pub boundaries: usize,
}

/// What a bucket's commits and memory may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes of what a commit changes, sure to fit.
    pub changed_bytes: usize,
    /// How many times as many are tried first.
    pub tight: usize,
    /// Most bytes of what a commit repeats: half of an item.
    pub repeated_bytes: usize,
    /// Most users whose states one commit reads ahead: as many as the largest batch has records. Source: Lambda's limit
    /// for `BatchSize`.
    pub users: usize,
    /// Most bytes of such states, approximately.
    pub read_bytes: usize,
    /// Most users that leave the log with one commit, except that at least one of the oldest commits is emptied.
    pub leaving: usize,
    /// Most encoded bytes of live entries: a quarter of what the ring can hold. Repeating up to half an item with each
    /// commit then empties one half of the ring while the other fills.
    pub live_bytes: usize,
    /// Most bytes of memory that a bucket may take.
    pub memory_bytes: usize,
    /// How long an entry counts before it is repeated or let go of, in milliseconds.
    pub longest_memory_ms: u64,
}

impl Bounds {
    /// The bounds for rings of `slots` slots, in an environment that may keep `memory_bytes` of `buckets` buckets.
    #[must_use]
    pub fn new(slots: u64, buckets: u32, memory_bytes: u64) -> Self {
        let at_once = u64::from(buckets).clamp(1, CONCURRENT_BUCKETS as u64);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        Self {
            changed_bytes: MAX_COMMIT_BYTES / 2 - OUTBOX_MARGIN_BYTES,
            tight: TIGHT,
            repeated_bytes: MAX_COMMIT_BYTES / 2,
            users: 10_000,
            read_bytes: 2 * 1_024 * 1_024,
            leaving: 2_500,
            live_bytes: slots.saturating_mul(MAX_COMMIT_BYTES / 4),
            memory_bytes: usize::try_from(memory_bytes / at_once).unwrap_or(usize::MAX),
            longest_memory_ms: LONGEST_MEMORY_MS,
        }
    }

    /// What a commit may change. Where too much is live, half of one that is sure to fit: a backlog makes one full commit
    /// after another, and each must let go of as much as it adds.
    #[must_use]
    pub fn room(&self, packing: Packing, is_too_much_live: bool) -> Room {
        let sure = self.changed_bytes;
        match packing {
            _ if is_too_much_live => Room { all: sure / 2, boundaries: sure / 2 },
            Packing::Tight => Room { all: sure.saturating_mul(self.tight), boundaries: sure },
            Packing::Loose => Room { all: sure, boundaries: sure },
        }
    }

    /// Whether live entries of `live_bytes` that take `memory_bytes` of memory are too much, so that users under way
    /// must leave, too.
    #[must_use]
    pub fn are_exceeded(&self, live_bytes: usize, memory_bytes: usize) -> bool {
        live_bytes > self.live_bytes || memory_bytes > self.memory_bytes
    }
}

/// What the buckets of an environment with `environment_bytes` of memory may take together: half. The rest is for the
/// program, the event and the calls in flight.
#[must_use]
pub fn memory_for_buckets(environment_bytes: u64) -> u64 {
    (environment_bytes / 2).max(LEAST_MEMORY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_changes_and_repeats_fits_into_an_item_together() {
        let bounds = Bounds::new(SLOTS, 4, memory_for_buckets(512 << 20));
        assert!(bounds.changed_bytes + bounds.repeated_bytes <= 380 * 1_024);
        assert_eq!(bounds.memory_bytes, 64 << 20);
    }

    #[test]
    fn tight_commit_has_more_changes_but_no_more_boundaries_than_are_sure_to_fit() {
        let bounds = Bounds { changed_bytes: 100, ..Bounds::new(SLOTS, 4, 64 << 20) };
        assert_eq!(bounds.room(Packing::Tight, false), Room { all: 300, boundaries: 100 });
        assert_eq!(bounds.room(Packing::Loose, false), Room { all: 100, boundaries: 100 });
        assert_eq!(bounds.room(Packing::Tight, true), Room { all: 50, boundaries: 50 });
    }

    #[test]
    fn memory_is_shared_by_the_buckets_that_are_worked_on_at_the_same_time() {
        assert_eq!(Bounds::new(SLOTS, 1, 64 << 20).memory_bytes, 64 << 20);
        assert_eq!(Bounds::new(SLOTS, 256, 64 << 20).memory_bytes, 4 << 20);
        assert_eq!(memory_for_buckets(1 << 20), LEAST_MEMORY_BYTES);
    }
}
