//! Decides from a seed which faults occur and when, within what AWS services and Lambda can do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use local_aws::event_source_mapping::DeliveryPolicy;
use local_aws::faults::{Call, Fault};

use crate::chaos::fault_kind::{FaultKind, Tally};

/// One in this many calls meets a fault.
const CALLS_PER_FAULT: u32 = 6;

/// One in this many invocations dies or is presumed dead.
const INVOCATIONS_PER_DEATH: u32 = 8;

/// An invocation that dies does so at one of this many first calls: a batch makes about eight calls for each bucket
/// that it has to load, and four for others.
const LAST_CALL_TO_DIE_AT: usize = 8;

/// One in this many invocations gets a new environment.
const INVOCATIONS_PER_COLD_START: u32 = 5;

/// One in this many invocations gets little time, in milliseconds.
const INVOCATIONS_PER_SHORT_ONE: u32 = 8;
const LITTLE_TIME_MS: std::ops::RangeInclusive<u64> = 50..=500;

/// Maximum delay of a slow call, and maximum pause of a zombie.
const LONGEST_DELAY_MS: u64 = 150;

/// How long an overtaken invocation is held, in milliseconds: a few commits, so more than a turn of a small ring.
const OVERTAKEN_MS: std::ops::RangeInclusive<u64> = 500..=3_000;

/// Pauses between sweeps, in milliseconds, and how far their clocks are ahead.
const SWEEP_PAUSE_MS: std::ops::RangeInclusive<u64> = 20..=400;
const SWEEP_CLOCKS_MS: [i64; 6] = [0, 0, 20_000, -300_000, AN_HOUR_MS, 365 * 86_400_000];

/// For so long the log keeps that a user was forgotten. In runs that forget users, no clock may be that far ahead.
const AN_HOUR_MS: i64 = 3_600_000;

/// Pauses between commands that forget a user, in milliseconds. One in so many dies, within this time.
const FORGET_PAUSE_MS: std::ops::RangeInclusive<u64> = 100..=2_000;
const COMMANDS_PER_DEATH: u32 = 3;
const LONGEST_LIFE_MS: u64 = 1_000;

/// Decides about faults. Clones share one random number generator.
#[derive(Clone, Debug)]
pub struct Adversary {
    rng: Arc<Mutex<Rng>>,
    kinds: Arc<[FaultKind]>,
    tally: Arc<Tally>,
}

/// What happens to an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs normally.
    Lives,
    /// It is dropped at this call.
    Dies(At),
    /// At this call it is presumed dead; it continues after this time.
    IsTakenForDead(At, Duration),
    /// The same, but after so long a time that the log has gone on by more than a turn of its ring.
    IsOvertaken(At, Duration),
}

impl Fate {
    /// The call at which it is held.
    #[must_use]
    pub fn at(self) -> Option<At> {
        match self {
            Self::Lives => None,
            Self::Dies(at) | Self::IsTakenForDead(at, _) | Self::IsOvertaken(at, _) => Some(at),
        }
    }
}

/// A moment in an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The number of the call, from 0.
    pub call: usize,
    /// Whether the call has taken effect by then.
    pub after: bool,
}

impl Adversary {
    /// An adversary that injects these kinds of faults and counts them in `tally`.
    #[must_use]
    pub fn new(seed: u64, kinds: &[FaultKind], tally: Arc<Tally>) -> Self {
        Self { rng: Arc::new(Mutex::new(Rng::with_seed(seed))), kinds: kinds.into(), tally }
    }

