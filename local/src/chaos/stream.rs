//! Random streams of clicks that satisfy the condition for exact sessions, however their clicks are delayed or
//! reordered.
//!
//! A stream consists of phases. The clicks of a phase span less than the session gap and arrive in any order, over any
//! shards. A phase starts after the previous one is done. So every click arrives before its user's event time has moved
//! one gap past it, and the sessions must equal those of the sorted stream.

use std::collections::BTreeSet;

use fastrand::Rng;
use shared::session_rule::SessionGap;

/// Start of the first phase, in Unix milliseconds.
const BEGIN_MS: u64 = 1_721_390_400_000;

/// Unreadable records.
const POISON: [&str; 4] = ["no click", "[]", r#"{"user_id":"","event_timestamp":1}"#, r#"{"user_id":"a"}"#];

/// Clicks and unreadable records that may arrive in any order.
pub type Phase = Vec<Sent>;

/// A record to put into click-stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The click's user; `None` for an unreadable record.
    pub user: Option<String>,
    /// Its bytes, unique within the stream.
    pub data: Vec<u8>,
}

/// The size of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Number of phases.
    pub phases: usize,
    /// Maximum number of records in a phase.
    pub records: usize,
    /// Maximum number of users.
    pub users: usize,
}

/// A stream whose user names start with `prefix`.
///
/// No two clicks of a user have the same time, so a session's first click does not depend on the order.
#[must_use]
pub fn random(rng: &mut Rng, prefix: &str, size: Size, gap: SessionGap) -> Vec<Phase> {
    let users = rng.usize(1..=size.users);
    let mut begin = BEGIN_MS;
    let mut number = 0;
    let phases = (0..size.phases).map(|_| {
        let mut taken = BTreeSet::new();
        let records = (0..rng.usize(1..=size.records)).map(|_| {
            number += 1;
            if rng.u8(..12) == 0 {
                let data = format!("{} {prefix}{number}", rng.choice(POISON).unwrap_or_default());
                return Sent { user: None, data: data.into_bytes() };
            }
            let user = rng.usize(..users);
            let mut ms = begin + rng.u64(..gap.ms());
            while !taken.insert((user, ms)) {
                ms = begin + rng.u64(..gap.ms());
            }
            click(&format!("{prefix}{user}"), ms, number)
        });
        let records = records.collect();
        begin += gap.ms() + if rng.bool() { rng.u64(..2 * gap.ms()) } else { 0 };
        records
    });
    phases.collect()
}

fn click(user: &str, ms: u64, number: u64) -> Sent {
    let data =
        format!(r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"e{number}","event_type":"click"}}"#);
    Sent { user: Some(user.to_owned()), data: data.into_bytes() }
}
