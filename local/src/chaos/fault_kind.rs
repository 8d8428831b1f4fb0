//! The faults that can be asked for by name, and how often each was injected.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FaultKind {
    /// A call is throttled as a whole.
    Throttle,
    /// A service fails with an error of its own.
    InternalError,
    /// The connection breaks before a call has taken effect.
    Reset,
    /// The connection breaks after a call has taken effect.
    LostReply,
    /// A call takes effect and its answer never comes.
    TimeOut,
    /// Single entries, items, keys or statements of a call are refused.
    Partial,
    /// A call takes long.
    Slow,
    /// The function dies before or after a call.
    Crash,
    /// The function is taken for dead, its batch is delivered again, and it goes on all the same.
    Zombie,
    /// An invocation is given so little time that it may not get through.
    OutOfTime,
    /// A batch that had succeeded is delivered again, cut elsewhere.
    Redelivery,
    /// The stream's shards are split or merged while it is read.
    Reshard,
    /// A user's clicks come over several shards.
    Scatter,
    /// Each of the others.
    All,
}

impl FaultKind {
    /// Each of them.
    pub const EACH: [Self; 13] = [
        Self::Throttle,
        Self::InternalError,
        Self::Reset,
        Self::LostReply,
        Self::TimeOut,
        Self::Partial,
        Self::Slow,
        Self::Crash,
        Self::Zombie,
        Self::OutOfTime,
        Self::Redelivery,
        Self::Reshard,
        Self::Scatter,
    ];

    /// Those that befall a single call.
    pub const OF_CALLS: [Self; 7] =
        [Self::Throttle, Self::InternalError, Self::Reset, Self::LostReply, Self::TimeOut, Self::Partial, Self::Slow];

    /// The name on the command line, and what it means.
    #[must_use]
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Throttle => ("throttle", "calls throttled as a whole"),
            Self::InternalError => ("internal-error", "calls failed by the service"),
            Self::Reset => ("reset", "connections broken before the call took effect"),
            Self::LostReply => ("lost-reply", "connections broken after the call took effect"),
            Self::TimeOut => ("time-out", "answers that never came"),
            Self::Partial => ("partial", "calls of which some parts were refused"),
            Self::Slow => ("slow", "calls that took long"),
            Self::Crash => ("crash", "functions that died at a call"),
            Self::Zombie => ("zombie", "functions that outlived their successors"),
            Self::OutOfTime => ("out-of-time", "invocations that were given little time"),
            Self::Redelivery => ("redelivery", "batches delivered again after success"),
            Self::Reshard => ("reshard", "shards split or merged"),
            Self::Scatter => ("scatter", "streams whose partition key was not the user"),
            Self::All => ("all", "any"),
        }
    }
}

/// Counts of injected faults.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; FaultKind::EACH.len()]);

impl Tally {
    /// Notes one more of a kind.
    pub fn add(&self, kind: FaultKind) {
        if let Some(count) = self.0.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many of this kind.
    #[must_use]
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.0.get(kind as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How many of all kinds.
    #[must_use]
    pub fn total(&self) -> u64 {
        FaultKind::EACH.into_iter().map(|kind| self.of(kind)).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let injected = FaultKind::EACH.into_iter().filter(|kind| self.of(*kind) > 0);
        for (line, kind) in injected.enumerate() {
            let (name, meaning) = kind.describe();
            let end = if line == 0 { "" } else { "\n" };
            write!(f, "{end}{:>9} {name:<15} {meaning}", self.of(kind))?;
        }
        Ok(())
    }
}
