//! Reading a bucket's log: all of it once, then on from the last commit known.

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kinesis_function::backoff::Backoff;
use kinesis_function::failures::Failures;

use crate::bucket::memory::BucketMemory;
use crate::ring_log::ring::Ring;
use crate::store::log_store::{LogCommit, LogStore};
use crate::store::settings::Settings;
use crate::work::attempts::until_it_succeeds;
use crate::work::error::BucketError;

/// Most slots that one step of catching up reads. Steps grow up to here: mostly there is nothing, or one commit.
const LONGEST_STEP: u64 = 32;

/// Slots per call while a log is loaded. Commits are mostly far below their bound; where they are not, an answer
/// of 16 MB holds 40 at least, and the rest takes another call.
const SLOTS_PER_CALL: usize = 32;

/// Concurrent calls while a log is loaded.
const CONCURRENT_CALLS: usize = 4;

/// Slots whose numbers one step of the search for the head reads: three steps find it among 1,024.
const SLOTS_PER_SEARCH_STEP: u64 = 24;

/// Reads the logs of buckets.
#[derive(Debug)]
pub struct Reader<'r, S> {
    /// Where the logs are.
    pub store: &'r S,
    /// The settings of the tables, as this environment has read them first.
    pub settings: Settings,
    /// What failed.
    pub failures: &'r Failures,
}

