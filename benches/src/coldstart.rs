//! Cold starts of the real binaries: from spawn to the first request for an event, and the first invocation.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::BenchError;
use crate::event::{boundary_event, click_event};
use crate::invocation::boundaries;
use crate::runtime_api::{RunningFunction, Took};
use crate::services::Services;
use crate::table::median;
use crate::typical_columns::Columns;
use crate::workload::{CLICKS_PER_BATCH, Shard, SimulatedClick, WORKLOADS};

/// The functions' binaries, with the minimal function first.
pub const BINARIES: [&str; 3] = ["hello-world", "sessionizer-fn", "sink-fn"];

/// Invocations after the first; their median counts.
const WARM_INVOCATIONS: u64 = 20;

/// A binary's figures, times in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct ColdStart {
    /// From spawn to the first request for an event: median.
    pub init_ms: f64,
    /// The CPU time of that.
    pub init_cpu_ms: f64,
    /// The first invocation, with one record: median.
    pub first_ms: f64,
    /// The CPU time of that.
    pub first_cpu_ms: f64,
    /// A later invocation with one record: median.
    pub warm_ms: f64,
    /// The CPU time of that.
    pub warm_cpu_ms: f64,
    /// Peak resident memory after all of these, in MiB.
    pub small_mib: f64,
    /// Peak resident memory after a full event, in MiB.
    pub full_mib: f64,
    /// The binary's size, in MiB.
    pub size_mib: f64,
}

/// Measures the binary called `name` in the folder `folder`, `starts` times.
///
/// # Errors
/// If it does not exist or does not finish its work.
pub async fn measure(folder: &Path, name: &str, starts: u32) -> Result<ColdStart, BenchError> {
    let program: PathBuf = folder.join(name);
    let size = std::fs::metadata(&program).map_err(|_| BenchError::NotBuilt(program.clone()))?.len();
    let services = Services::start().await?;
    let (mut init, mut first, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    let (mut small_mib, mut full_mib) = (0.0, 0.0);
    for start in 0..u64::from(starts) {
        let (mut function, took) = RunningFunction::start(&program, &services).await?;
        init.push(took);
        let place = 1 + start * (WARM_INVOCATIONS + 1);
        first.push(function.invoke(small_event(name, place)?).await?);
        for later in 1..=WARM_INVOCATIONS {
            warm.push(function.invoke(small_event(name, place + later)?).await?);
        }
        small_mib = function.peak_memory_mib().max(small_mib);
    }
    let (mut function, _) = RunningFunction::start(&program, &services).await?;
    function.invoke(full_event(name)?).await?;
    full_mib = function.peak_memory_mib().max(full_mib);
    drop(function);
    services.stop().await?;

    let wall = |took: &[Took]| median(&took.iter().map(|took| took.wall.as_secs_f64() * 1e3).collect::<Vec<_>>());
    let cpu = |took: &[Took]| median(&took.iter().map(|took| took.cpu.as_secs_f64() * 1e3).collect::<Vec<_>>());
    #[allow(clippy::cast_precision_loss)]
    let size_mib = size as f64 / 1_048_576.0;
    Ok(ColdStart {
        init_ms: wall(&init),
        init_cpu_ms: cpu(&init),
        first_ms: wall(&first),
        first_cpu_ms: cpu(&first),
        warm_ms: wall(&warm),
        warm_cpu_ms: cpu(&warm),
        small_mib,
        full_mib,
        size_mib,
    })
}

/// An event with one record, of a different user each time.
fn small_event(name: &str, place: u64) -> Result<String, BenchError> {
    if name == "sink-fn" {
        let all = boundaries(place, Columns::None)?;
        boundary_event(&all[1..2], place)
    } else {
        let user = usize::try_from(place).unwrap_or(0) + 5_000_000;
        click_event(&[SimulatedClick { user, ms: crate::workload::BEGIN_MS }], place, Columns::None)
    }
}

fn full_event(name: &str) -> Result<String, BenchError> {
    if name == "sink-fn" {
        boundary_event(&boundaries(1, Columns::None)?, 1_000_000)
    } else {
        let workload = WORKLOADS[0];
        let clicks = Shard::new(workload, 2 * workload.users_of_full_batches(), 17).next_batch();
        debug_assert!(clicks.len() <= CLICKS_PER_BATCH);
        click_event(&clicks, 1_000_000, Columns::None)
    }
}
