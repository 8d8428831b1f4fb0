//! The outcome of a redrive, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

/// What a redrive did or, in a dry run, would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redriven {
    /// Records put back into their stream and deleted from the table, by reason.
    pub put: BTreeMap<String, u64>,
    /// Records that Kinesis did not accept, still in the table, by reason and error code.
    pub left: BTreeMap<(String, String), u64>,
    /// Records whose put got no response, still in the table, by reason and error code. They may also be in the stream.
    pub unanswered: BTreeMap<(String, String), u64>,
    /// Records still in the table because they were truncated when they were stored, by reason.
    pub cut: BTreeMap<String, u64>,
    /// Items still in the table because they are not rejected records.
    pub foreign: u64,
}

impl Redriven {
    /// Whether Kinesis accepted every record it was sent. Truncated records are never sent.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty() && self.unanswered.is_empty()
    }

    /// As a JSON object.
    #[must_use]
    pub fn json(&self, is_dry_run: bool) -> Value {
        let with_code = |counts: &BTreeMap<(String, String), u64>| {
            let row = |((reason, code), records): (&(String, String), &u64)| json!({ "reason": reason, "code": code, "records": records });
            counts.iter().map(row).collect::<Vec<_>>()
        };
        json!({
            "dry_run": is_dry_run,
            "put": self.put,
            "left": with_code(&self.left),
            "unanswered": with_code(&self.unanswered),
            "truncated": self.cut,
            "foreign": self.foreign,
        })
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
        write!(f, "records put back into their streams: {total}")?;
        for (reason, count) in &self.put {
            write!(f, "\n{count:>9} {reason}")?;
        }
        for ((reason, code), count) in &self.left {
            write!(f, "\n{count:>9} {reason}, left in the table: not accepted ({code})")?;
        }
        for ((reason, code), count) in &self.unanswered {
            let warning = "may be in the stream anyway, and another redrive would then count them twice";
            write!(f, "\n{count:>9} {reason}, left in the table: no response to the put ({code}); {warning}")?;
        }
        for (reason, count) in &self.cut {
            write!(f, "\n{count:>9} {reason}, left in the table: truncated when stored, because they were too large")?;
        }
        if self.foreign > 0 {
            write!(f, "\n{:>9} items left in the table: not rejected records", self.foreign)?;
        }
        Ok(())
    }
}
