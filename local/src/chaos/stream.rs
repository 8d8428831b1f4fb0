//! Random streams of clicks that keep the promise's condition whatever happens to them on their way.
//!
//! A stream comes in phases. The clicks of a phase span less than the session gap and arrive in any order, over any
//! shards; a phase begins when the one before it is done. So every click arrives before its user's event time has moved
//! a gap past it, and the sessions must be those of the sorted stream.

use std::collections::BTreeSet;

use fastrand::Rng;
use shared::session_rule::SessionGap;

/// When the first phase begins, in Unix milliseconds.
const BEGIN_MS: u64 = 1_721_390_400_000;

/// Bytes that are no clicks.
const POISON: [&str; 4] = ["no click", "[]", r#"{"user_id":"","event_timestamp":1}"#, r#"{"user_id":"a"}"#];

/// Clicks, and records that are none, that may arrive in any order.
pub type Phase = Vec<Sent>;

/// A record to put into click-stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Whose click; `None` for what is none.
    pub user: Option<String>,
    /// Its bytes. No two records of a stream have the same.
    pub data: Vec<u8>,
}

/// How large a stream becomes.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many phases.
    pub phases: usize,
    /// Most records of a phase.
    pub records: usize,
    /// Most users.
    pub users: usize,
}

/// A stream whose users' names begin with `prefix`.
///
/// No two clicks of a user have the same time, so that a session's first click is the same in any order.
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
