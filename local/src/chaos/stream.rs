//! Random streams of clicks, with disorder within the allowed lateness or beyond it.
//!
//! A stream consists of phases. The records of a phase arrive in any order, over any shards. A phase starts after the
//! previous one is done. Within the lateness, the clicks of a phase span no more than the lateness and none is before
//! those of the previous phase. So every click arrives before its user's event time has moved past it by more than the
//! lateness, and the sessions must equal those of the sorted stream.

use std::collections::BTreeSet;

use fastrand::Rng;
use shared::session_window::WindowRule;

/// Start of the first phase, in Unix milliseconds.
const BEGIN_MS: u64 = 1_721_390_385_000;

/// Unreadable records.
const POISON: [&str; 4] = ["no click", "[]", r#"{"user_id":"","event_timestamp":1}"#, r#"{"user_id":"a"}"#];

/// Attempts to find a time that the user has no click at.
const MOST_DRAWS: usize = 8;

/// Clicks and unreadable records that may arrive in any order.
pub type Phase = Vec<Sent>;

/// A record to put into click-stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The click's user and its time, in Unix milliseconds; `None` for an unreadable record.
    pub click: Option<(String, u64)>,
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

/// How far clicks are out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disorder {
    /// No further than the lateness.
    WithinLateness,
    /// Some are later than any promise.
    BeyondLateness,
}

/// A stream for this `rule`. A phase spans three gaps at most, so that the sessions of a few phases fit into a window.
///
/// No two clicks of a user have the same time, so a session's first click does not depend on the order.
#[must_use]
pub fn random(rng: &mut Rng, size: Size, rule: WindowRule, disorder: Disorder) -> Vec<Phase> {
    let gap_ms = rule.gap.ms();
    let users = rng.usize(1..=size.users);
    let mut begin = BEGIN_MS;
    let mut number = 0;
    let mut taken = BTreeSet::new();
    let mut phases = Vec::new();
    for _ in 0..size.phases {
        let span = rule.lateness_ms.min(rng.choice([gap_ms / 2, gap_ms, 3 * gap_ms]).unwrap_or_default());
        let records = rng.usize(1..=size.records);
        let mut draw = |rng: &mut Rng, user: usize| {
            let too_late = disorder == Disorder::BeyondLateness && rng.u8(..3) == 0;
            let back = if too_late { rng.u64(..3 * (rule.lateness_ms + gap_ms)) } else { 0 };
            let ms = begin + rng.u64(..=span) - back;
            taken.insert((user, ms)).then_some(ms)
        };
        let record = |_| {
            number += 1;
            let user = rng.usize(..users);
            let ms = if rng.u8(..12) == 0 { None } else { (0..MOST_DRAWS).find_map(|_| draw(rng, user)) };
            match ms {
                Some(ms) => click(format!("user{user}"), ms, number),
                None => poison(rng, number),
            }
        };
        phases.push((0..records).map(record).collect());
        begin += span + 1 + rng.choice([0, gap_ms / 2, gap_ms, 3 * gap_ms, rule.lateness_ms / 2]).unwrap_or_default();
    }
    phases
}

fn click(user: String, ms: u64, number: u64) -> Sent {
    let page = number % 4;
    let value = number * 37 % 100;
    let data = format!(
        r#"{{"user_id":"{user}","event_timestamp":{ms},"event_name":"e{number}","event_type":"click","{}":"/{page}","value":{value}.1}}"#,
        if page == 3 { "title" } else { "page" }, // not every click has one
    );
    Sent { click: Some((user, ms)), data: data.into_bytes() }
}

fn poison(rng: &mut Rng, number: u64) -> Sent {
    let data = format!("{} {number}", rng.choice(POISON).unwrap_or_default());
    Sent { click: None, data: data.into_bytes() }
}
