//! Every single fault at every call of every scenario; every pair of faults for the smallest one.

use crate::scenarios::{ALL, NEW_USER, Scenario};
use crate::trial::{Injection, Script, run};
use crate::world::World;

/// Those that differ in what took effect and in who goes on: the others are the same again, only slower.
fn differ(injection: &Injection) -> bool {
    !matches!(injection, Injection::NoAnswer | Injection::Slow | Injection::InternalError)
}

/// Puts every fault into every call, and gives how many runs that were.
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

#[tokio::test]
async fn single_faults_at_every_call_change_nothing_in_the_tables() {
    let world = World::start().await;
    for scenario in &ALL {
        let runs = every_single_fault(&world, scenario).await;
        assert!(runs > 20, "{}: {runs} runs", scenario.name);
    }
}

#[tokio::test]
async fn pairs_of_faults_at_every_two_calls_change_nothing_in_the_tables() {
    let world = World::start().await;
    let mut runs = 0;
    let calls = run(&world, &NEW_USER, Script::new()).await;
    for (first, call) in calls.iter().enumerate() {
        for injection in Injection::all_for(call).into_iter().filter(differ) {
            // The first fault decides which calls follow.
            let calls = run(&world, &NEW_USER, Script::from([(first, injection)])).await;
            for (second, call) in calls.iter().enumerate().skip(first + 1) {
                for other in Injection::all_for(call).into_iter().filter(differ) {
                    run(&world, &NEW_USER, Script::from([(first, injection), (second, other)])).await;
                    runs += 1;
                }
            }
        }
    }
    assert!(runs > 100, "{runs} runs");
}
