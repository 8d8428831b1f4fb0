//! Collects the failures of one invocation by kind, so that each kind is one log line, however often it occurred.
//!
//! A throttled table fails thousands of statements a second, and CloudWatch bills by the byte. Logs contain no user id
//! and no data of a record; the positions of the first affected records say where to look.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

use crate::call_error::CallError;
use shared::sequence_number::SequenceNumber;

/// Most kinds that are logged separately; all further ones are logged as `other`. Far more than real failures produce,
/// and a bound should a service return a new code with every answer.
const MAX_KINDS: usize = 16;

/// Most positions in a log line: enough for a look at a few records, short enough for a line.
const MAX_POSITIONS: usize = 3;

/// The failures of one invocation. Shared by its futures, so that none is lost when the deadline drops them.
#[derive(Debug, Default)]
pub struct Failures {
    kinds: Mutex<BTreeMap<Kind, Seen>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// Whether this invocation no longer tries.
    given_up: bool,
    what: &'static str,
    code: String,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    first: String,
    positions: Vec<String>,
}

impl Failures {
    /// Records that a call, or a part of one, failed and is retried.
    pub fn retried(&self, error: &CallError) {
        self.note(false, error.operation(), error.code(), error, None);
    }

    /// Records that a call, or a part of one, failed permanently: the record at `position` waits for redelivery.
    pub fn given_up(&self, error: &CallError, position: Option<&SequenceNumber>) {
        self.note(true, error.operation(), error.code(), error, position);
    }

    /// Records that the record at `position` waits for redelivery because of `error`, which is not a failed call.
    /// `what` names what failed and `code` how, both from a small set.
    pub fn blocked(
        &self,
        what: &'static str,
        code: &'static str,
        error: impl Display,
        position: Option<&SequenceNumber>,
    ) {
        self.note(true, what, code, error, position);
    }

    fn note(
        &self,
        given_up: bool,
        what: &'static str,
        code: &str,
        error: impl Display,
        position: Option<&SequenceNumber>,
    ) {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kind = Kind { given_up, what, code: code.to_owned() };
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(&kind) {
            kind = Kind { given_up, what: "other", code: "other".to_owned() };
        }
        let seen = kinds.entry(kind).or_default();
        if seen.count == 0 {
            seen.first = error.to_string();
        }
        seen.count += 1;
        if let Some(position) = position.filter(|_| seen.positions.len() < MAX_POSITIONS) {
            seen.positions.push(position.to_string());
        }
    }

    /// What was given up, as one sentence: each kind with its count and its first error. `None` if nothing was.
    #[must_use]
    pub fn given_up_kinds(&self) -> Option<String> {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let given_up = kinds.iter().filter(|(kind, _)| kind.given_up);
        let texts = given_up.map(|(Kind { what, code, .. }, Seen { count, first, .. })| {
            format!("{what} ({code}), {count} times, first: {first}")
        });
        Some(texts.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty())
    }

    /// Logs one line per kind and clears them: at level ERROR for what was given up, otherwise WARN. `consequence` says
    /// what follows from giving up.
    pub fn log(&self, consequence: &str) {
        let kinds = std::mem::take(&mut *self.kinds.lock().unwrap_or_else(PoisonError::into_inner));
        for (Kind { given_up, what, code }, Seen { count, first, positions }) in kinds {
            let sequence_numbers = positions.join(", ");
            if given_up {
                tracing::error!(
                    what,
                    code,
                    count,
                    sequence_numbers,
                    error = first,
                    "failed permanently; {consequence}"
                );
            } else {
                tracing::warn!(what, code, count, error = first, "failed and retried");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::captured;

    #[test]
    fn each_kind_is_one_line_with_its_count_and_its_first_positions() {
        let lines = captured(|| {
            let failures = Failures::default();
            for number in 1..=1_000_u64 {
                let position = SequenceNumber::parse(number.to_string()).unwrap();
                failures.retried(&CallError::of_part("PutRecords", "InternalFailure", "busy"));
                failures.given_up(&CallError::of_part("PutRecords", "AccessDenied", "no"), Some(&position));
                failures.blocked("state", "unknown_schema", "version 9", Some(&position));
            }
            failures.log("try again");
            failures.log("try again");
        });
        let seen: Vec<_> = lines
            .iter()
            .map(|line| (&line["level"], &line["fields"]["code"], &line["fields"]["count"]))
            .map(|(level, code, count)| (level.as_str().unwrap(), code.as_str().unwrap(), count.as_u64().unwrap()))
            .collect();
        let expected =
            [("WARN", "InternalFailure", 1_000), ("ERROR", "AccessDenied", 1_000), ("ERROR", "unknown_schema", 1_000)];
        assert_eq!(seen, expected);
        assert_eq!(lines[1]["fields"]["message"], "failed permanently; try again");
        assert_eq!(lines[1]["fields"]["sequence_numbers"], "1, 2, 3");
        assert_eq!(lines[1]["fields"]["error"], "PutRecords failed: AccessDenied: no");
    }

    #[test]
    fn kinds_are_bounded_whatever_the_codes() {
        let failures = Failures::default();
        for number in 0..10_000 {
            failures.retried(&CallError::of_part("PutRecords", &format!("Code{number}"), "new"));
        }
        let lines = captured(|| failures.log("try again"));
        assert_eq!(lines.len(), MAX_KINDS + 1);
        let total: u64 = lines.iter().map(|line| line["fields"]["count"].as_u64().unwrap()).sum();
        assert_eq!(total, 10_000);
    }
}