impl<S: LogStore> Reader<'_, S> {
    /// The ring of every bucket.
    #[must_use]
    pub fn ring(&self) -> Ring {
        Ring::new(self.settings.slots, self.settings.first_commit)
    }

    /// Reads a bucket's log from tail to head.
    ///
    /// # Errors
    /// A permanent failure; unreadable commits; settings that have changed.
    pub async fn load(&self, bucket: u32) -> Result<BucketMemory, BucketError> {
        self.check_settings().await?;
        let mut backoff = Backoff::new();
        loop {
            match self.try_load(bucket).await? {
                Some(memory) => return Ok(memory),
                None => backoff.pause().await,
            }
        }
    }

    async fn check_settings(&self) -> Result<(), BucketError> {
        let stored = until_it_succeeds(self.failures, || self.store.settings()).await?;
        if stored == Some(self.settings) {
            return Ok(());
        }
        let now = stored.map_or_else(|| "none".to_owned(), |settings| settings.to_string());
        Err(BucketError::SettingsChanged { before: self.settings, now })
    }

    /// Takes in the commits that were made since `memory` was read. Loads the log anew if they are more than a turn of
    /// the ring.
    ///
    /// # Errors
    /// As [`Self::load`], and if the last commit known is gone, or an earlier one is in its place.
    pub async fn catch_up(&self, bucket: u32, memory: &mut BucketMemory) -> Result<(), BucketError> {
        let ring = self.ring();
        let mut step = 1;
        let mut known = memory.log().head();
        if known.is_none() {
            // No commit shows whether this is still the same log.
            self.check_settings().await?;
        }
        loop {
            let next = memory.next_commit(ring);
            // The last commit known is read again, once: a table that was emptied or set back must not be taken for one
            // in which nothing has happened.
            let numbers: Vec<u64> = known.into_iter().chain(next..next + step.min(ring.slots() - 1)).collect();
            let slots: Vec<u64> = numbers.iter().map(|number| ring.slot_of(*number)).collect();
            let found = until_it_succeeds(self.failures, || self.store.read(bucket, &slots)).await?;
            let mut found = found.into_iter();
            if let Some(known) = known.take() {
                match found.next().flatten().map(|commit| commit.number) {
                    Some(number) if number == known => {}
                    Some(number) if number > known => {
                        memory.replace_log(self.load(bucket).await?);
                        continue;
                    }
                    other => {
                        let found = other.map_or_else(|| "nothing".to_owned(), |number| format!("commit {number}"));
                        return Err(BucketError::LogLost { bucket, known, found });
                    }
                }
            }
            let mut taken = 0;
            for (expected, commit) in (next..).zip(found) {
                match commit {
                    Some(commit) if commit.number == expected => {
                        take_in(bucket, memory, commit)?;
                        taken += 1;
                    }
                    Some(commit) if commit.number > expected => {
                        memory.replace_log(self.load(bucket).await?);
                        return Ok(());
                    }
                    _ => break, // the commit of a turn before, or nothing: this is the head
                }
            }
            if taken < step.min(ring.slots() - 1) {
                return Ok(());
            }
            step = (step * 2).min(LONGEST_STEP);
        }
    }

    /// Reads on after another writer was faster. If there is nothing new, the table is not what it was: what is known
    /// must not be written into it.
    ///
    /// # Errors
    /// As [`Self::catch_up`], and if there is nothing new.
    pub async fn read_on_after_losing(&self, bucket: u32, memory: &mut BucketMemory) -> Result<(), BucketError> {
        let known = memory.log().head();
        self.catch_up(bucket, memory).await?;
        if memory.log().head() == known {
            let found = "another commit in the place of the next one, but none after the last one".to_owned();
            return Err(BucketError::LogLost { bucket, known: known.unwrap_or_default(), found });
        }
        Ok(())
    }

    /// Reads the log from tail to head; `None` if other writers have overtaken the reading.
    async fn try_load(&self, bucket: u32) -> Result<Option<BucketMemory>, BucketError> {
        let ring = self.ring();
        let mut memory = BucketMemory::empty();
        let Some(head) = self.find_head(bucket).await? else { return Ok(Some(memory)) };
        let Some(newest) = self.read_commits(bucket, vec![head]).await?.pop() else { return Ok(None) };
        let numbers: Vec<u64> = (newest.tail..=head).collect();
        if ring.has_room(head, newest.tail) {
            let calls: Vec<Vec<u64>> = numbers.chunks(SLOTS_PER_CALL).map(<[u64]>::to_vec).collect();
            let calls = calls.into_iter().map(|numbers| self.read_commits(bucket, numbers));
            let mut calls = stream::iter(calls).buffered(CONCURRENT_CALLS);
            let mut next = newest.tail;
            while let Some(commits) = calls.try_next().await? {
                for commit in commits {
                    if commit.number != next {
                        return Ok(None);
                    }
                    take_in(bucket, &mut memory, commit)?;
                    next += 1;
                }
            }
            if next == head + 1 {
                return Ok(Some(memory));
            }
        }
        Ok(None)
    }

    /// The commits in the slots of `numbers`; without those that are missing.
    async fn read_commits(&self, bucket: u32, numbers: Vec<u64>) -> Result<Vec<LogCommit>, BucketError> {
        let slots: Vec<u64> = numbers.iter().map(|number| self.ring().slot_of(*number)).collect();
        let found = until_it_succeeds(self.failures, || self.store.read(bucket, &slots)).await?;
        let expected = numbers.into_iter().zip(found);
        Ok(expected.filter_map(|(number, commit)| commit.filter(|commit| commit.number == number)).collect())
    }

    /// The newest commit, or one that was so a moment ago; `None` if there are no commits.
    ///
    /// Commits fill the ring in the order of its slots. Counted from the slot of the very first commit, the slots up to
    /// the head's hold commits of the current round, and the others of the one before or nothing, so the head is found
    /// as by bisection, but in steps of many slots that are read in one call.
    ///
    /// # Errors
    /// A permanent failure.
    pub async fn find_head(&self, bucket: u32) -> Result<Option<u64>, BucketError> {
        let ring = self.ring();
        let first = ring.first_commit();
        let Some(start) = self.numbers_at(bucket, &[0]).await?.pop().flatten() else { return Ok(None) };
        // The last place known to be of this round or a later one, and the first place known not to be.
        let (mut low, mut high) = (0, ring.slots());
        while high - low > 1 {
            let parts = (high - low).min(SLOTS_PER_SEARCH_STEP);
            let places: Vec<u64> = (1..parts).map(|part| low + (high - low) * part / parts).collect();
            let numbers = self.numbers_at(bucket, &places).await?;
            for (place, number) in places.into_iter().zip(numbers) {
                if number.is_some_and(|number| number >= start + place) {
                    low = low.max(place);
                } else {
                    high = place;
                    break;
                }
            }
        }
        debug_assert!(start >= first, "commits are numbered from the first");
        Ok(Some(start + low))
    }

    /// The numbers of the commits at these places of the ring, counted from the slot of the very first commit.
    async fn numbers_at(&self, bucket: u32, places: &[u64]) -> Result<Vec<Option<u64>>, BucketError> {
        let ring = self.ring();
        let slots: Vec<u64> = places.iter().map(|place| ring.slot_of(ring.first_commit() + place)).collect();
        until_it_succeeds(self.failures, || self.store.read_numbers(bucket, &slots)).await
    }
}

fn take_in(bucket: u32, memory: &mut BucketMemory, commit: LogCommit) -> Result<(), BucketError> {
    memory.take_in(commit).map_err(|source| BucketError::Inconsistent { bucket, source })
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
