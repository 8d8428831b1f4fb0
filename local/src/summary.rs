//! What became of every record of a run, for a person to read and for the exit code to be decided.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Records that were read: lines that are not empty.
    pub read: u64,
    /// Numbers of the lines that no Kinesis record can hold, and how many bytes they have.
    pub too_long: Vec<(u64, u64)>,
    /// What the sessionizer's invocations did.
    pub sessionizer: sessionizer_fn::report::Report,
    /// What the sink's invocations did.
    pub sink: sink_fn::report::Report,
    /// Records in the rejected-records table, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Sessions in the table, without tombstones.
    pub sessions: u64,
    /// How often the functions were invoked: the sessionizer, the sink.
    pub invocations: [u64; 2],
    /// How long it took, from the first line to the last session stored.
    pub elapsed: Duration,
}

impl Summary {
    /// Whether every record that was read is applied, late or kept as rejected, and nothing else was done.
    #[must_use]
    pub fn is_everything_accounted_for(&self) -> bool {
        self.accounted_for() == self.read && self.too_long.is_empty() && self.sink.rejected == 0
    }

    fn accounted_for(&self) -> u64 {
        self.sessionizer.applied + self.sessionizer.late + self.rejected.values().sum::<u64>()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let rejected: u64 = self.rejected.values().sum();
        writeln!(f, "records    {:>9} read in {seconds:.1} s", self.read)?;
        writeln!(f, "           {:>9} applied", self.sessionizer.applied)?;
        writeln!(f, "           {:>9} late", self.sessionizer.late)?;
        writeln!(f, "           {rejected:>9} rejected")?;
        for (reason, count) in &self.rejected {
            writeln!(f, "                     {count:>9} {reason}")?;
        }
        if self.sessionizer.moved > 0 {
            let moved = self.sessionizer.moved;
            writeln!(f, "shards     {moved:>9} clicks over another one than their user's click before")?;
        }
        let merged = self.sessionizer.merged;
        writeln!(f, "sessions   {:>9} started, {merged} of them merged again", self.sessionizer.started)?;
        writeln!(f, "boundaries {:>9} published", self.sessionizer.published)?;
        writeln!(f, "           {:>9} written to the table, {} superseded", self.sink.written, self.sink.superseded)?;
        writeln!(f, "table      {:>9} sessions", self.sessions)?;
        let [clicks, boundaries] = self.invocations;
        write!(f, "functions  {clicks:>9} invocations of the sessionizer, {boundaries} of the sink")?;
        for (line, bytes) in &self.too_long {
            write!(f, "\nline {line} has {bytes} bytes, more than a Kinesis record holds: it was not put")?;
        }
        if !self.is_everything_accounted_for() {
            let accounted = self.accounted_for();
            write!(
                f,
                "\nNOT EVERYTHING IS ACCOUNTED FOR: {} records were read, {accounted} have an outcome",
                self.read
            )?;
        }
        Ok(())
    }
}
