//! `sessionctl forget` while the user clicks, and against sessionizers that are in the middle of something.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_aws::faults::{Call, Fault, Hold};
use ops::forget::Forget;
use ops::time_text::now_ms;
use ops::users::Phase;
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::rest_store::{RestResult, RestStore, RestingUser};
use sessionizer_fn::store::rest_table::RestTable;
use shared::columns::declaration::SessionColumns;
use shared::user_id::UserId;

use crate::forget::{ORDINALS, forget, names};
use crate::world::World;

/// A commit to the state log.
fn is_commit(call: &Call) -> bool {
    call.operation == "PutItem" && call.body["TableName"] == "state-log" && call.body["Item"]["slot"]["S"] != "settings"
}

/// Holds the first commit, and lets all other calls through.
fn holding(hold: Hold) -> impl FnMut(&Call) -> Fault + Send + 'static {
    let mut hold = Some(hold);
    move |call| if is_commit(call) { hold.take().map_or(Fault::None, Fault::Held) } else { Fault::None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_race_lost_to_a_sessionizer_is_decided_again() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("u", 0, "old")]).await;
    let (hold, reached, release) = Hold::new();
    let dynamodb = aws_sdk_dynamodb::Client::new(&world.faulty(holding(hold)));
    let clicks = async {
        reached.await.unwrap();
        world.click(&sessionizer, &[("u", 100, "meanwhile"), ("v", 100, "meanwhile")]).await;
        world.store_published().await;
        release.send(()).unwrap();
    };
    let ((_, removed), ()) = tokio::join!(world.forget_through(&dynamodb, "u"), clicks);
    assert_eq!(
        (removed.commits, removed.sessions, removed.tombstones),
        (1, 2, ORDINALS),
        "what came before the commit goes, too"
    );
    assert_eq!(world.phase("u").await, Some(Phase::Forgotten));
    assert_eq!(world.sessions(|_| true).await, ["v_0 open meanwhile"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sessionizer_that_loses_the_race_takes_its_clicks_for_a_new_users() {
    let world = World::start().await;
    world.click(&world.sessionizer(), &[("u", 0, "old"), ("u", 100, "old"), ("v", 0, "old")]).await;
    let (hold, reached, release) = Hold::new();
    let slow = world.faulty_sessionizer(holding(hold));
    let forgets = async {
        reached.await.unwrap(); // it has decided that u_1 goes on, and v, too
        world.forget("u").await;
        release.send(()).unwrap();
    };
    tokio::join!(world.click(&slow, &[("u", 101, "new"), ("v", 1, "new")]), forgets);
    world.store_published().await;
    assert_eq!(world.sessions(|_| true).await, ["u_0 open new", "v_0 open old"]);
}

/// Forgets user `u`, of whom the log of `world` has an `entry`, while a sessionizer that has lost the race for the commit
/// that forgets is still writing the user's item. Returns whether the command has deleted an item.
async fn forget_while_an_item_is_written(world: &World, dynamodb: &aws_sdk_dynamodb::Client, entry: UserEntry) -> bool {
    let (tables, user_id) = (names(), UserId::new("u").unwrap());
    let forget = Forget { settling: Duration::from_secs(1), ..forget(dynamodb, &tables, &user_id) };
    let found = forget.find(|_| ()).await.unwrap();
    let was_deleted = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&was_deleted);
    let straggler = async {
        while !was_deleted.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let rest = RestTable::new(world.embedded.dynamodb(), "session-state", SessionColumns::default());
        let commit = world.head().await;
        let written = rest.write(&[RestingUser { user_id: user_id.clone(), entry, commit }]).await;
        assert!(matches!(written[..], [RestResult::Written]), "{written:?}");
    };
    // Once it deletes rejected records it has deleted the item for the first time.
    let carried_out =
        forget.carry_out(&found, now_ms, |_, what| _ = says.fetch_or(what.contains("rejected"), Ordering::Relaxed));
    let (removed, ()) = tokio::join!(carried_out, straggler);
    removed.unwrap().item
}

/// A world in whose log user `u` is under way, and the user's entry.
async fn world_with_one_user() -> (World, UserEntry) {
    let world = World::start().await;
    world.click(&world.sessionizer(), &[("u", 0, "old")]).await;
    let (dynamodb, tables, user_id) = (world.embedded.dynamodb(), names(), UserId::new("u").unwrap());
    let found = forget(&dynamodb, &tables, &user_id).find(|_| ()).await.unwrap();
    (world, found.state.unwrap().entry.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_was_being_written_is_deleted_when_it_is_looked_at_again() {
    let (world, entry) = world_with_one_user().await;
    assert!(forget_while_an_item_is_written(&world, &world.embedded.dynamodb(), entry).await);
    assert!(world.items("session-state").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_looked_at_again_after_a_commit_whose_answer_was_lost() {
    let (world, entry) = world_with_one_user().await;
    let lossy = world.faulty(|call| if is_commit(call) { Fault::ReplyLost } else { Fault::None });
    assert!(forget_while_an_item_is_written(&world, &aws_sdk_dynamodb::Client::new(&lossy), entry).await);
    assert!(world.items("session-state").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_looked_at_again_after_a_run_that_died_a_moment_ago() {
    let (world, entry) = world_with_one_user().await;
    let denied = world.faulty(|call| if call.operation == "DeleteItem" { Fault::AccessDenied } else { Fault::None });
    let (dynamodb, tables, user_id) = (aws_sdk_dynamodb::Client::new(&denied), names(), UserId::new("u").unwrap());
    let first = forget(&dynamodb, &tables, &user_id);
    let found = first.find(|_| ()).await.unwrap();
    first.carry_out(&found, now_ms, |_, _| ()).await.unwrap_err();
    assert_eq!(world.phase("u").await, Some(Phase::Forgotten), "it ended after its commit");
    assert!(forget_while_an_item_is_written(&world, &world.embedded.dynamodb(), entry).await);
    assert!(world.items("session-state").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_user_who_has_come_and_gone_since_stays() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("u", 0, "old")]).await;
    let tables = names();
    let (dynamodb, user_id) = (world.embedded.dynamodb(), UserId::new("u").unwrap());
    let forget = Forget { settling: Duration::from_secs(3), ..forget(&dynamodb, &tables, &user_id) };
    let found = forget.find(|_| ()).await.unwrap();
    let is_waiting = Arc::new(AtomicBool::new(false));
    let says = Arc::clone(&is_waiting);
    let comes_and_goes = async {
        while !is_waiting.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.click(&sessionizer, &[("u", 50, "new")]).await;
        world.sweep(&sessionizer).await;
        for second in 100..110 {
            world.click(&sessionizer, &[("v", second, "new")]).await;
        }
        assert_eq!(world.phase("u").await, Some(Phase::AtRest));
    };
    let carried_out =
        forget.carry_out(&found, now_ms, |_, what| says.store(what.contains("under way"), Ordering::Relaxed));
    let (removed, ()) = tokio::join!(carried_out, comes_and_goes);
    assert!(!removed.unwrap().item);
    assert_eq!(world.phase("u").await, Some(Phase::AtRest), "of clicks that came after it was forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_click_all_the_time_are_forgotten_up_to_a_moment_and_others_not_at_all() {
    let world = World::start().await;
    world.click(&world.sessionizer(), &[("u", 0, "before"), ("v", 0, "before")]).await;
    world.store_published().await;
    let is_over = AtomicBool::new(false);
    // Each user has a session a minute. Two environments take turns, so that both read on.
    let clicks = async {
        let environments = [world.sessionizer(), world.sessionizer()];
        for minute in 1_u64.. {
            let second = minute * 20;
            let event = if is_over.load(Ordering::Relaxed) { "after" } else { "during" };
            let clicks = [("u", second, event), ("v", second, "during"), ("w", second, "during")];
            world.click(&environments[usize::try_from(minute % 2).unwrap()], &clicks).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if event == "after" {
                return minute;
            }
        }
        unreachable!("it ends after the forgetting");
    };
    let forgets = async {
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let (found, _) = world.forget("u").await;
            assert!(!found.is_empty());
        }
        is_over.store(true, Ordering::Relaxed);
    };
    let (minutes, ()) = tokio::join!(clicks, forgets);
    // Everything is delivered once more, the other way round.
    let mut published = world.published().await;
    published.reverse();
    world.store(&published).await;
    let theirs = world.sessions(|user| user == "v").await;
    assert_eq!(theirs.len() as u64, minutes + 1);
    let last = world.sessions(|user| user == "u").await;
    assert!(last.iter().any(|session| session.starts_with("u_0 ")), "it starts again: {last:?}");
    assert!(last.iter().all(|session| !session.ends_with(" before")), "{last:?}");
    assert!(last.last().is_some() && (last.len() as u64) < minutes, "{last:?} of {minutes}");

    let (_, removed) = world.forget("u").await;
    assert_eq!(removed.newer_sessions, 0);
    world.store(&published).await;
    assert_eq!(world.sessions(|user| user == "u").await, [""; 0]);
    assert_eq!(world.sessions(|user| user == "v").await, theirs);
}
