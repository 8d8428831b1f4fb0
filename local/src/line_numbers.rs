//! The input lines of rejected records.
//!
//! Only records that may be rejected are remembered, at roughly 150 bytes each, less than their items in
//! `rejected-records`. `producer` decides which ones.

use std::collections::HashMap;

/// Line numbers by position in a stream.
#[derive(Debug, Default)]
pub struct LineNumbers {
    by_shard: HashMap<String, HashMap<Box<str>, u64>>,
}

impl LineNumbers {
    /// Remembers that the record at `sequence_number` of the shard with id `shard` is line `line`.
    pub fn note(&mut self, shard: &str, sequence_number: &str, line: u64) {
        if !self.by_shard.contains_key(shard) {
            self.by_shard.insert(shard.to_owned(), HashMap::new());
        }
        if let Some(lines) = self.by_shard.get_mut(shard) {
            lines.insert(sequence_number.into(), line);
        }
    }

    /// The line of the record at `sequence_number` of `shard`; `None` if it was not remembered.
    #[must_use]
    pub fn line_of(&self, shard: &str, sequence_number: &str) -> Option<u64> {
        self.by_shard.get(shard)?.get(sequence_number).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_found_by_shard_and_sequence_number() {
        let mut lines = LineNumbers::default();
        lines.note("shard-0", "1", 10);
        lines.note("shard-0", "2", 20);
        lines.note("shard-1", "1", 11);
        let found = [("shard-0", "1"), ("shard-0", "2"), ("shard-1", "1"), ("shard-1", "2"), ("shard-2", "1")]
            .map(|(shard, number)| lines.line_of(shard, number));
        assert_eq!(found, [Some(10), Some(20), Some(11), None, None]);
    }
}
