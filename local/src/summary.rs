//! The outcome of every record of a run, printed at its end and used for the exit status.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::lines::MAX_RECORD_BYTES;

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Records read: non-blank lines.
    pub read: u64,
    /// Their parts: more than the records if some hold several values.
    pub parts: u64,
    /// Lines that were not put because they are too long for a Kinesis record.
    pub too_long: Oversized,
    /// The totals of the sessionizer's invocations.
    pub sessionizer: sessionizer_fn::report::Report,
    /// The totals of the sink's invocations.
    pub sink: sink_fn::report::Report,
    /// Boundaries that the sink rejected.
    pub sink_rejected: u64,
    /// Records, and parts of records, in the rejected-records table, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Sessions in the table, without tombstones.
    pub sessions: u64,
    /// Number of invocations of the sessionizer and of the sink.
    pub invocations: [u64; 2],
    /// Time from the first line to the last stored session.
    pub elapsed: Duration,
}

/// Lines over [`MAX_RECORD_BYTES`]; only the first [`MAX_LINES_SHOWN`] are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Oversized {
    /// The number of lines.
    pub count: u64,
    /// The first lines.
    pub first: Vec<OversizedLine>,
}

/// A line over [`MAX_RECORD_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OversizedLine {
    /// Its number in the input, from 1.
    pub number: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// The length of its partition key in bytes; `None` if the line is too long without one.
    pub partition_key_bytes: Option<u64>,
}

/// Maximum number of lines listed individually, to fit on a screen.
pub const MAX_LINES_SHOWN: usize = 5;

impl Oversized {
    /// Counts `line` and keeps it if it is one of the first.
    pub fn add(&mut self, line: OversizedLine) {
        self.count += 1;
        if self.first.len() < MAX_LINES_SHOWN {
            self.first.push(line);
        }
    }
}

impl Summary {
    /// Whether every part of the records read was applied, late, filtered or rejected, and the sink rejected nothing.
    #[must_use]
    pub fn is_everything_accounted_for(&self) -> bool {
        self.accounted_for() == self.parts && self.too_long.count == 0 && self.sink_rejected == 0
    }

    fn accounted_for(&self) -> u64 {
        self.sessionizer.applied
            + self.sessionizer.late
            + self.sessionizer.filtered
            + self.rejected.values().sum::<u64>()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rejected: u64 = self.rejected.values().sum();
        writeln!(f, "records    {:>9} read in {seconds:.1} s", self.read)?;
        if self.parts != self.read {
            writeln!(f, "           {:>9} values in them", self.parts)?;
        }
        writeln!(f, "           {:>9} applied", self.sessionizer.applied)?;
        writeln!(f, "           {:>9} late", self.sessionizer.late)?;
        if self.sessionizer.filtered > 0 {
            writeln!(f, "           {:>9} filtered", self.sessionizer.filtered)?;
        }
        writeln!(f, "           {rejected:>9} rejected")?;
        for (reason, count) in &self.rejected {
            writeln!(f, "                     {count:>9} {reason}")?;
        }
        let merged = self.sessionizer.merged;
        writeln!(f, "sessions   {:>9} started, {merged} of them merged later", self.sessionizer.started)?;
        writeln!(f, "boundaries {:>9} published", self.sessionizer.published)?;
        writeln!(f, "           {:>9} written to the table, {} superseded", self.sink.written, self.sink.superseded)?;
        writeln!(f, "table      {:>9} sessions", self.sessions)?;
        let [clicks, boundaries] = self.invocations;
        write!(f, "functions  {clicks:>9} invocations of the sessionizer, {boundaries} of the sink")?;
        if self.too_long.count > 0 {
            write!(f, "\n{}", self.too_long)?;
        }
        if !self.is_everything_accounted_for() {
            let accounted = self.accounted_for();
            write!(
                f,
                "\nNOT EVERY RECORD IS ACCOUNTED FOR: of {} {}, {accounted} were applied, late, filtered or rejected",
                self.parts,
                if self.parts == self.read { "records" } else { "values" }
            )?;
            if self.sink_rejected > 0 {
                write!(f, "; the sink rejected {} boundaries", self.sink_rejected)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Oversized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not put    {:>9} lines: a Kinesis record is limited to {MAX_RECORD_BYTES} bytes including its partition key",
            self.count
        )?;
        for OversizedLine { number, bytes, partition_key_bytes } in &self.first {
            write!(f, "\n                     line {number} has {bytes} bytes")?;
            if let Some(key_bytes) = partition_key_bytes {
                write!(f, " plus a partition key of {key_bytes}")?;
            }
        }
        match self.count.saturating_sub(self.first.len() as u64) {
            0 => Ok(()),
            more => write!(f, "\n                     and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_applied_late_filtered_or_rejected() {
        let mut summary = Summary {
            read: 10,
            parts: 10,
            rejected: BTreeMap::from([("not_json".to_owned(), 1)]),
            ..Summary::default()
        };
        summary.sessionizer = sessionizer_fn::report::Report { applied: 4, late: 2, filtered: 3, ..Default::default() };
        assert!(summary.is_everything_accounted_for());
        assert!(summary.to_string().contains("\n                   3 filtered\n"), "{summary}");
        summary.sessionizer.filtered = 2;
        assert!(!summary.is_everything_accounted_for());
        let wrong = "\nNOT EVERY RECORD IS ACCOUNTED FOR: of 10 records, 9 were applied, late, filtered or rejected";
        assert!(summary.to_string().ends_with(wrong), "{summary}");
    }

    #[test]
    fn lines_over_the_limit_are_counted_and_the_first_are_listed() {
        let mut too_long = Oversized::default();
        too_long.add(OversizedLine { number: 3, bytes: 1_100_000, partition_key_bytes: None });
        too_long.add(OversizedLine { number: 7, bytes: 1_048_570, partition_key_bytes: Some(12) });
        let listed = "lines: a Kinesis record is limited to 1048576 bytes including its partition key
                     line 3 has 1100000 bytes
                     line 7 has 1048570 bytes plus a partition key of 12";
        assert_eq!(too_long.to_string(), format!("not put            2 {listed}"));
        for number in 10..1_000_000 {
            too_long.add(OversizedLine { number, bytes: 2_000_000, partition_key_bytes: None });
        }
        assert_eq!(too_long.first.len(), MAX_LINES_SHOWN);
        let (text, more) = (too_long.to_string(), "has 2000000 bytes");
        let expected = format!(
            "not put       999992 {listed}
                     line 10 {more}
                     line 11 {more}
                     line 12 {more}
                     and 999987 more"
        );
        assert_eq!(text, expected);
    }
}
