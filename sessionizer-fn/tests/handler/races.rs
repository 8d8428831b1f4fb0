//! Concurrent invocations, on one shard or several.

use std::pin::pin;

use kinesis_function::handler::HandlerOutput;
use local_aws::faults::{Fault, Hold};
use sessionizer_fn::handler::Sessionizer;
use sessionizer_fn::report::Report;
use tokio::sync::oneshot;

use crate::calls::{Calls, Kind};
use crate::world::{Sent, World, click, invoke, invoke_at, live, named, sweep_at};

/// A sessionizer whose first commit is held, before or after it is made.
struct Slow {
    sessionizer: Sessionizer,
    calls: Calls,
    is_there: oneshot::Receiver<()>,
    let_go: oneshot::Sender<()>,
}

impl Slow {
    fn of(world: &World, held: impl FnOnce(Hold) -> Fault) -> Self {
        let (hold, is_there, let_go) = Hold::new();
        let mut hold = Some(held(hold));
        let (sessionizer, calls) = world.faulty(move |kind, _, _| match kind {
            Kind::Commit => hold.take().unwrap_or(Fault::None),
            _ => Fault::None,
        });
        Self { sessionizer, calls, is_there, let_go }
    }

    /// Invokes it on shard `s1` and runs `others` between its decision and its commit.
    async fn invoke_while(self, others: impl Future<Output = ()>, clicks: &[Sent]) -> HandlerOutput<Report> {
        let mut invocation = pin!(invoke(&self.sessionizer, "s1", clicks));
        tokio::select! {
            reached = self.is_there => reached.unwrap(),
            answer = &mut invocation => panic!("it ended without a commit: {answer:?}"),
        }
        others.await;
        self.let_go.send(()).unwrap();
        invocation.await
    }
}

#[tokio::test]
async fn loser_of_a_race_reads_on_and_decides_again_over_the_winners_commit() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s0", &[click(1, "a", 100_000)]).await;
    let slow = Slow::of(&world, Fault::Held);
    let calls = slow.calls.clone();
    let winner = async {
        assert_eq!(named(&invoke(&world.sessionizer(), "s2", &[click(1, "a", 105_000)]).await), None);
    };
    let answer = slow.invoke_while(winner, &[click(1, "a", 115_000)]).await;
    assert_eq!((named(&answer), answer.report.lost_races, answer.report.applied), (None, 1, 1));
    assert_eq!(calls.of(Kind::Commit), 2);
    // Over the log read first, the click at 115 000 would have started a session after one click.
    assert_eq!(world.sessions("a").await, ["0: 100000 to 105000, 2 clicks", "1: 115000 open"]);
    assert!(!world.told().await.contains(&("a_2".to_owned(), "open")));
}

#[tokio::test]
async fn two_invocations_with_the_same_new_user_make_one_state() {
    let world = World::start().await;
    let winner = async {
        invoke(&world.sessionizer(), "s2", &[click(1, "a", 100_000)]).await;
    };
    let answer = Slow::of(&world, Fault::Held).invoke_while(winner, &[click(1, "a", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.lost_races), (None, 1));
    assert_eq!(world.window("a").await, [(0, 100_000, 101_000, 2)]);
    assert_eq!(world.told().await, [("a_0".to_owned(), "open")]);
}

#[tokio::test]
async fn invocation_that_outlives_its_successors_changes_nothing() {
    let world = World::start().await;
    let clicks = [click(1, "a", 100_000), click(2, "a", 120_000), click(3, "a", 121_000)];
    let successors = async {
        invoke(&world.sessionizer(), "s1", &clicks[..2]).await;
        invoke(&world.sessionizer(), "s1", &clicks[2..]).await;
    };
    let answer = Slow::of(&world, Fault::Held).invoke_while(successors, &clicks[..2]).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (0, 2));
    assert_eq!(world.window("a").await, [(0, 100_000, 100_000, 1), (1, 120_000, 121_000, 2)]);
}