    /// Whether it injects this kind.
    #[must_use]
    pub fn injects(&self, kind: FaultKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Counts a fault that other code injects for it.
    pub fn count(&self, kind: FaultKind) {
        self.tally.add(kind);
    }

    /// Draws from the adversary's random number generator.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The fault to inject into `call`.
    #[must_use]
    pub fn fault_for(&self, call: &Call) -> Fault {
        let of_calls: Vec<_> = FaultKind::OF_CALLS.into_iter().filter(|kind| self.injects(*kind)).collect();
        let kind = self.draw(|rng| if rng.u32(..CALLS_PER_FAULT) == 0 { rng.choice(of_calls) } else { None });
        let fault = match kind {
            Some(FaultKind::Throttle) => Fault::Throttled,
            Some(FaultKind::InternalError) => Fault::InternalError,
            Some(FaultKind::Reset) => Fault::NotSent,
            Some(FaultKind::LostReply) => Fault::ReplyLost,
            Some(FaultKind::TimeOut) => Fault::NoAnswer,
            Some(FaultKind::Slow) => Fault::Slow(self.delay()),
            Some(FaultKind::Partial) if call.parts > 0 => {
                let certain = self.draw(|rng| rng.usize(..call.parts));
                Fault::PartsThrottled((0..call.parts).filter(|part| *part == certain || self.draw(Rng::bool)).collect())
            }
            _ => return Fault::None,
        };
        if let Some(kind) = kind {
            self.count(kind);
        }
        fault
    }

    /// What happens to the next invocation.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let deaths = [FaultKind::Crash, FaultKind::Zombie, FaultKind::OldWriter];
        let deaths: Vec<_> = deaths.into_iter().filter(|kind| self.injects(*kind)).collect();
        let (kind, at) = self.draw(|rng| {
            let kind = if rng.u32(..INVOCATIONS_PER_DEATH) == 0 { rng.choice(deaths) } else { None };
            (kind, At { call: rng.usize(..LAST_CALL_TO_DIE_AT), after: rng.bool() })
        });
        match kind {
            Some(FaultKind::Crash) => Fate::Dies(at),
            Some(FaultKind::Zombie) => Fate::IsTakenForDead(at, self.delay()),
            Some(FaultKind::OldWriter) => {
                Fate::IsOvertaken(at, Duration::from_millis(self.draw(|rng| rng.u64(OVERTAKEN_MS))))
            }
            _ => Fate::Lives,
        }
    }

    /// Which of `idle` environments the next invocation gets; `None` for a new one.
    #[must_use]
    pub fn warm_environment(&self, idle: usize) -> Option<usize> {
        self.draw(|rng| (idle > 0 && rng.u32(..INVOCATIONS_PER_COLD_START) > 0).then(|| rng.usize(..idle)))
    }

    /// The pause before the next sweep, and how far its clock is ahead, in milliseconds.
    #[must_use]
    pub fn next_sweep(&self) -> (Duration, i64) {
        self.draw(|rng| {
            let pause = Duration::from_millis(rng.u64(SWEEP_PAUSE_MS));
            let is_possible = |ahead_ms: &i64| !self.injects(FaultKind::Forget) || *ahead_ms < AN_HOUR_MS;
            (pause, rng.choice(SWEEP_CLOCKS_MS.into_iter().filter(is_possible).collect::<Vec<_>>()).unwrap_or_default())
        })
    }

    /// The pause before the next command that forgets a user, and for how long it lives.
    #[must_use]
    pub fn next_command(&self) -> (Duration, Duration) {
        self.draw(|rng| {
            let pause = Duration::from_millis(rng.u64(FORGET_PAUSE_MS));
            let dies = rng.u32(..COMMANDS_PER_DEATH) == 0;
            (pause, if dies { Duration::from_millis(rng.u64(..LONGEST_LIFE_MS)) } else { Duration::MAX })
        })
    }

    /// The time for the next invocation, if it gets less than usual.
    #[must_use]
    pub fn little_time(&self) -> Option<Duration> {
        let is_short = self.injects(FaultKind::OutOfTime) && self.draw(|rng| rng.u32(..INVOCATIONS_PER_SHORT_ONE) == 0);
        is_short.then(|| {
            self.count(FaultKind::OutOfTime);
            Duration::from_millis(self.draw(|rng| rng.u64(LITTLE_TIME_MS)))
        })
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.draw(|rng| rng.u64(1..=LONGEST_DELAY_MS)))
    }
}

impl DeliveryPolicy for Adversary {
    fn cut(&self, fitting: usize) -> usize {
        if self.injects(FaultKind::Redelivery) { self.draw(|rng| rng.usize(1..=fitting.max(1))) } else { fitting }
    }

    fn checkpoint(&self, succeeded: usize) -> usize {
        let kept = if self.injects(FaultKind::Redelivery) {
            self.draw(|rng| if rng.u8(..4) == 0 { rng.usize(0..=succeeded) } else { succeeded })
        } else {
            succeeded
        };
        if kept < succeeded {
            self.count(FaultKind::Redelivery);
        }
        kept
    }
}
