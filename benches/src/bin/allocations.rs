//! Allocations and bytes per click, by stage: `records` with a counting allocator, in its own binary because counting
//! would slow `records` down.

use std::alloc::System;
use std::process::ExitCode;

use benches::error::BenchError;
use benches::records::{Input, STAGES};
use benches::table::Table;
use benches::typical_columns::Columns;
use benches::workload::WORKLOADS;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static COUNTING: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    match print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn print() -> Result<(), BenchError> {
    for workload in [WORKLOADS[2], WORKLOADS[3]] {
        let input = Input::of(workload, 2 * workload.users_of_full_batches(), Columns::None)?;
        println!("{workload}: {} clicks, {:.2} users per click", input.clicks, input.users_per_click);
        let mut table = Table::new(&["per click", "allocations", "bytes"]);
        let mut memory = input.memory()?;
        let mut region = Region::new(COUNTING);
        let mut stages = [(0, 0); STAGES.len()];
        input.process(&mut memory, |stage| {
            let stats = region.change_and_reset();
            let (allocations, bytes) = stages[stage];
            stages[stage] = (allocations + stats.allocations + stats.reallocations, bytes + stats.bytes_allocated);
        })?;
        let clicks = input.clicks as f64;
        let cells = |allocations: usize, bytes: usize| {
            [format!("{:.2}", allocations as f64 / clicks), format!("{:.0}", bytes as f64 / clicks)]
        };
        let (mut allocations, mut bytes) = (0, 0);
        for (stage, (of_stage, bytes_of_stage)) in STAGES.iter().zip(stages) {
            table.row([(*stage).to_owned()].into_iter().chain(cells(of_stage, bytes_of_stage)));
            (allocations, bytes) = (allocations + of_stage, bytes + bytes_of_stage);
        }
        table.row(["all".to_owned()].into_iter().chain(cells(allocations, bytes)));
        println!("{table}");
    }
    Ok(())
}
