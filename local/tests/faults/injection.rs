//! Faults at chosen calls.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use local_aws::faults::{Call, Fault, Hold};
use tokio::sync::{mpsc, oneshot};

/// A fault to inject into a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injection {
    Throttled,
    InternalError,
    NotSent,
    ReplyLost,
    NoAnswer,
    Slow,
    /// One part is rejected; only for calls with parts.
    Part(usize),
    AllParts,
    DieBefore,
    DieAfter,
}

impl Injection {
    /// Every fault that `call` can meet.
    pub fn all_for(call: &Call) -> Vec<Self> {
        let whole = [
            Self::Throttled,
            Self::InternalError,
            Self::NotSent,
            Self::ReplyLost,
            Self::NoAnswer,
            Self::Slow,
            Self::DieBefore,
            Self::DieAfter,
        ];
        let parts = (0..call.parts).map(Self::Part);
        let all_parts = (call.parts > 1).then_some(Self::AllParts);
        whole.into_iter().chain(parts).chain(all_parts).collect()
    }

    /// Those of them that differ in what took effect and in what continues. The others repeat these, only slower.
    pub fn different_for(call: &Call) -> Vec<Self> {
        match call.operation.as_str() {
            // A read that fails is only repeated.
            "BatchGetItem" => return vec![Self::Throttled, Self::AllParts, Self::DieAfter],
            // Such a failure ends a command, as dying does.
            "GetItem" | "Query" | "Scan" => return vec![Self::Throttled],
            _ => {}
        }
        let repeats = |injection: &Self| matches!(injection, Self::NoAnswer | Self::Slow | Self::InternalError);
        Self::all_for(call).into_iter().filter(|injection| !repeats(injection)).collect()
    }
}

/// Faults by the number of the call, counted over the whole trial.
pub type Script = BTreeMap<usize, Injection>;

/// Reports that a call is held, and releases it.
pub type Held = (oneshot::Receiver<()>, oneshot::Sender<()>);

/// Injects a script's faults and notes all calls. Clones share the count.
#[derive(Clone)]
pub struct Scripted {
    script: Arc<Script>,
    calls: Arc<Mutex<Vec<Call>>>,
    deaths: mpsc::UnboundedSender<Held>,
}

impl Scripted {
    /// The calls at which the caller must die are sent to the receiver.
    pub fn new(script: Script) -> (Self, mpsc::UnboundedReceiver<Held>) {
        let (deaths, held) = mpsc::unbounded_channel();
        (Self { script: Arc::new(script), calls: Arc::default(), deaths }, held)
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn fault_for(&self, call: &Call) -> Fault {
        let mut made = self.calls.lock().unwrap();
        made.push(call.clone());
        let held = |fault: fn(Hold) -> Fault| {
            let (hold, is_there, let_go) = Hold::new();
            self.deaths.send((is_there, let_go)).unwrap();
            fault(hold)
        };
        match self.script.get(&(made.len() - 1)) {
            None => Fault::None,
            Some(Injection::Throttled) => Fault::Throttled,
            Some(Injection::InternalError) => Fault::InternalError,
            Some(Injection::NotSent) => Fault::NotSent,
            Some(Injection::ReplyLost) => Fault::ReplyLost,
            Some(Injection::NoAnswer) => Fault::NoAnswer,
            Some(Injection::Slow) => Fault::Slow(Duration::from_millis(20)),
            Some(Injection::Part(_) | Injection::AllParts) if call.parts == 0 => Fault::None,
            Some(Injection::Part(part)) => Fault::PartsThrottled(vec![*part]),
            Some(Injection::AllParts) => Fault::PartsThrottled((0..call.parts).collect()),
            Some(Injection::DieBefore) => held(Fault::Held),
            Some(Injection::DieAfter) => held(Fault::ReplyHeld),
        }
    }
}
