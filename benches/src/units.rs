//! What clicks consume in the long run: units of both state tables, boundaries and their bytes, per 1,000 clicks.

use crate::counting_tables::{Consumed, CountingTables};
use crate::error::BenchError;
use crate::simulation::{Load, Simulation, Stretch};

/// The titles of the columns of [`measure`].
pub const TITLES: [&str; 19] = [
    "",
    "clicks/s of a bucket",
    "hours simulated",
    "batches",
    "writes",
    "of log",
    "of rest",
    "reads",
    "of log",
    "of rest",
    "boundaries",
    "their KiB",
    "users written",
    "repeated",
    "KiB of users",
    "KiB of items",
    "KiB of a commit",
    "users under way",
    "log MiB",
];

/// Simulates `load` up to its steady state and measures from there. Returns a row of a table.
///
/// # Errors
/// If a batch or a sweep is not done.
pub async fn measure(load: Load) -> Result<Vec<String>, BenchError> {
    let tables = CountingTables::default();
    let mut simulation = Simulation::new(load, &tables, &tables, &tables);
    simulation.run(load.warm_up_ms()).await?;
    let _ = tables.take();
    let stretch = simulation.run(load.measured_ms()).await?;
    Ok(row(load, &stretch, &tables.take()))
}

#[allow(clippy::cast_precision_loss)]
fn row(load: Load, stretch: &Stretch, consumed: &Consumed) -> Vec<String> {
    let Stretch { clicks, batches, ms, report } = *stretch;
    let per_thousand = |amount: u64| format!("{:.1}", 1_000.0 * amount as f64 / clicks.max(1) as f64);
    let kib = |bytes: u64| format!("{:.1}", 1_000.0 * bytes as f64 / 1_024.0 / clicks.max(1) as f64);
    vec![
        load.workload.to_string(),
        format!("{:.1}", clicks as f64 * 1_000.0 / ms as f64),
        format!("{:.2}", (load.warm_up_ms() + ms) as f64 / 3_600_000.0),
        per_thousand(batches),
        per_thousand(consumed.writes()),
        per_thousand(consumed.log_writes),
        per_thousand(consumed.rest_writes),
        per_thousand(consumed.reads()),
        per_thousand(consumed.log_reads),
        per_thousand(consumed.rest_reads),
        per_thousand(consumed.boundaries),
        kib(consumed.boundary_bytes),
        per_thousand(consumed.user_entries),
        per_thousand(report.carried),
        kib(consumed.user_bytes),
        kib(consumed.commit_bytes),
        format!("{:.1}", consumed.commit_bytes as f64 / 1_024.0 / consumed.commits.max(1) as f64),
        report.gauges.hot_users.to_string(),
        format!("{:.2}", report.gauges.log_bytes as f64 / 1_048_576.0),
    ]
}
