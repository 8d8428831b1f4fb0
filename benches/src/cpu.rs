//! CPU time and memory of processes, from the kernel's own counters.
//!
//! Values of other processes come from `/proc`, so they are available only on Linux.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time of this process so far, over all threads.
#[must_use]
pub fn process_cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// CPU time of the process `pid` so far, over all threads that still exist; `None` if it is not available.
#[must_use]
pub fn cpu_of(pid: u32) -> Option<Duration> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let ns = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(ns.sum()))
}

/// Peak resident memory of the process `pid`, in MiB; `None` if it is not available.
#[must_use]
pub fn peak_memory_mib(pid: u32) -> Option<f64> {
    status_mib(pid, "VmHWM:")
}

/// Current resident memory of the process `pid`, in MiB; `None` if it is not available.
#[must_use]
pub fn resident_memory_mib(pid: u32) -> Option<f64> {
    status_mib(pid, "VmRSS:")
}

fn status_mib(pid: u32, field: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(kib.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1_024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_this_process_grows_with_work_and_is_the_same_from_both_sources() {
        let before = process_cpu();
        let work: u64 = (0..20_000_000u64).fold(1, |product, n| product.wrapping_mul(n | 1));
        let own = process_cpu();
        assert!(own > before, "{work}");
        if cfg!(target_os = "linux") {
            let told = cpu_of(std::process::id()).unwrap_or_default();
            assert!(told + Duration::from_millis(500) > own, "{told:?} is far from {own:?}");
        }
    }
}
