//! Sweeps at any time, with any clock, by functions that die and are overtaken like those of the batches.

use std::convert::Infallible;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_types::SdkConfig;
use kinesis_function::sweep::handle_sweep;
use kinesis_function::time_budget::TimeBudget;
use sessionizer_fn::handler::Sessionizer;
use tokio::time::Instant;

use crate::chaos::adversary::Adversary;
use crate::chaos::fault_kind::FaultKind;
use crate::chaos::mortal::Mortal;

/// The time of a sweep.
const TIME: Duration = Duration::from_secs(20);

/// Sweeps until dropped.
pub async fn sweep_at_any_time<Make>(function: Mortal<Make, Sessionizer>, adversary: Adversary) -> Infallible
where
    Make: Fn(&SdkConfig) -> Sessionizer + Send + Sync + 'static,
{
    loop {
        let (pause, ahead_ms) = adversary.next_sweep();
        tokio::time::sleep(pause).await;
        adversary.count(FaultKind::Sweep);
        let work = move |sessionizer: std::sync::Arc<Sessionizer>| async move {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let time = TimeBudget::lasting(now_ms.saturating_add_signed(ahead_ms), TIME);
            let swept = handle_sweep(&*sessionizer, time).await.map_err(|error| error.to_string())?;
            swept.outcome.map_err(|error| error.to_string())
        };
        // Nothing redelivers a sweep: the next one makes up for one that failed.
        let _ = function.invoke_with(work, Instant::now() + TIME).await;
    }
}
