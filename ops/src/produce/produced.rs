//! What became of a load, in numbers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use kinesis_function::call_error::CallError;
use serde_json::{Value, json};

use crate::error::OpsError;
use crate::produce::mix::Kind;

/// The code of records that were still under way when the operator stopped waiting for them.
const INTERRUPTED: &str = "Interrupted";

/// The records made so far, and what Kinesis answered about them.
#[derive(Clone, Debug, Default)]
pub struct Produced {
    /// Clicks of the present.
    pub on_time: u64,
    /// Clicks of the past.
    pub late: u64,
    /// Clicks made a second time.
    pub duplicates: u64,
    /// Records that are not clicks.
    pub broken: u64,
    /// Users with clicks on time.
    pub users: u64,
    /// Sessions of the clicks on time, by the load's gap.
    pub sessions: u64,
    /// Records that the stream has accepted.
    pub accepted: u64,
    /// Attempts to put a record that were throttled.
    pub throttled: u64,
    /// Attempts to put a record that failed for another reason, such as an internal error or a lost connection.
    pub failed: u64,
    /// Attempts to put a record after the first.
    pub retried: u64,
    /// Those of `retried` that followed an attempt without an answer: the record may be in the stream twice.
    pub unanswered: u64,
    /// Records that the stream has not accepted in the end, by error code.
    pub given_up: BTreeMap<String, u64>,
    /// The time since the load began.
    pub elapsed: Duration,
    /// The error that no retry can help, which ended the load.
    pub error: Option<CallError>,
}

impl Produced {
    /// Records made so far.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.on_time + self.late + self.duplicates + self.broken
    }

    /// Records that were given up.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up.values().sum()
    }

    /// Whether every record is in the stream.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.accepted == self.made()
    }

    /// The error that ended the load, with the `stream` it was for.
    ///
    /// # Errors
    /// If there was one.
    pub fn into_result(self, stream: &str) -> Result<(), OpsError> {
        self.error.map_or(Ok(()), |error| Err(OpsError::of_stream(stream)(error)))
    }

    pub(super) fn count(&mut self, kind: Kind) {
        *match kind {
            Kind::OnTime => &mut self.on_time,
            Kind::Late => &mut self.late,
            Kind::Duplicate => &mut self.duplicates,
            Kind::Broken => &mut self.broken,
        } += 1;
    }

    pub(super) fn give_up(&mut self, code: &str) {
        *self.given_up.entry(code.to_owned()).or_default() += 1;
    }

    /// Gives up the records whose requests were abandoned, so that each record has an outcome.
    pub(super) fn give_up_the_rest(&mut self) {
        let rest = self.made().saturating_sub(self.accepted + self.given_up());
        if rest > 0 {
            *self.given_up.entry(INTERRUPTED.to_owned()).or_default() += rest;
        }
    }

    /// As a JSON object.
    #[must_use]
    pub fn json(&self, stream: &str, seed: u64) -> Value {
        json!({
            "stream": stream,
            "seed": seed,
            "records": self.made(),
            "on_time": self.on_time,
            "late": self.late,
            "duplicates": self.duplicates,
            "broken": self.broken,
            "users": self.users,
            "sessions": self.sessions,
            "accepted": self.accepted,
            "throttled": self.throttled,
            "failed": self.failed,
            "retried": self.retried,
            "unanswered": self.unanswered,
            "given_up": self.given_up,
            "elapsed_ms": u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl fmt::Display for Produced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        writeln!(f, "made       {:>9} records in {seconds:.1} s", self.made())?;
        writeln!(
            f,
            "           {:>9} clicks on time: {} sessions of {} users",
            self.on_time, self.sessions, self.users
        )?;
        writeln!(f, "           {:>9} late clicks", self.late)?;
        writeln!(f, "           {:>9} duplicates", self.duplicates)?;
        writeln!(f, "           {:>9} broken records", self.broken)?;
        writeln!(f, "stream     {:>9} accepted", self.accepted)?;
        writeln!(f, "           {:>9} throttled attempts", self.throttled)?;
        writeln!(f, "           {:>9} attempts that failed otherwise", self.failed)?;
        writeln!(f, "           {:>9} retries", self.retried)?;
        if self.unanswered > 0 {
            let unanswered = self.unanswered;
            writeln!(
                f,
                "                     {unanswered:>9} after no answer: these records may be in the stream twice"
            )?;
        }
        write!(f, "           {:>9} given up", self.given_up())?;
        for (code, count) in &self.given_up {
            write!(f, "\n                     {count:>9} {code}")?;
        }
        Ok(())
    }
}

/// One line while a load is being put.
#[derive(Debug)]
pub struct Progress<'a> {
    /// What was put so far.
    pub so_far: &'a Produced,
    /// How many records there will be.
    pub records: u64,
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (so_far, records) = (self.so_far, self.records);
        let seconds = so_far.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { so_far.accepted as f64 / seconds } else { 0.0 };
        write!(f, "{} of {records} records accepted, {rate:.0} a second", so_far.accepted)?;
        for (count, what) in
            [(so_far.throttled, "throttled"), (so_far.failed, "failed"), (so_far.given_up(), "given up")]
        {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produced() -> Produced {
        Produced {
            on_time: 90,
            late: 5,
            duplicates: 3,
            broken: 2,
            users: 4,
            sessions: 6,
            accepted: 97,
            throttled: 20,
            failed: 4,
            retried: 21,
            unanswered: 1,
            given_up: [("ProvisionedThroughputExceededException".to_owned(), 2)].into(),
            elapsed: Duration::from_millis(2_040),
            error: None,
        }
    }

    #[test]
    fn summary_says_what_became_of_every_record() {
        let mut produced = produced();
        assert!(!produced.is_complete());
        produced.give_up_the_rest();
        let expected = "\
made             100 records in 2.0 s
                  90 clicks on time: 6 sessions of 4 users
                   5 late clicks
                   3 duplicates
                   2 broken records
stream            97 accepted
                  20 throttled attempts
                   4 attempts that failed otherwise
                  21 retries
                             1 after no answer: these records may be in the stream twice
                   3 given up
                             1 Interrupted
                             2 ProvisionedThroughputExceededException";
        assert_eq!(produced.to_string(), expected);
    }

    #[test]
    fn progress_is_a_line_that_leaves_out_what_did_not_happen() {
        let so_far = Produced { elapsed: Duration::from_secs(2), accepted: 97, ..Produced::default() };
        let line = |so_far| Progress { so_far, records: 200 }.to_string();
        assert_eq!(line(&so_far), "97 of 200 records accepted, 48 a second");
        let so_far = Produced { elapsed: Duration::from_secs(2), ..produced() };
        let expected = "97 of 200 records accepted, 48 a second, 20 throttled, 4 failed, 2 given up";
        assert_eq!(line(&so_far), expected);
    }
}
