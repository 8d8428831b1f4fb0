//! Whoever decides what goes wrong, and when: by a seed, within what AWS and Lambda may do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use local_aws::event_source_mapping::DeliveryPolicy;
use local_aws::faults::{Call, Fault};

use crate::chaos::fault_kind::{FaultKind, Tally};

/// One call of so many meets a fault.
const CALLS_PER_FAULT: u32 = 6;

/// One invocation of so many dies or is taken for dead.
const INVOCATIONS_PER_DEATH: u32 = 8;

/// An invocation that is to die does so at one of its first so many calls.
const LAST_CALL_TO_DIE_AT: usize = 4;

/// One invocation of so many is given little time, in milliseconds.
const INVOCATIONS_PER_SHORT_ONE: u32 = 8;
const LITTLE_TIME_MS: std::ops::RangeInclusive<u64> = 50..=500;

/// The longest a slow call takes, and the longest a zombie sleeps.
const LONGEST_DELAY_MS: u64 = 150;

/// Decides. Clones decide together.
#[derive(Clone, Debug)]
pub struct Adversary {
    rng: Arc<Mutex<Rng>>,
    kinds: Arc<[FaultKind]>,
    tally: Arc<Tally>,
}

/// What is to become of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It lives.
    Lives,
    /// It is dropped at this call.
    Dies(At),
    /// At this call it is taken for dead; it goes on after so long.
    IsTakenForDead(At, Duration),
}

/// A moment of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The number of the call, from 0.
    pub call: usize,
    /// Whether the call has taken effect by then.
    pub after: bool,
}

impl Adversary {
    /// An adversary that knows these kinds of faults and counts them in `tally`.
    #[must_use]
    pub fn new(seed: u64, kinds: &[FaultKind], tally: Arc<Tally>) -> Self {
        Self { rng: Arc::new(Mutex::new(Rng::with_seed(seed))), kinds: kinds.into(), tally }
    }

    /// Whether it knows this kind.
    #[must_use]
    pub fn knows(&self, kind: FaultKind) -> bool {
        self.kinds.contains(&kind)
    }

    /// Notes a fault that somebody else injects for it.
    pub fn count(&self, kind: FaultKind) {
        self.tally.add(kind);
    }

    /// Draws with the adversary's own dice.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What happens to `call`.
    #[must_use]
    pub fn fault_for(&self, call: &Call) -> Fault {
        let of_calls: Vec<_> = FaultKind::OF_CALLS.into_iter().filter(|kind| self.knows(*kind)).collect();
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

    /// What becomes of the next invocation.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let deaths: Vec<_> =
            [FaultKind::Crash, FaultKind::Zombie].into_iter().filter(|kind| self.knows(*kind)).collect();
        let (kind, at) = self.draw(|rng| {
            let kind = if rng.u32(..INVOCATIONS_PER_DEATH) == 0 { rng.choice(deaths) } else { None };
            (kind, At { call: rng.usize(..LAST_CALL_TO_DIE_AT), after: rng.bool() })
        });
        match kind {
            Some(FaultKind::Crash) => Fate::Dies(at),
            Some(FaultKind::Zombie) => Fate::IsTakenForDead(at, self.delay()),
            _ => Fate::Lives,
        }
    }

    /// How much time the next invocation is given, where that is less than usual.
    #[must_use]
    pub fn little_time(&self) -> Option<Duration> {
        let is_short = self.knows(FaultKind::OutOfTime) && self.draw(|rng| rng.u32(..INVOCATIONS_PER_SHORT_ONE) == 0);
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
        if self.knows(FaultKind::Redelivery) { self.draw(|rng| rng.usize(1..=fitting.max(1))) } else { fitting }
    }

    fn checkpoint(&self, succeeded: usize) -> usize {
        let kept = if self.knows(FaultKind::Redelivery) {
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
