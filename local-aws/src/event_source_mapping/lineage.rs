//! Decides which shards can be read: a child only after its parents are done, which keeps the order per partition key
//! across a reshard. Pure; it must not call Kinesis.

use std::collections::BTreeSet;

use super::stream::StreamShard;

/// The shards started and done so far.
#[derive(Debug, Default)]
pub(crate) struct Lineage {
    started: BTreeSet<String>,
    done: BTreeSet<String>,
}

impl Lineage {
    /// Returns the shards to start now and marks them as started. `listed` must contain all shards of the stream: a
    /// parent that is not in it has expired and need not be waited for.
    pub(crate) fn start(&mut self, listed: &[StreamShard]) -> Vec<String> {
        let alive: BTreeSet<_> = listed.iter().map(|shard| &shard.id).collect();
        let may_start = |shard: &&StreamShard| {
            let waits_for = |parent: &String| alive.contains(parent) && !self.done.contains(parent);
            !self.started.contains(&shard.id) && !shard.parents.iter().any(waits_for)
        };
        let starting: Vec<_> = listed.iter().filter(may_start).map(|shard| shard.id.clone()).collect();
        self.started.extend(starting.iter().cloned());
        starting
    }

    /// Marks a shard as finished: read to its end, with every batch done.
    pub(crate) fn finish(&mut self, shard: String) {
        self.done.insert(shard);
    }

    /// Whether any shard is being processed.
    pub(crate) fn is_busy(&self) -> bool {
        self.started.len() > self.done.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str]) -> StreamShard {
        StreamShard { id: id.to_owned(), parents: parents.iter().map(|&parent| parent.to_owned()).collect() }
    }

    #[test]
    fn children_of_a_split_wait_for_their_parent() {
        let listed = [shard("0", &[]), shard("1", &["0"]), shard("2", &["0"])];
        let mut lineage = Lineage::default();
        assert_eq!(lineage.start(&listed), ["0"]);
        assert!(lineage.start(&listed).is_empty());
        lineage.finish("0".to_owned());
        assert!(!lineage.is_busy());
        assert_eq!(lineage.start(&listed), ["1", "2"]);
        assert!(lineage.is_busy());
    }

    #[test]
    fn the_child_of_a_merge_waits_for_both_parents() {
        let listed = [shard("0", &[]), shard("1", &[]), shard("2", &["0", "1"])];
        let mut lineage = Lineage::default();
        assert_eq!(lineage.start(&listed), ["0", "1"]);
        lineage.finish("1".to_owned());
        assert!(lineage.start(&listed).is_empty());
        lineage.finish("0".to_owned());
        assert_eq!(lineage.start(&listed), ["2"]);
    }

    #[test]
    fn an_expired_parent_is_not_waited_for() {
        assert_eq!(Lineage::default().start(&[shard("7", &["3", "4"])]), ["7"]);
    }

    #[test]
    fn a_grandchild_waits_although_its_grandparent_is_done() {
        let listed = [shard("0", &[]), shard("1", &["0"]), shard("2", &["1"])];
        let mut lineage = Lineage::default();
        lineage.start(&listed);
        lineage.finish("0".to_owned());
        assert_eq!(lineage.start(&listed), ["1"]);
    }
}
