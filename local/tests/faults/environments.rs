//! Execution environments, each with its own memory, calls that fail at random, and invocations that die or outlive
//! their successors.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use local_aws::faults::{Call, Fault, Hold};
use sessionizer_fn::handler::Sessionizer;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::setup::{Setup, sessionizer};
use crate::world::World;

/// What an invocation calls from reading a log until the items of those who leave it are written.
const FROM_READING_TO_ITEMS: [&str; 2] = ["BatchGetItem", "BatchExecuteStatement"];

/// One in this many calls meets a fault.
const CALLS_PER_FAULT: u8 = 8;

/// One in this many invocations dies, and one in as many is overtaken.
const INVOCATIONS_PER_DEATH: u8 = 8;

/// They do at one of this many first calls.
const LAST_CALL_TO_DIE_AT: usize = 8;

/// Time-outs of calls never end: an overtaken one must not notice.
const SLOW: f64 = 1.0 / 60.0;

/// The faults of an environment's calls.
pub struct Plan {
    rng: Rng,
    /// After so many calls, the next one is held; before or after it takes effect.
    hold: Option<(usize, bool, Hold)>,
    /// Whether the calls of [`FROM_READING_TO_ITEMS`] may be held.
    holds_items: bool,
}

impl Plan {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), hold: None, holds_items: true }
    }

    /// After so many calls, holds the next one: before or, if so, after it takes effect.
    pub fn hold(&mut self, calls: usize, after: bool, hold: Hold) {
        self.hold = Some((calls, after, hold));
    }

    pub fn fault_for(&mut self, call: &Call) -> Fault {
        let is_spared = !self.holds_items && FROM_READING_TO_ITEMS.contains(&call.operation.as_str());
        match self.hold.take() {
            Some(hold) if is_spared => self.hold = Some(hold),
            Some((0, false, hold)) => return Fault::Held(hold),
            Some((0, true, hold)) => return Fault::ReplyHeld(hold),
            Some((calls, after, hold)) => self.hold = Some((calls - 1, after, hold)),
            None => {}
        }
        if self.rng.u8(..CALLS_PER_FAULT) > 0 {
            return Fault::None;
        }
        match self.rng.u8(..8) {
            0 => Fault::Throttled,
            1 => Fault::InternalError,
            2 => Fault::NotSent,
            3 | 4 => Fault::ReplyLost,
            5 => Fault::Slow(Duration::from_millis(self.rng.u64(1..10))),
            _ if call.parts == 0 => Fault::ReplyLost,
            6 => Fault::PartsThrottled(vec![self.rng.usize(..call.parts)]),
            _ => Fault::PartsThrottled((0..call.parts).collect()),
        }
    }
}

struct Environment {
    sessionizer: Sessionizer,
    plan: Arc<Mutex<Plan>>,
}

/// An invocation that was overtaken, and its release.
struct Overtaken {
    invocation: JoinHandle<()>,
    let_go: oneshot::Sender<()>,
}

/// The environments that invocations may get, and what runs on although it is presumed dead.
pub struct Environments<'w> {
    world: &'w World,
    rng: Rng,
    warm: Vec<Environment>,
    holds_items: bool,
    overtaken: Vec<Overtaken>,
    released: Vec<JoinHandle<()>>,
}

impl<'w> Environments<'w> {
    /// `count` environments. Without `holds_items`, nothing is held from reading a log until the items of
    /// those who leave it are written: that must not take longer than `forget` waits.
    pub fn new(world: &'w World, rng: Rng, setup: Setup, count: usize, holds_items: bool) -> Self {
        let mut this = Self { world, rng, warm: Vec::new(), holds_items, overtaken: Vec::new(), released: Vec::new() };
        this.warm = (0..count).map(|_| this.environment(setup)).collect();
        this
    }

    fn environment(&mut self, setup: Setup) -> Environment {
        let plan = Plan { holds_items: self.holds_items, ..Plan::new(self.rng.u64(..)) };
        let plan = Arc::new(Mutex::new(plan));
        let decide = Arc::clone(&plan);
        let sessionizer = sessionizer(self.world, setup, SLOW, move |call| decide.lock().unwrap().fault_for(call));
        Environment { sessionizer, plan }
    }

    /// Replaces one of the environments by one with these settings, as a deployment does.
    pub fn replace_one(&mut self, setup: Setup) {
        let place = self.rng.usize(..self.warm.len());
        self.warm[place] = self.environment(setup);
    }

    /// Invokes one of the environments. `None` if the invocation dies or is overtaken; `setup` is that of the
    /// environment that takes the place of one that is gone.
    pub async fn invoke<T, W>(&mut self, setup: Setup, work: impl FnOnce(Sessionizer) -> W) -> Option<T>
    where
        T: Send + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        let place = self.rng.usize(..self.warm.len());
        let fate = self.rng.u8(..INVOCATIONS_PER_DEATH);
        let Environment { sessionizer, plan } = &self.warm[place];
        let (hold, is_there, let_go) = Hold::new();
        plan.lock().unwrap().hold = (fate < 2).then(|| (self.rng.usize(..LAST_CALL_TO_DIE_AT), self.rng.bool(), hold));
        let mut invocation = tokio::spawn(work(sessionizer.clone()));
        tokio::select! {
            biased;
            Ok(()) = is_there => {}
            answer = &mut invocation => {
                plan.lock().unwrap().hold = None;
                return Some(answer.unwrap());
            }
        }
        if fate == 0 {
            invocation.abort();
            assert!(invocation.await.is_err(), "it was to die");
            drop(let_go);
            if self.rng.bool() {
                return None; // only the invocation was dropped, and the memory is still there
            }
        } else {
            let invocation = tokio::spawn(async move { drop(invocation.await) });
            self.overtaken.push(Overtaken { invocation, let_go });
        }
        self.warm[place] = self.environment(setup);
        None
    }

    /// Lets some of those that were overtaken go on, now or meanwhile.
    pub async fn release_some(&mut self) {
        if self.overtaken.is_empty() || self.rng.u8(..4) > 0 {
            return;
        }
        let Overtaken { invocation, let_go } = self.overtaken.swap_remove(self.rng.usize(..self.overtaken.len()));
        drop(let_go);
        if self.rng.bool() {
            invocation.await.unwrap();
        } else {
            self.released.push(invocation);
        }
    }

    /// Lets everything go on to its end.
    pub async fn finish(&mut self) {
        self.rng.shuffle(&mut self.overtaken);
        for Overtaken { invocation, let_go } in self.overtaken.drain(..) {
            drop(let_go);
            self.released.push(invocation);
        }
        for invocation in self.released.drain(..) {
            invocation.await.unwrap();
        }
        self.world.recorder.quiet().await;
    }
}