/// Its slot was written again a turn later, by a commit that the loser has never heard of.
#[tokio::test]
async fn invocation_that_outlives_a_turn_of_the_ring_changes_nothing() {
    let world = World::with_ring(3).await;
    let clicks: Vec<_> = (0..9).map(|n| click(n + 1, "a", 100_000 + 3_000 * n)).collect();
    let successors = async {
        let sessionizer = world.sessionizer();
        for click in &clicks {
            assert_eq!(named(&invoke(&sessionizer, "s1", std::slice::from_ref(click)).await), None);
        }
    };
    let answer = Slow::of(&world, Fault::Held).invoke_while(successors, &clicks[..1]).await;
    assert_eq!((named(&answer), answer.report.applied, answer.report.already_applied), (None, 0, 1));
    world.assert_table_is_of(&clicks).await;
}

/// The reply to its commit arrives when others have committed after it.
#[tokio::test]
async fn winner_that_answers_late_goes_on_after_those_who_came_after_it() {
    let world = World::start().await;
    let others = async {
        invoke(&world.sessionizer(), "s2", &[click(1, "a", 105_000)]).await;
    };
    let slow = Slow::of(&world, Fault::ReplyHeld);
    let (first, last) = ([click(1, "a", 100_000)], [click(2, "a", 120_000)]);
    let sessionizer = slow.sessionizer.clone();
    assert_eq!(named(&slow.invoke_while(others, &first).await), None);
    assert_eq!(named(&invoke(&sessionizer, "s1", &last).await), None);
    assert_eq!(world.sessions("a").await, ["0: 100000 to 105000, 2 clicks", "1: 120000 open"]);
}

#[tokio::test]
async fn user_on_two_shards_concurrently_loses_no_click() {
    let world = World::with_ring(9).await;
    let (one, two) = (world.sessionizer(), world.sessionizer());
    let shard = |offset: u64| (0..20).map(move |n| click(n + 1, "a", 100_000 + 1_000 * n + offset)).collect::<Vec<_>>();
    let (clicks_one, clicks_two) = (shard(0), shard(500));
    let deliver = async |sessionizer, name: &str, clicks: &[Sent]| {
        let mut lost_races = 0;
        for click in clicks {
            let answer = invoke(sessionizer, name, std::slice::from_ref(click)).await;
            assert_eq!(named(&answer), None);
            lost_races += answer.report.lost_races;
        }
        lost_races
    };
    let (lost_one, lost_two) = tokio::join!(deliver(&one, "s1", &clicks_one), deliver(&two, "s2", &clicks_two));
    assert!(lost_one + lost_two > 0, "they never met");
    assert_eq!(world.window("a").await, [(0, 100_000, 119_500, 40)]);
    world.assert_table_is_of(clicks_one.iter().chain(&clicks_two)).await;
}

/// The loser looks at the clock again: the user has clicked meanwhile.
#[tokio::test]
async fn sweep_that_loses_to_a_click_closes_nobody() {
    let world = World::start().await;
    invoke_at(101_000, &world.sessionizer(), "s1", &[live(1, "a", 100_000)]).await;
    let slow = Slow::of(&world, Fault::Held);
    let mut sweep = pin!(sweep_at(125_000, &slow.sessionizer));
    tokio::select! {
        reached = slow.is_there => reached.unwrap(),
        swept = &mut sweep => panic!("it ended without a commit: {swept:?}"),
    }
    let delayed = live(2, "a", 109_000).delayed(15_000);
    invoke_at(124_500, &world.sessionizer(), "s1", &[delayed]).await;
    slow.let_go.send(()).unwrap();
    let swept = sweep.await;
    assert_eq!((swept.outcome, swept.report.lost_races, swept.report.closed_by_inactivity), (Ok(()), 1, 0));
    assert_eq!(world.sessions("a").await, ["0: 100000 open"]);
}

#[tokio::test]
async fn two_sweeps_at_once_close_everybody_once() {
    let world = World::start().await;
    let clicks: Vec<_> = (0..50).map(|n| live(n + 1, &format!("user{n}"), 100_000 + n)).collect();
    invoke_at(101_000, &world.sessionizer(), "s1", &clicks).await;
    let (one, two) = (world.sessionizer(), world.sessionizer());
    let (one, two) = tokio::join!(sweep_at(160_000, &one), sweep_at(160_000, &two));
    assert_eq!((one.outcome, two.outcome), (Ok(()), Ok(())));
    assert_eq!(one.report.closed_by_inactivity + two.report.closed_by_inactivity, 50);
    assert_eq!(one.report.commits + two.report.commits, 4, "a loser finds nothing left to do");
    world.assert_table_is_of(&clicks).await;
}
