//! The calls that the sessionizer makes, by what they are for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use local_aws::faults::Call;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// BatchGetItem of the settings.
    ReadSettings,
    /// PutItem of the settings.
    MakeSettings,
    /// BatchGetItem of commits.
    ReadLog,
    /// BatchGetItem of users at rest.
    ReadRest,
    /// BatchExecuteStatement of users who leave the log.
    WriteRest,
    /// PutItem of a commit.
    Commit,
    /// PutRecords.
    Publish,
    /// BatchWriteItem of rejected records.
    Reject,
}

impl Kind {
    fn of(call: &Call) -> Self {
        let keys = |table: &str| call.body["RequestItems"][table]["Keys"].as_array();
        let is_settings = |slot: &serde_json::Value| slot["S"] == "settings";
        match call.operation.as_str() {
            "BatchGetItem" => match keys("state-log") {
                Some(keys) if is_settings(&keys[0]["slot"]) => Self::ReadSettings,
                Some(_) => Self::ReadLog,
                None => {
                    assert!(keys("session-state").is_some(), "{call:?}");
                    Self::ReadRest
                }
            },
            "PutItem" if is_settings(&call.body["Item"]["slot"]) => Self::MakeSettings,
            "PutItem" => Self::Commit,
            "BatchExecuteStatement" => Self::WriteRest,
            "PutRecords" => Self::Publish,
            "BatchWriteItem" => Self::Reject,
            other => panic!("the sessionizer has no business with {other}"),
        }
    }
}

/// The calls so far. Clones share them.
#[derive(Clone, Default)]
pub struct Calls(Arc<Mutex<BTreeMap<Kind, usize>>>);

impl Calls {
    /// Counts a call. Returns its kind, and how many of that kind there were before.
    pub fn count(&self, call: &Call) -> (Kind, usize) {
        let kind = Kind::of(call);
        let mut counts = self.0.lock().unwrap();
        let count = counts.entry(kind).or_default();
        *count += 1;
        (kind, *count - 1)
    }

    /// How many calls of this kind there were, including failed ones.
    pub fn of(&self, kind: Kind) -> usize {
        self.0.lock().unwrap().get(&kind).copied().unwrap_or(0)
    }

    /// All counts since the last time they were taken.
    pub fn take(&self) -> BTreeMap<Kind, usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}
