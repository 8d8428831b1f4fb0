//! What a redrive did, in numbers.

use std::collections::BTreeMap;
use std::fmt;

/// What a redrive did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Records put back into their stream and deleted from the table, by reason.
    pub put: BTreeMap<String, u64>,
    /// Records that Kinesis did not take, still in the table, by reason and error code.
    pub left: BTreeMap<(String, String), u64>,
    /// Records whose put got no answer, still in the table, by reason and error code. They may be in the stream as well.
    pub unanswered: BTreeMap<(String, String), u64>,
    /// Records still in the table because they were cut when they were kept, by reason.
    pub cut: BTreeMap<String, u64>,
    /// Items still in the table because they are not rejected records.
    pub foreign: u64,
}

impl Redriven {
    /// Whether Kinesis took every record it was given. Records that were cut when they were kept are not given to it.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.unanswered.is_empty()
    }

    pub(super) fn count_put(&mut self, reason: &str) {
        *self.put.entry(reason.to_owned()).or_default() += 1;
    }

    pub(super) fn leave_unanswered(&mut self, reason: &str, code: &str) {
        *self.unanswered.entry((reason.to_owned(), code.to_owned())).or_default() += 1;
    }

    pub(super) fn leave(&mut self, reason: &str, code: &str) {
        *self.left.entry((reason.to_owned(), code.to_owned())).or_default() += 1;
    }
}

impl fmt::Display for Redriven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.put.values().sum();
        write!(f, "{total} records put back into their streams")?;
        for (reason, count) in &self.put {
            write!(f, "\n{count:>9} {reason}")?;
        }
        for ((reason, code), count) in &self.left {
            write!(f, "\n{count:>9} {reason}, left in the table: {code}")?;
        }
        for ((reason, code), count) in &self.unanswered {
            let warning = "if it is in the stream, redriving it again counts it twice";
            write!(f, "\n{count:>9} {reason}, left in the table: no answer to its put ({code}); {warning}")?;
        }
        for (reason, count) in &self.cut {
            write!(f, "\n{count:>9} {reason}, left in the table: too large to be kept whole")?;
        }
        if self.foreign > 0 {
            write!(f, "\n{:>9} items left in the table that are not rejected records", self.foreign)?;
        }
        Ok(())
    }
}
