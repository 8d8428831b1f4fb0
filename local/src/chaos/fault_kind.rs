//! The kinds of faults that can be selected by name, and how often each was injected.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum FaultKind {
    /// A whole call is throttled.
    Throttle,
    /// A service returns an internal error.
    InternalError,
    /// The connection breaks before a call takes effect.
    Reset,
    /// The connection breaks after a call takes effect.
    LostReply,
    /// A call takes effect, but its response never arrives.
    TimeOut,
    /// Some entries, items, keys or statements of a call are rejected.
    Partial,
    /// A call takes long.
    Slow,
    /// The function crashes before or after a call.
    Crash,
    /// A function presumed dead continues after its batch was redelivered.
    Zombie,
    /// An invocation gets so little time that it may not finish.
    OutOfTime,
    /// A batch is redelivered after it succeeded, split differently.
    Redelivery,
    /// The stream's shards are split or merged while it is read.
    Reshard,
    /// A user's clicks are spread over several shards.
    Scatter,
    /// Records hold several clicks: aggregated, in an array, or one behind the other.
    Pack,
    /// Sweeps at any time, with clocks that are wrong by up to a year.
    Sweep,
    /// A function goes on after the log has made more than a turn of its ring.
    OldWriter,
    /// The rings of the state log have only a few slots.
    SmallRing,
    /// Some clicks are later than the allowed lateness.
    Late,
    /// Users are forgotten while they click, by commands that meet faults and die.
    Forget,
    /// All of the above.
    All,
}

impl FaultKind {
    /// Each kind except [`Self::All`].
    pub const EACH: [Self; 19] = [
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
        Self::Pack,
        Self::Sweep,
        Self::OldWriter,
        Self::SmallRing,
        Self::Late,
        Self::Forget,
    ];

    /// The kinds that affect a single call.
    pub const OF_CALLS: [Self; 7] =
        [Self::Throttle, Self::InternalError, Self::Reset, Self::LostReply, Self::TimeOut, Self::Partial, Self::Slow];

    /// The name on the command line, and a description of the injected faults.
    #[must_use]
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Throttle => ("throttle", "throttled calls"),
            Self::InternalError => ("internal-error", "calls that failed with an internal error"),
            Self::Reset => ("reset", "connections broken before the call took effect"),
            Self::LostReply => ("lost-reply", "connections broken after the call took effect"),
            Self::TimeOut => ("time-out", "responses that never arrived"),
            Self::Partial => ("partial", "calls that were partly rejected"),
            Self::Slow => ("slow", "slow calls"),
            Self::Crash => ("crash", "functions that crashed during a call"),
            Self::Zombie => ("zombie", "presumed dead functions that continued"),
            Self::OutOfTime => ("out-of-time", "invocations with little time left"),
            Self::Redelivery => ("redelivery", "batches redelivered after they succeeded"),
            Self::Reshard => ("reshard", "streams resharded"),
            Self::Scatter => ("scatter", "streams whose partition key was not the user"),
            Self::Pack => ("pack", "records that held several clicks"),
            Self::Sweep => ("sweep", "sweeps at any time, with any clock"),
            Self::OldWriter => ("old-writer", "functions that went on after a turn of the ring"),
            Self::SmallRing => ("small-ring", "state logs with a few slots"),
            Self::Late => ("late", "streams with clicks later than any promise"),
            Self::Forget => ("forget", "users forgotten at any time"),
            Self::All => ("all", "any"),
        }
    }
}

/// Counts of injected faults.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; FaultKind::EACH.len()]);

impl Tally {
    /// Counts one fault of this kind.
    pub fn add(&self, kind: FaultKind) {
        if let Some(count) = self.0.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The number of faults of this kind.
    #[must_use]
    pub fn of(&self, kind: FaultKind) -> u64 {
        self.0.get(kind as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// The number of faults of all kinds.
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
