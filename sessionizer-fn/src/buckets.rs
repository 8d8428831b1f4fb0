//! The buckets that an execution environment keeps between invocations.
//!
//! What is kept is a prefix of each log, which the next invocation reads on from; nothing kept is ever trusted to be
//! fresh. The memory is bounded: the buckets that were not used for longest go first.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::bucket::memory::BucketMemory;

/// The buckets kept. Clones share them.
#[derive(Clone, Debug)]
pub struct Buckets {
    kept: Arc<Mutex<Kept>>,
    max_bytes: u64,
}

#[derive(Debug, Default)]
struct Kept {
    buckets: HashMap<u32, Bucket>,
    uses: u64,
}

#[derive(Debug)]
struct Bucket {
    memory: Arc<AsyncMutex<Option<BucketMemory>>>,
    bytes: u64,
    last_use: u64,
}

/// A bucket in use by one invocation. Another one in the same environment waits for it.
#[derive(Debug)]
pub struct BucketInUse {
    bucket: u32,
    memory: OwnedMutexGuard<Option<BucketMemory>>,
    buckets: Buckets,
}

impl Buckets {
    /// Keeps buckets of up to `max_bytes` of memory in all.
    #[must_use]
    pub fn new(max_bytes: u64) -> Self {
        Self { kept: Arc::default(), max_bytes }
    }

    /// Takes `bucket` for an invocation: `None` inside if nothing of it is known.
    pub async fn take(&self, bucket: u32) -> BucketInUse {
        let memory = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.uses += 1;
            let last_use = kept.uses;
            let bucket =
                kept.buckets.entry(bucket).or_insert_with(|| Bucket { memory: Arc::default(), bytes: 0, last_use });
            bucket.last_use = last_use;
            Arc::clone(&bucket.memory)
        };
        BucketInUse { bucket, memory: memory.lock_owned().await, buckets: self.clone() }
    }

    /// What the kept buckets take in memory, in bytes, approximately.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }

    /// Notes what `bucket` takes, and forgets others until all fit.
    fn put_back(&self, bucket: u32, bytes: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = kept.buckets.get_mut(&bucket) {
            bucket.bytes = bytes;
        }
        while kept.bytes() > self.max_bytes {
            let idle = kept
                .buckets
                .iter()
                .filter(|(number, kept)| **number != bucket && kept.bytes > 0 && Arc::strong_count(&kept.memory) == 1);
            let Some(longest_unused) = idle.min_by_key(|(_, bucket)| bucket.last_use).map(|(number, _)| *number) else {
                break;
            };
            kept.buckets.remove(&longest_unused);
        }
    }
}

impl Kept {
    fn bytes(&self) -> u64 {
        self.buckets.values().map(|bucket| bucket.bytes).sum()
    }
}

impl Deref for BucketInUse {
    type Target = Option<BucketMemory>;

    fn deref(&self) -> &Self::Target {
        &self.memory
    }
}

impl DerefMut for BucketInUse {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.memory
    }
}

impl Drop for BucketInUse {
    /// Forgets the bucket if it was dropped while a commit was in flight.
    fn drop(&mut self) {
        if self.memory.as_ref().is_some_and(BucketMemory::is_committing) {
            *self.memory = None;
        }
        let bytes = self.memory.as_ref().map_or(0, |memory| memory.memory_bytes() as u64);
        self.buckets.put_back(self.bucket, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bucket's memory that takes about `kilobytes`.
    fn memory(kilobytes: usize) -> BucketMemory {
        crate::bucket::memory::tests::of_bytes(kilobytes * 1_000)
    }

    #[tokio::test]
    async fn bucket_stays_between_invocations() {
        let buckets = Buckets::new(1_000_000);
        *buckets.take(3).await = Some(BucketMemory::empty());
        assert!(buckets.take(3).await.is_some());
        assert!(buckets.take(4).await.is_none());
    }

    #[tokio::test]
    async fn bucket_is_forgotten_if_its_invocation_is_dropped_while_it_commits() {
        let buckets = Buckets::new(1_000_000);
        {
            let mut bucket = buckets.take(3).await;
            *bucket = Some(BucketMemory::empty());
            bucket.as_mut().unwrap().set_committing(true);
        }
        assert!(buckets.take(3).await.is_none());
    }

    #[tokio::test]
    async fn longest_unused_bucket_goes_first_when_memory_is_short() {
        let buckets = Buckets::new(250_000);
        for bucket in [1, 2] {
            *buckets.take(bucket).await = Some(memory(100));
        }
        drop(buckets.take(1).await);
        *buckets.take(3).await = Some(memory(100));
        assert!(buckets.memory_bytes() <= 250_000);
        assert!(buckets.take(1).await.is_some());
        assert!(buckets.take(2).await.is_none());
        assert!(buckets.take(3).await.is_some());
    }

    #[tokio::test]
    async fn bucket_in_use_is_not_forgotten() {
        let buckets = Buckets::new(150_000);
        let mut in_use = buckets.take(1).await;
        *in_use = Some(memory(100));
        *buckets.take(2).await = Some(memory(100));
        drop(in_use);
        assert!(buckets.take(1).await.is_some());
    }
}
