//! What an environment knows of a bucket: a whole prefix of its log, and which outboxes it has published.

use std::collections::{BTreeSet, HashMap};

use shared::user_id::UserId;

use crate::report::Gauges;
use crate::ring_log::memory::{LogMemory, NotTheNext};
use crate::ring_log::ring::Ring;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, ShardKey, UserEntry};
use crate::store::log_store::LogCommit;

/// Memory that a user takes in the index of those who may become inactive, in bytes, approximately.
const INDEX_BYTES: usize = 48;

/// What an environment knows of a bucket.
#[derive(Debug)]
pub struct BucketMemory {
    log: LogMemory<LogKey, LogValue>,
    /// The users whose last session was not told closed, by the arrival of their last click.
    under_way: BTreeSet<(u64, UserId)>,
    /// The cursors, and the sweep's outbox, if there is one.
    origins: BTreeSet<Origin>,
    /// The commits whose outboxes were published.
    published: HashMap<Origin, u64>,
    /// Whether a commit may be in flight, so that this prefix may no longer be all there is.
    committing: bool,
}

impl BucketMemory {
    /// A bucket whose log has no commits.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            log: LogMemory::empty(),
            under_way: BTreeSet::new(),
            origins: BTreeSet::new(),
            published: HashMap::new(),
            committing: false,
        }
    }

    /// Replaces the log by `newer`, as read from its tail on. What was published stays known.
    pub fn replace_log(&mut self, newer: Self) {
        let published = std::mem::take(&mut self.published);
        *self = Self { published, ..newer };
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &LogMemory<LogKey, LogValue> {
        &self.log
    }

    /// The number of the next commit in `ring`.
    #[must_use]
    pub fn next_commit(&self, ring: Ring) -> u64 {
        self.log.head().map_or(ring.first_commit(), |head| head + 1)
    }

    /// Adds the next commit.
    ///
    /// # Errors
    /// If it is not the next one; nothing is changed.
    pub fn take_in(&mut self, commit: LogCommit) -> Result<(), NotTheNext> {
        let (mut begun, mut origins) = (Vec::new(), Vec::new());
        for (key, value) in &commit.entries {
            match (key, value.user()) {
                (LogKey::User(user_id), Some(user)) if !user.window.told_closed => {
                    begun.push((user.arrival_ms, user_id.clone()));
                }
                (LogKey::User(_), _) => {}
                (LogKey::Origin(origin), _) => origins.push(origin.clone()),
            }
        }
        let Self { log, under_way, origins: known, .. } = self;
        log.take_in(commit, |key, value| match (key, value.user()) {
            (LogKey::User(user_id), Some(user)) => {
                under_way.remove(&(user.arrival_ms, user_id.clone()));
            }
            (LogKey::User(_), None) => {}
            (LogKey::Origin(origin), _) => {
                known.remove(origin);
            }
        })?;
        under_way.extend(begun);
        known.extend(origins);
        self.published.retain(|origin, _| known.contains(origin));
        Ok(())
    }

    /// The user's entry, if the user is in the log.
    #[must_use]
    pub fn user(&self, user_id: &UserId) -> Option<&UserEntry> {
        self.log.get(&LogKey::User(user_id.clone()))?.user()
    }

    /// The users in the log.
    pub fn users(&self) -> impl Iterator<Item = (&UserId, &UserEntry)> {
        self.log.iter().filter_map(|(key, value)| match key {
            LogKey::User(user_id) => Some((user_id, value.user()?)),
            LogKey::Origin(_) => None,
        })
    }

    /// The users whose last session was not told closed and whose last click arrived at `arrival_ms` or before, the
    /// longest inactive first.
    pub fn inactive_since(&self, arrival_ms: u64) -> impl Iterator<Item = (&UserId, &UserEntry)> {
        let inactive = self.under_way.iter().take_while(move |(arrived_ms, _)| *arrived_ms <= arrival_ms);
        inactive.filter_map(|(_, user_id)| Some((user_id, self.user(user_id)?)))
    }

    /// The cursor of a shard.
    #[must_use]
    pub fn cursor(&self, shard: &ShardKey) -> Option<&Cursor> {
        self.log.get(&LogKey::Origin(Origin::Shard(shard.clone())))?.cursor()
    }

    /// All cursors.
    pub fn cursors(&self) -> impl Iterator<Item = (&ShardKey, &Cursor)> {
        self.origins.iter().filter_map(|origin| match origin {
            Origin::Shard(shard) => Some((shard, self.cursor(shard)?)),
            Origin::Sweep => None,
        })
    }

    /// The cursors and the sweep's outbox, by what they belong to.
    pub fn origins(&self) -> impl Iterator<Item = (&Origin, &LogValue)> {
        self.origins.iter().filter_map(|origin| Some((origin, self.log.get(&LogKey::Origin(origin.clone()))?)))
    }

    /// The outbox of `origin`'s last commit.
    #[must_use]
    pub fn outbox(&self, origin: &Origin) -> Option<&Outbox> {
        self.log.get(&LogKey::Origin(origin.clone()))?.outbox()
    }

    /// The outbox of `origin`'s last commit, unless it is known to be published.
    #[must_use]
    pub fn unpublished(&self, origin: &Origin) -> Option<&Outbox> {
        self.outbox(origin).filter(|outbox| !outbox.entries.is_empty() && !self.is_published(origin, outbox.commit))
    }

    /// Whether the outbox that `commit` left for `origin` is known to be published.
    #[must_use]
    pub fn is_published(&self, origin: &Origin, commit: u64) -> bool {
        self.published.get(origin) == Some(&commit)
    }

    /// Remembers that the outbox that `commit` left for `origin` is published.
    pub fn note_published(&mut self, origin: Origin, commit: u64) {
        self.published.insert(origin, commit);
    }

    /// Notes that a commit is in flight, or that reading has shown what became of it.
    pub fn set_committing(&mut self, committing: bool) {
        self.committing = committing;
    }

    /// Whether a commit may be in flight.
    #[must_use]
    pub fn is_committing(&self) -> bool {
        self.committing
    }

    /// What it takes in memory, in bytes, approximately.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.log.memory_bytes() + self.under_way.len() * INDEX_BYTES
    }

    /// Its gauges.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            hot_users: self.under_way.len() as u64,
            log_bytes: self.log.encoded_bytes() as u64,
            log_slots: self.log.len() as u64,
            memory_bytes: self.memory_bytes() as u64,
        }
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
pub(crate) mod tests;
