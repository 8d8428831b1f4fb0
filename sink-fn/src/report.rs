//! What one invocation did, in numbers.

use std::ops::AddAssign;

use kinesis_function::metrics::Metric;

/// Counts of one invocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Records in the batch.
    pub records: u64,
    /// Records that could not be read and are kept in the table of rejected ones.
    pub rejected: u64,
    /// Sessions written.
    pub written: u64,
    /// Sessions of which the table already held this version or a newer one.
    pub superseded: u64,
    /// Records that are not done and come again.
    pub undone: u64,
}

impl Report {
    /// The counts as CloudWatch knows them, with the longest wait from a record's arrival to the answer, in
    /// milliseconds, where there was a record.
    #[must_use]
    pub fn metrics(&self, longest_wait_ms: Option<u64>) -> Vec<Metric> {
        let counts = [
            ("Records", self.records),
            ("RecordsRejected", self.rejected),
            ("RecordsUndone", self.undone),
            ("SessionsWritten", self.written),
            ("BoundariesSuperseded", self.superseded),
        ];
        let wait = longest_wait_ms.map(|ms| Metric::milliseconds("BoundaryToSession", ms));
        counts.into_iter().map(|(name, value)| Metric::count(name, value)).chain(wait).collect()
    }
}

impl AddAssign for Report {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.rejected += other.rejected;
        self.written += other.written;
        self.superseded += other.superseded;
        self.undone += other.undone;
    }
}
