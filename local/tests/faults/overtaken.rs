//! An overtaken invocation: held at one of its calls while its batch is redelivered and everything after it is done,
//! which is more than a turn of the ring.

use std::time::Duration;

use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;
use local_aws::faults::{Fault, Hold};

use crate::injection::Script;
use crate::scenarios::{ALL, Scenario, Step};
use crate::setup::sessionizer;
use crate::stream::click_event;
use crate::trial::Trial;
use crate::world::World;

/// Longer than everything else together: the copy waits for the others, not for its own time-out.
const LONG: Duration = Duration::from_secs(300);

/// The copy's environment is frozen while it is held, so its time-outs hardly advance: 300 s instead of 5.
const SLOW: f64 = 1.0 / 60.0;

/// Holds the copy of the first batch at call `number`, before or after it took effect, until all steps are taken.
/// Returns whether the copy made such a call.
async fn overtaken_at(world: &World, scenario: &Scenario, number: usize, after: bool) -> bool {
    let mut trial = Trial::new(world, scenario.setup, Script::new()).await;
    let Step::Batch(first) = scenario.steps[0] else { panic!("begins with a batch") };
    let first = trial.records_of(first);

    let (hold, is_there, let_go) = Hold::new();
    let mut hold = Some(hold);
    let mut calls = 0;
    let copy = sessionizer(world, scenario.setup, SLOW, move |_| {
        calls += 1;
        match hold.take_if(|_| calls == number + 1) {
            Some(hold) if after => Fault::ReplyHeld(hold),
            Some(hold) => Fault::Held(hold),
            None => Fault::None,
        }
    });
    let event = click_event(&first);
    let time = TimeBudget::lasting(trial.next_invocation().now_ms, LONG);
    let mut copy = tokio::spawn(async move { handle(&copy, event, time).await.unwrap() });
    let reached = tokio::select! {
        reached = is_there => reached.is_ok(),
        answer = &mut copy => answer.map(|_| false).unwrap(), // it has made fewer calls
    };
    trial.deliver_clicks(&first).await;
    for step in &scenario.steps[1..] {
        trial.step(step).await;
    }
    drop(let_go);
    if reached {
        copy.await.unwrap();
    }
    let outcome = trial.end(scenario.is_within_lateness).await;
    outcome.unwrap_or_else(|it| panic!("{}, held at call {number}, after it: {after}: {it}", scenario.name));
    reached
}

#[tokio::test]
async fn copy_of_a_batch_that_continues_after_its_successors_does_not_change_the_tables() {
    let world = World::start().await;
    for scenario in &ALL {
        for after in [false, true] {
            let mut number = 0;
            while overtaken_at(&world, scenario, number, after).await {
                number += 1;
            }
            assert!(number >= 3, "{}: the copy made {number} calls", scenario.name);
        }
    }
}
