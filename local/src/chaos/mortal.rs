//! A function whose calls meet faults and whose invocations may die or be presumed dead.

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
const SPEED_OF_TIMEOUTS: f64 = 5.0;

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

/// The function. Each invocation gets its own clients, so that its calls can be distinguished from those of others.
pub struct Mortal<Make> {
    make: Make,
    sdk: SdkConfig,
    adversary: Adversary,
    zombies: Zombies,
}

impl<Make> Mortal<Make> {
    /// A function that `make` creates for each invocation, from a configuration whose calls meet the adversary's
    /// faults.
    pub fn new(make: Make, sdk: &SdkConfig, adversary: Adversary, zombies: Zombies) -> Self {
        Self { make, sdk: with_time_scaled(sdk, SPEED_OF_TIMEOUTS), adversary, zombies }
    }

    /// The configuration for one invocation, whose call at `at` is held by `hold`.
    fn sdk_for_one(&self, at: Option<At>, hold: Hold) -> SdkConfig {
        let Some(http) = self.sdk.http_client() else { return self.sdk.clone() };
        let adversary = self.adversary.clone();
        let mut hold = at.map(|at| (at, hold));
        let mut number = 0;
        let plan = move |call: &Call| {
            number += 1;
            match hold.take_if(|(at, _)| at.call + 1 == number) {
                Some((At { after: false, .. }, hold)) => Fault::Held(hold),
                Some((At { after: true, .. }, hold)) => Fault::ReplyHeld(hold),
                None => adversary.fault_for(call),
            }
        };
        self.sdk.to_builder().http_client(FaultyHttpClient::new(http, plan)).build()
    }
}

impl<Make, F> Function for Mortal<Make>
where
    Make: Fn(&SdkConfig) -> F + Send + Sync + 'static,
    F: Function,
{
    async fn invoke(&self, event: String, deadline: Instant) -> Result<String, String> {
        let fate = self.adversary.fate();
        let at = match fate {
            Fate::Lives => None,
            Fate::Dies(at) | Fate::IsTakenForDead(at, _) => Some(at),
        };
        let (hold, is_there, let_go) = Hold::new();
        let function = (self.make)(&self.sdk_for_one(at, hold));
        let deadline = self.adversary.little_time().map_or(deadline, |time| deadline.min(Instant::now() + time));
        let mut running = tokio::spawn(async move { function.invoke(event, deadline).await });
        let finished = tokio::select! {
            // An error means that the invocation ended before that call.
            Ok(()) = is_there => None,
            answer = &mut running => Some(answer),
            () = tokio::time::sleep_until(deadline) => {
                running.abort();
                return Err("timed out".to_owned());
            }
        };
        match (finished, fate) {
            (Some(answer), _) => answer.map_err(|error| error.to_string())?,
            (None, Fate::IsTakenForDead(_, delay)) => {
                self.adversary.count(FaultKind::Zombie);
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
}
