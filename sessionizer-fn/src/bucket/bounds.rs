//! The bounds of a bucket's log and memory.

use kinesis_function::limits::MAX_ITEM_BYTES;

/// Slots of a bucket's ring.
///
/// At one commit a second the log fills half of the ring, where it begins to let go of users, in four minutes: longer
/// than the ten-second sessions of the default last, so most users leave it without having been repeated. A newcomer
/// reads half a ring, 256 commits. Source: design, section 3, which leaves the number to measurement.
pub const SLOTS: u64 = 512;

/// How long an entry counts before it is repeated or let go of, in milliseconds, however slowly the ring fills: an
/// hour. Source: design, section 3.
pub const LONGEST_MEMORY_MS: u64 = 3_600_000;

/// Largest commit, in bytes of entries. Leaves an item 20 KB for its other attributes. Source: design, section 3
/// (380 KB).
const MAX_COMMIT_BYTES: usize = MAX_ITEM_BYTES - 20 * 1_024;

/// How much less a commit may change than it may repeat, in bytes: an outbox that fills a commit must still fit into
/// what a later one repeats, with its cursor.
const OUTBOX_MARGIN_BYTES: usize = 4 * 1_024;

/// Smallest budget for the buckets of an environment, in bytes of memory.
const LEAST_MEMORY_BYTES: u64 = 16 * 1_024 * 1_024;

/// Most buckets that an invocation works on at the same time. Each needs a few calls of some milliseconds, so this many
/// keep one vCPU busy; and each may need the memory of a commit.
pub const CONCURRENT_BUCKETS: usize = 16;

/// What a bucket's commits and memory may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most bytes of what a commit changes.
    pub changed_bytes: usize,
    /// Most bytes of what a commit repeats: half of an item.
    pub repeated_bytes: usize,
    /// Most users whose states one commit reads ahead: about as many as fit into it.
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
            repeated_bytes: MAX_COMMIT_BYTES / 2,
            users: 4_000,
            read_bytes: 2 * 1_024 * 1_024,
            leaving: 2_500,
            live_bytes: slots.saturating_mul(MAX_COMMIT_BYTES / 4),
            memory_bytes: usize::try_from(memory_bytes / at_once).unwrap_or(usize::MAX),
            longest_memory_ms: LONGEST_MEMORY_MS,
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
    fn memory_is_shared_by_the_buckets_that_are_worked_on_at_the_same_time() {
        assert_eq!(Bounds::new(SLOTS, 1, 64 << 20).memory_bytes, 64 << 20);
        assert_eq!(Bounds::new(SLOTS, 256, 64 << 20).memory_bytes, 4 << 20);
        assert_eq!(memory_for_buckets(1 << 20), LEAST_MEMORY_BYTES);
    }
}
