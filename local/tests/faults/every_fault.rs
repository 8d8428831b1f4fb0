//! Every single fault at every call of every scenario, and every pair of faults for the smallest scenario.

use futures_util::future::join_all;

use crate::scenarios::{ALL, NEW_USER, Scenario};
use crate::trial::{Injection, Script, run};
use crate::world::World;

/// Faults that differ in what took effect and in what continues. The others repeat these, only slower.
fn differ(injection: &Injection) -> bool {
    !matches!(injection, Injection::NoAnswer | Injection::Slow | Injection::InternalError)
}

/// Injects every fault into every call and returns the number of runs.
async fn every_single_fault(world: &World, scenario: &Scenario) -> usize {
    let calls = run(world, scenario, Script::new()).await;
    let mut runs = 0;
    for (number, call) in calls.iter().enumerate() {
        for injection in Injection::all_for(call) {
            run(world, scenario, Script::from([(number, injection)])).await;
            runs += 1;
        }
    }
    runs
}

/// Concurrently, because runs mostly wait for time-outs and pauses. Each scenario has its own services.
#[tokio::test(flavor = "multi_thread")]
async fn single_faults_at_every_call_do_not_change_the_tables() {
    let scenarios = ALL.iter().map(|scenario| async move {
        let world = World::start().await;
        let runs = every_single_fault(&world, scenario).await;
        assert!(runs > 20, "{}: {runs} runs", scenario.name);
    });
    join_all(scenarios).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_faults_at_every_two_calls_do_not_change_the_tables() {
    let calls = run(&World::start().await, &NEW_USER, Script::new()).await;
    let firsts = calls.iter().enumerate().flat_map(|(first, call)| {
        Injection::all_for(call).into_iter().filter(differ).map(move |injection| (first, injection))
    });
    let pairs = firsts.map(|first| async move { every_fault_after(&World::start().await, first).await });
    let runs: usize = join_all(pairs).await.into_iter().sum();
    assert!(runs > 100, "{runs} runs");
}

/// Injects every fault into every call after the `first` fault and returns the number of runs.
async fn every_fault_after(world: &World, first: (usize, Injection)) -> usize {
    let mut runs = 0;
    // The first fault determines which calls follow.
    let calls = run(world, &NEW_USER, Script::from([first])).await;
    for (second, call) in calls.iter().enumerate().skip(first.0 + 1) {
        for other in Injection::all_for(call).into_iter().filter(differ) {
            run(world, &NEW_USER, Script::from([first, (second, other)])).await;
            runs += 1;
        }
    }
    runs
}
