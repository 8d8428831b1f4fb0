//! `sessionctl active`.

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn users_with_a_session_under_way_are_shown_from_the_log() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("closed", 0, "a")]).await;
    world.sweep(&sessionizer).await;
    let clicks =
        [("once", 60, "a"), ("twice", 50, "a"), ("twice", 55, "b"), ("twice\n", 70, "a"), ("twice\n", 71, "a")];
    world.click(&sessionizer, &clicks).await;
    world.click(&sessionizer, &[("twice", 65, "a"), ("twice", 66, "a")]).await; // a session of its own

    let at = |second: u64| ops::time_text::utc(world.begin_ms + second * 1_000);
    let head = "  since (UTC)          last click             clicks  session\n";
    let row = |since, last, clicks, session| format!("  {}  {}  {clicks:>8}  {session}\n", at(since), at(last));
    let all = [head.to_owned(), row(60, 60, 1, "once_0"), row(65, 66, 2, "twice_1"), row(70, 71, 2, "twice\\n_0")];
    let (status, stdout, stderr) = world.run(&["active"]);
    assert_eq!((status, stdout), (Some(0), all.concat()));
    assert!(
        stderr.ends_with("\ntable state-log\n\nusers with a session under way: 3; with at least 1 click: 3\n"),
        "{stderr}"
    );

    let objects = world.json(&["active", "--min-clicks", "2"]);
    let ids: Vec<_> = objects.iter().map(|object| object["session_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["twice_1", "twice\n_0"]);
    let expected = serde_json::json!({
        "user_id": "twice", "session_id": "twice_1", "session_timestamp": world.begin_ms + 65_000,
        "last_click": world.begin_ms + 66_000, "last_arrival": world.begin_ms + 66_000, "event_count": 2,
    });
    assert_eq!(objects[0], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_active_before_the_first_commit() {
    let world = World::start().await;
    let (status, stdout, stderr) = world.run(&["active"]);
    assert_eq!((status, stdout.as_str()), (Some(0), ""));
    assert!(stderr.ends_with("nobody: nothing was ever committed to the state log\n"), "{stderr}");
}
