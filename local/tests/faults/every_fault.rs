//! Every single fault at every call of every scenario (all that differ, and for the smallest one all), and every pair of faults at
//! writes of the smallest one.

use futures_util::future::join_all;
use local_aws::faults::Call;

use crate::injection::{Injection, Script};
use crate::scenarios::{ALL, FORGETTING, NEW_USER, Scenario};
use crate::trial::{Made, run};
use crate::world::World;

/// Injects every fault into every call and returns the number of runs.
async fn every_single_fault(world: &World, scenario: &Scenario) -> usize {
    let calls = run(world, scenario, Script::new()).await.calls;
    let mut runs = 0;
    for (number, call) in calls.iter().enumerate() {
        let all = scenario.name == NEW_USER.name;
        for injection in if all { Injection::all_for(call) } else { Injection::different_for(call) } {
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

/// The command is repeated until it succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn single_faults_at_every_call_of_forget_leave_nothing_of_the_user_and_do_not_change_others() {
    let Made { calls, by_forget } = run(&World::start().await, &FORGETTING, Script::new()).await;
    let numbers = by_forget.filter(|number| !is_one_of_many(&calls[..=*number]));
    let faults = numbers.flat_map(|number| {
        Injection::different_for(&calls[number]).into_iter().map(move |injection| (number, injection))
    });
    let faults: Vec<_> = faults.collect();
    assert!(faults.len() > 50, "{} runs", faults.len());
    let worlds = (0..WORLDS).map(|number| {
        let share = faults.iter().copied().skip(number).step_by(WORLDS);
        async move {
            let world = World::start().await;
            for fault in share {
                run(&world, &FORGETTING, Script::from([fault])).await;
            }
        }
    });
    join_all(worlds).await;
}

/// Whether the last of these calls puts one more item like the one that the call before has put.
fn is_one_of_many(calls: &[Call]) -> bool {
    let kind = |call: &Call| (call.operation.clone(), call.body["TableName"].clone());
    matches!(calls, [.., before, last] if last.operation == "PutItem" && kind(before) == kind(last))
}

/// Worlds among which the pairs are divided.
const WORLDS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn pairs_of_faults_at_every_two_writes_do_not_change_the_tables() {
    let calls = run(&World::start().await, &NEW_USER, Script::new()).await.calls;
    let firsts: Vec<_> = faults_of_writes(&calls, 0).collect();
    let share = |world: usize| firsts.iter().copied().skip(world).step_by(WORLDS);
    let worlds = (0..WORLDS).map(|number| async move {
        let world = World::start().await;
        let mut runs = 0;
        for first in share(number) {
            runs += every_fault_after(&world, first).await;
        }
        runs
    });
    let runs: usize = join_all(worlds).await.into_iter().sum();
    assert!(runs > 300, "{runs} runs");
}

/// Injects every fault into every write after the `first` fault and returns the number of runs.
async fn every_fault_after(world: &World, first: (usize, Injection)) -> usize {
    let mut runs = 0;
    // The first fault determines which calls follow.
    let calls = run(world, &NEW_USER, Script::from([first])).await.calls;
    for second in faults_of_writes(&calls, first.0 + 1) {
        run(world, &NEW_USER, Script::from([first, second])).await;
        runs += 1;
    }
    runs
}

/// Every fault of every write from call `begin` on. A read that fails is only repeated.
fn faults_of_writes(calls: &[Call], begin: usize) -> impl Iterator<Item = (usize, Injection)> {
    let writes = calls.iter().enumerate().skip(begin).filter(|(_, call)| call.operation != "BatchGetItem");
    writes
        .flat_map(|(number, call)| Injection::different_for(call).into_iter().map(move |injection| (number, injection)))
}
