//! A function whose calls meet faults and whose invocations may die, be presumed dead or be overtaken.
//!
//! Invocations get one of several execution environments, each with a memory of its own, or a new one.

use std::sync::{Arc, Mutex, PoisonError};

use aws_types::SdkConfig;
use local_aws::event_source_mapping::Function;
use local_aws::faults::{Call, Fault, FaultyHttpClient, Hold};
use local_aws::with_time_scaled;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::chaos::adversary::{Adversary, At, Fate};
use crate::chaos::fault_kind::FaultKind;

/// How much faster than the clock the SDK's time-outs run: a response that never arrives costs a run one second, not
/// five.
pub(crate) const SPEED_OF_TIMEOUTS: f64 = 5.0;

/// The same for an environment that is frozen for long and does not notice.
const SPEED_WHILE_FROZEN: f64 = 1.0 / 60.0;

/// Invocations that continue although they are presumed dead.
#[derive(Clone, Debug, Default)]
pub struct Zombies(Arc<Mutex<JoinSet<()>>>);

impl Zombies {
    /// Waits until all of them have ended.
    pub async fn rest(&self) {
        loop {
            let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
            if all.is_empty() {
                return;
            }
            while all.join_next().await.is_some() {}
        }
    }

    fn spawn(&self, zombie: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(zombie);
    }
}

/// The function.
pub struct Mortal<Make, F> {
    make: Make,
    sdk: SdkConfig,
    adversary: Adversary,
    zombies: Zombies,
    idle: Mutex<Vec<Environment<F>>>,
}

/// The call at which the current invocation is held: how many come before it, and whether it takes effect first.
type HeldCall = Arc<Mutex<Option<(usize, bool, Hold)>>>;

/// An execution environment, which has one invocation at a time.
struct Environment<F> {
    function: Arc<F>,
    held: HeldCall,
}

impl<Make, F> Mortal<Make, F>
where
    Make: Fn(&SdkConfig) -> F + Send + Sync + 'static,
    F: Send + Sync + 'static,
{
    /// A function whose environments `make` creates, from a configuration whose calls meet the adversary's faults.
    pub fn new(make: Make, sdk: &SdkConfig, adversary: Adversary, zombies: Zombies) -> Self {
        Self { make, sdk: sdk.clone(), adversary, zombies, idle: Mutex::default() }
    }

    /// Lets one of the environments do `work` until `deadline`.
    ///
    /// # Errors
    /// If the work fails, or ends in one of the ways in which invocations do.
    pub async fn invoke_with<T, W>(&self, work: impl FnOnce(Arc<F>) -> W, deadline: Instant) -> Result<T, String>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, String>> + Send + 'static,
    {
        let fate = self.adversary.fate();
        let environment = self.environment(fate);
        let (hold, is_there, let_go) = Hold::new();
        *environment.held.lock().unwrap_or_else(PoisonError::into_inner) =
            fate.at().map(|At { call, after }| (call, after, hold));
        let mut running = tokio::spawn(work(Arc::clone(&environment.function)));
        let finished = tokio::select! {
            // An error means that the invocation is not to be held.
            Ok(()) = is_there => None,
            answer = &mut running => Some(answer),
            () = tokio::time::sleep_until(deadline) => {
                running.abort();
                return Err("timed out".to_owned());
            }
        };
        match (finished, fate) {
            (Some(answer), _) => {
                *environment.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
                let answer = answer.map_err(|error| error.to_string())?;
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(environment);
                answer
            }
            (None, Fate::IsTakenForDead(_, delay) | Fate::IsOvertaken(_, delay)) => {
                let is_overtaken = matches!(fate, Fate::IsOvertaken(..));
                self.adversary.count(if is_overtaken { FaultKind::OldWriter } else { FaultKind::Zombie });
                self.zombies.spawn(async move {
                    tokio::time::sleep(delay).await;
                    let _ = let_go.send(()); // fails only if the invocation has already ended
                    let _ = running.await; // nothing uses its response
                });
                Err("presumed dead".to_owned())
            }
            (None, _) => {
                self.adversary.count(FaultKind::Crash);
                running.abort();
                let _ = running.await; // always an error, because it was aborted; from here on it makes no calls
                drop(let_go);
                Err("died".to_owned())
            }
        }
    }

    /// An environment for an invocation with this `fate`.
    fn environment(&self, fate: Fate) -> Environment<F> {
        if matches!(fate, Fate::IsOvertaken(..)) {
            return self.new_environment(SPEED_WHILE_FROZEN);
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let count = idle.len();
        match self.adversary.warm_environment(count) {
            Some(place) if place < count => idle.swap_remove(place),
            _ => self.new_environment(SPEED_OF_TIMEOUTS),
        }
    }

    fn new_environment(&self, speed: f64) -> Environment<F> {
        let held = HeldCall::default();
        let sdk = with_time_scaled(&self.faulty(Arc::clone(&held), speed), speed);
        Environment { function: Arc::new((self.make)(&sdk)), held }
    }

    fn faulty(&self, held: HeldCall, speed: f64) -> SdkConfig {
        let Some(http) = self.sdk.http_client() else { return self.sdk.clone() };
        let adversary = self.adversary.clone();
        let plan = move |call: &Call| {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let is_spared = adversary.injects(FaultKind::Forget) && writes_items(call);
            match held.take() {
                spared @ Some((0, ..)) if is_spared => {
                    *held = spared;
                    Fault::None
                }
                Some((0, false, hold)) => Fault::Held(hold),
                Some((0, true, hold)) => Fault::ReplyHeld(hold),
                counting => {
                    *held = counting.map(|(calls, after, hold)| (calls - 1, after, hold));
                    match adversary.fault_for(call) {
                        // Nothing would end the wait for such an answer but the invocation's deadline.
                        Fault::NoAnswer if speed <= SPEED_WHILE_FROZEN => Fault::ReplyLost,
                        fault => fault,
                    }
                }
            }
        };
        self.sdk.to_builder().http_client(FaultyHttpClient::new(http, plan)).build()
    }
}

/// Whether it writes items of users at rest. The command that forgets a user waits for such a write, but not for longer
/// than it can take; so none is held for longer.
fn writes_items(call: &Call) -> bool {
    call.operation == "BatchExecuteStatement" && call.body.to_string().contains("session-state")
}

impl<Make, F> Function for Mortal<Make, F>
where
    Make: Fn(&SdkConfig) -> F + Send + Sync + 'static,
    F: Function,
{
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let deadline = self.adversary.little_time().map_or(deadline, |time| deadline.min(Instant::now() + time));
        self.invoke_with(|function| async move { function.invoke(event, deadline).await }, deadline).await
    }
}
