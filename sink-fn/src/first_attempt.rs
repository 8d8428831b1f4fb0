//! Which statement to try first for a boundary. The wrong one fails on its condition and costs a write unit.
//!
//! A session that opens is probably new. One that ends has an item if its start was stored, but none where only ends are
//! published (`BOUNDARIES=closed`), or where most sessions start and end within one commit. So the majority of the last
//! batch decides for the next one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shared::boundary::Boundary;
use shared::session::Status;

use crate::sessions_table::Attempt;

/// What an execution environment has learned. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct FirstAttempt {
    ends_are_new: Arc<AtomicBool>,
}

/// How the ends of sessions were stored in one batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct StoredEnds {
    inserted: u64,
    updated: u64,
}

impl FirstAttempt {
    /// The attempt most likely to succeed for `boundary`.
    #[must_use]
    pub fn of(&self, boundary: &Boundary) -> Attempt {
        match boundary.status {
            None | Some(Status::Open) => Attempt::Insert,
            Some(Status::Closed { .. }) if self.ends_are_new.load(Ordering::Relaxed) => Attempt::Insert,
            Some(Status::Closed { .. } | Status::Retracted) => Attempt::Update,
        }
    }

    /// Learns from a batch. A batch without ends teaches nothing.
    pub fn learn(&self, ends: StoredEnds) {
        if ends.inserted + ends.updated > 0 {
            self.ends_are_new.store(ends.inserted > ends.updated, Ordering::Relaxed);
        }
    }
}

impl StoredEnds {
    /// Counts `boundary` if it is an end, written by `attempt`.
    pub fn count(&mut self, boundary: &Boundary, attempt: Attempt) {
        if !matches!(boundary.status, Some(Status::Closed { .. })) {
            return;
        }
        match attempt {
            Attempt::Insert | Attempt::InsertAgain => self.inserted += 1,
            Attempt::Update | Attempt::UpdateExisting | Attempt::Confirm => self.updated += 1,
        }
    }
}
