//! The slots of a ring, and which commit each may hold.

/// The slots of a log. Commits are numbered without gaps, starting with a number that the tables' settings hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    slots: u64,
    first_commit: u64,
}

/// What the slot of a commit must hold for the commit to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing: in the first round, no slot has been used.
    Nothing,
    /// This commit, the one a whole turn of the ring before.
    Commit(u64),
}

impl Ring {
    /// A ring of `slots` slots, at least two, whose first commit is `first_commit`.
    #[must_use]
    pub fn new(slots: u64, first_commit: u64) -> Self {
        debug_assert!(slots >= 2, "the tail must be able to stay behind the head");
        Self { slots, first_commit }
    }

    /// The number of slots.
    #[must_use]
    pub fn slots(&self) -> u64 {
        self.slots
    }

    /// The number of the first commit.
    #[must_use]
    pub fn first_commit(&self) -> u64 {
        self.first_commit
    }

    /// The slot of commit `number`, below [`Self::slots`].
    #[must_use]
    pub fn slot_of(&self, number: u64) -> u64 {
        number % self.slots
    }

    /// The condition under which commit `number` may be written.
    #[must_use]
    pub fn expected(&self, number: u64) -> Expected {
        if number < self.first_commit.saturating_add(self.slots) {
            Expected::Nothing
        } else {
            Expected::Commit(number - self.slots)
        }
    }

    /// Whether commit `number` overwrites nothing that counts, if `tail` is the oldest commit that still does.
    #[must_use]
    pub fn has_room(&self, number: u64, tail: u64) -> bool {
        number.saturating_sub(tail) < self.slots
    }

    /// Whether commit `number` finds its ring half full of the commits from `tail` on.
    #[must_use]
    pub fn is_half_full(&self, number: u64, tail: u64) -> bool {
        number.saturating_sub(tail) >= self.slots / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_of_the_first_round_expect_nothing_and_later_ones_the_commit_a_turn_before() {
        let ring = Ring::new(3, 100);
        assert_eq!([100, 101, 102].map(|n| ring.expected(n)), [Expected::Nothing; 3]);
        assert_eq!(ring.expected(103), Expected::Commit(100));
        assert_eq!(ring.expected(104), Expected::Commit(101));
        assert_eq!([100, 101, 102, 103].map(|n| ring.slot_of(n)), [1, 2, 0, 1]);
    }

    #[test]
    fn commit_has_room_until_its_slot_is_the_tails() {
        let ring = Ring::new(3, 100);
        assert!(ring.has_room(102, 100));
        assert!(!ring.has_room(103, 100));
        assert!(ring.has_room(103, 101));
    }

    #[test]
    fn ring_is_half_full_after_half_a_turn() {
        let ring = Ring::new(8, 100);
        assert!(!ring.is_half_full(103, 100));
        assert!(ring.is_half_full(104, 100));
    }
}
