//! Concurrent invocations, on one shard or several.

use std::pin::pin;

use kinesis_function::handler::HandlerOutput;
use local_aws::faults::{Call, Fault, FaultyHttpClient, Hold};
use sessionizer_fn::handler::Sessionizer;
use sessionizer_fn::report::Report;
use tokio::sync::oneshot;

use crate::world::{BEGIN_MS, Sent, World, click, invoke, named};

/// A sessionizer whose first commit is held.
struct Slow {
    sessionizer: Sessionizer,
    http: FaultyHttpClient,
    is_there: oneshot::Receiver<()>,
    let_go: oneshot::Sender<()>,
}

impl Slow {
    fn of(world: &World) -> Self {
        let (hold, is_there, let_go) = Hold::new();
        let mut hold = Some(Fault::Held(hold));
        let (sessionizer, http) = world.faulty(move |call: &Call| match call.operation.as_str() {
            "BatchExecuteStatement" => hold.take().unwrap_or(Fault::None),
            _ => Fault::None,
        });
        Self { sessionizer, http, is_there, let_go }
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
async fn loser_of_a_race_decides_again_over_the_winners_state() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s0", &[click(1, "a", 100_000)]).await;
    let slow = Slow::of(&world);
    let http = slow.http.clone();
    let winner = async {
        assert_eq!(named(&invoke(&world.sessionizer(), "s2", &[click(1, "a", 105_000)]).await), None);
    };
    let answer = slow.invoke_while(winner, &[click(1, "a", 115_000)]).await;
    assert_eq!((named(&answer), answer.report.lost_races, answer.report.applied), (None, 1, 1));
    assert_eq!(http.calls_of("BatchGetItem"), 1, "the failed condition returns the current item");
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.start.ms()), (1, BEGIN_MS + 115_000));
    assert_eq!(state.sessions.previous.unwrap().event_count, 2);
    // Over the state read first, the click at 115 000 would have closed session 0 with one click.
    assert!(world.published().await.iter().all(|boundary| {
        !matches!(boundary.status, Some(shared::session_rule::Status::Closed { event_count: 1, .. }))
    }));
}

#[tokio::test]
async fn two_invocations_with_the_same_new_user_create_one_state() {
    let world = World::start().await;
    let winner = async {
        invoke(&world.sessionizer(), "s2", &[click(1, "a", 100_000)]).await;
    };
    let answer = Slow::of(&world).invoke_while(winner, &[click(1, "a", 101_000)]).await;
    assert_eq!((named(&answer), answer.report.lost_races), (None, 1));
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.event_count), (0, 2));
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
    let answer = Slow::of(&world).invoke_while(successors, &clicks[..2]).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (0, 2));
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.event_count), (1, 2));
}

#[tokio::test]
async fn user_on_two_shards_concurrently_loses_no_click() {
    let world = World::start().await;
    let (one, two) = (world.sessionizer(), world.sessionizer());
    let shard = async |sessionizer, name: &str, offset: u64| {
        for n in 0..20 {
            let time = 100_000 + 1_000 * n + offset;
            assert_eq!(named(&invoke(sessionizer, name, &[click(n + 1, "a", time)]).await), None);
        }
    };
    tokio::join!(shard(&one, "s1", 0), shard(&two, "s2", 500));
    let state = world.state("a").await;
    assert_eq!((state.sessions.ordinal, state.sessions.current.event_count), (0, 40));
    assert_eq!(
        (state.sessions.current.start.ms(), state.sessions.current.end.ms()),
        (BEGIN_MS + 100_000, BEGIN_MS + 119_500)
    );
    assert_eq!(state.cursors.len(), 2);
}

#[tokio::test]
async fn concurrent_batches_of_one_shard_keep_a_cursor_for_each_partition_key_that_is_not_the_user() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&[("PARALLELIZATION_FACTOR", "4")]);
    let keyed = |n, key: &str, ms| {
        let (number, _, data) = click(n, "a", ms);
        (number, key.to_owned(), data)
    };
    // With concurrent batches of a shard, the one with the higher sequence numbers may finish first.
    invoke(&sessionizer, "s1", &[keyed(5, "device-1", 100_000)]).await;
    let answer = invoke(&sessionizer, "s1", &[keyed(3, "device-2", 101_000)]).await;
    assert_eq!((answer.report.applied, answer.report.already_applied), (1, 0));
    assert_eq!(world.state("a").await.sessions.current.event_count, 2);
}

#[tokio::test]
async fn partition_key_that_is_not_the_user_has_a_cursor_of_its_own_in_each_shard() {
    let world = World::start().await;
    let sessionizer = world.sessionizer_with(&[("PARALLELIZATION_FACTOR", "4")]);
    for (shard, number, ms) in [("s1", 5, 100_000), ("s2", 3, 101_000)] {
        let (number, _, data) = click(number, "a", ms);
        let answer = invoke(&sessionizer, shard, &[(number, "device-1".to_owned(), data)]).await;
        assert_eq!((answer.report.applied, answer.report.already_applied), (1, 0), "{shard}");
    }
    assert_eq!(world.state("a").await.cursors.len(), 2);
}

/// DynamoDB Local leaves the item of a failed condition out of its answer.
#[tokio::test]
async fn lost_race_reads_the_state_again_where_the_service_shows_no_items() {
    let world = World::start().await;
    invoke(&world.sessionizer(), "s0", &[click(1, "a", 100_000)]).await;
    let (hold, is_there, let_go) = Hold::new();
    let mut hold = Some(hold);
    let (loser, http) = world.faulty(move |call: &Call| match (call.operation.as_str(), call.number) {
        ("BatchExecuteStatement", _) => Fault::ItemsLeftOut,
        // Held after the read took place, so that the winner commits between the loser's read and its commit.
        ("BatchGetItem", 0) => hold.take().map_or(Fault::None, Fault::ReplyHeld),
        _ => Fault::None,
    });
    let clicks = [click(1, "a", 115_000)];
    let mut losing = pin!(invoke(&loser, "s1", &clicks));
    tokio::select! {
        reached = is_there => reached.unwrap(),
        answer = &mut losing => panic!("it ended without a read: {answer:?}"),
    }
    assert_eq!(named(&invoke(&world.sessionizer(), "s2", &[click(1, "a", 105_000)]).await), None);
    let_go.send(()).unwrap();
    let answer = losing.await;
    assert_eq!((named(&answer), answer.report.lost_races, answer.report.applied), (None, 1, 1));
    assert_eq!(http.calls_of("BatchGetItem"), 2);
    assert_eq!(world.state("a").await.sessions.previous.unwrap().event_count, 2);
}
