//! What a reader of a log knows: always a whole prefix of it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use shared::boundary::Version;

use crate::ring_log::commit::{Commit, Weight};

/// Memory that a live entry takes besides its key and value: its place in the map.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// The live entries of a log as of one commit, its head.
#[derive(Clone, Debug)]
pub struct LogMemory<K, V> {
    /// The newest commit; `None` for a log without commits.
    head: Option<Head>,
    live: HashMap<K, Live<V>>,
    /// The commits from tail to head.
    commits: VecDeque<Trace<K>>,
    /// The number of the first of them. Where reading has begun in the middle, older tails do not lower it.
    tail: u64,
    encoded_bytes: usize,
    memory_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    number: u64,
    tail: u64,
    version: Version,
}

#[derive(Clone, Debug)]
struct Live<V> {
    value: V,
    commit: u64,
}

/// What is known of a commit between tail and head.
#[derive(Clone, Debug)]
struct Trace<K> {
    made_ms: u64,
    /// The keys it wrote, some of which later commits have written again.
    keys: Vec<K>,
    /// How many of them are live here.
    live: usize,
}

/// A commit that does not follow the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("commit {found} (tail {tail}) does not follow commit {head:?}")]
pub struct NotTheNext {
    head: Option<u64>,
    found: u64,
    tail: u64,
}

impl<K: Clone + Eq + Hash + Weight, V: Weight> LogMemory<K, V> {
    /// A log without commits.
    #[must_use]
    pub fn empty() -> Self {
        Self { head: None, live: HashMap::new(), commits: VecDeque::new(), tail: 0, encoded_bytes: 0, memory_bytes: 0 }
    }

    /// The number of the newest commit, if there is one.
    #[must_use]
    pub fn head(&self) -> Option<u64> {
        self.head.map(|head| head.number)
    }

    /// The newest commit's version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.head.map_or(Version::NONE, |head| head.version)
    }

    /// The oldest commit that still counts; 0 without commits.
    #[must_use]
    pub fn tail(&self) -> u64 {
        self.tail
    }

    /// The number of commits from tail to head.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commits.len()
    }

    /// Whether there are no commits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// What the live entries take in commits, in bytes at most.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        self.encoded_bytes
    }

    /// What all of this takes in memory, in bytes, approximately.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// The live value of `key`.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.live.get(key).map(|live| &live.value)
    }

    /// The live entries, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.live.iter().map(|(key, live)| (key, &live.value))
    }

    /// Adds the next commit; to an empty memory any, where reading starts. `forgotten` is called with each entry that
    /// no longer counts, because this commit has written its key or moved the tail past it.
    ///
    /// # Errors
    /// If the commit does not follow the head, or its tail is behind the head's or ahead of its number. The memory
    /// is unchanged.
    pub fn take_in(&mut self, commit: Commit<K, V>, mut forgotten: impl FnMut(&K, V)) -> Result<(), NotTheNext> {
        let Commit { number, tail, version, made_ms, entries } = commit;
        let follows = match self.head {
            Some(head) => number == head.number + 1 && tail >= head.tail,
            None => true,
        };
        if !follows || tail > number {
            return Err(NotTheNext { head: self.head(), found: number, tail });
        }
        if self.head.is_none() {
            self.tail = number;
        }
        self.head = Some(Head { number, tail, version });
        let keys: Vec<K> = entries.iter().map(|(key, _)| key.clone()).collect();
        let trace = Trace { made_ms, live: keys.len(), keys };
        self.memory_bytes += trace.memory_bytes();
        self.commits.push_back(trace);
        for (key, value) in entries {
            self.encoded_bytes += key.encoded_bytes() + value.encoded_bytes();
            self.memory_bytes += memory_bytes(&key, &value);
            if let Some(before) = self.live.remove(&key) {
                self.uncount(&key, &before);
                forgotten(&key, before.value);
            }
            self.live.insert(key, Live { value, commit: number });
        }
        while self.tail < tail {
            let Some(trace) = self.commits.pop_front() else { break };
            self.memory_bytes -= trace.memory_bytes();
            for key in trace.keys {
                if self.live.get(&key).is_some_and(|live| live.commit == self.tail)
                    && let Some(live) = self.live.remove(&key)
                {
                    self.encoded_bytes -= key.encoded_bytes() + live.value.encoded_bytes();
                    self.memory_bytes -= memory_bytes(&key, &live.value);
                    forgotten(&key, live.value);
                }
            }
            self.tail += 1;
        }
        Ok(())
    }

    fn uncount(&mut self, key: &K, before: &Live<V>) {
        self.encoded_bytes -= key.encoded_bytes() + before.value.encoded_bytes();
        self.memory_bytes -= memory_bytes(key, &before.value);
        if let Some(trace) = self.trace_mut(before.commit) {
            trace.live -= 1;
        }
    }

    fn trace_mut(&mut self, commit: u64) -> Option<&mut Trace<K>> {
        let place = usize::try_from(commit.checked_sub(self.tail)?).ok()?;
        self.commits.get_mut(place)
    }

    /// The commits from the tail on, oldest first: number, when it was made, and its live entries.
    pub fn oldest_first(&self) -> impl Iterator<Item = Oldest<'_, K, V>> {
        (self.tail..).zip(&self.commits).map(|(number, trace)| Oldest { log: self, number, trace })
    }

    /// The tail that the next commit, `number`, may have if it writes or lets go of the live entries in `settled`,
    /// each named once.
    ///
    /// It is the oldest commit with a live entry that is not settled, or the next commit itself.
    pub fn tail_after<'k>(&self, number: u64, settled: impl Iterator<Item = &'k K>) -> u64
    where
        K: 'k,
    {
        let mut settled_in: HashMap<u64, usize> = HashMap::new();
        for live in settled.filter_map(|key| self.live.get(key)) {
            *settled_in.entry(live.commit).or_default() += 1;
        }
        let holds = |(commit, trace): &(u64, &Trace<K>)| trace.live > settled_in.get(commit).copied().unwrap_or(0);
        (self.tail..).zip(&self.commits).find(holds).map_or(number, |(commit, _)| commit)
    }
}

/// One of the oldest commits of a log.
#[derive(Debug)]
pub struct Oldest<'l, K, V> {
    log: &'l LogMemory<K, V>,
    /// Its number.
    pub number: u64,
    trace: &'l Trace<K>,
}

impl<'l, K: Clone + Eq + Hash, V> Oldest<'l, K, V> {
    /// When it was made, in Unix milliseconds.
    #[must_use]
    pub fn made_ms(&self) -> u64 {
        self.trace.made_ms
    }

    /// Its entries that no later commit has written again.
    pub fn live(&self) -> impl Iterator<Item = (&'l K, &'l V)> {
        let (log, number) = (self.log, self.number);
        let keys = if self.trace.live == 0 { &[][..] } else { &self.trace.keys[..] };
        keys.iter().filter_map(move |key| {
            log.live.get(key).filter(|live| live.commit == number).map(|live| (key, &live.value))
        })
    }
}

fn memory_bytes<K: Weight, V: Weight>(key: &K, value: &V) -> usize {
    key.memory_bytes() + value.memory_bytes() + ENTRY_OVERHEAD_BYTES
}

impl<K: Weight> Trace<K> {
    /// The keys stay until the tail moves past the commit, whether or not they are live.
    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.keys.iter().map(K::memory_bytes).sum::<usize>()
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
