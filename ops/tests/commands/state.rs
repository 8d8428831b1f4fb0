//! `sessionctl state`.

use crate::world::World;

/// The phase of the user as the command says it, in text and in JSON.
fn phase(world: &World, user: &str) -> String {
    let json = world.json(&["state", user]);
    assert_eq!(json.len(), 1);
    let phase = json[0]["phase"].as_str().unwrap().to_owned();
    let (status, stdout, stderr) = world.run(&["state", user]);
    assert_eq!(status, Some(0), "{stderr}");
    assert!(phase == "unknown" || stdout.starts_with(&format!("{user}: {phase}")), "{stdout}");
    phase
}

#[tokio::test(flavor = "multi_thread")]
async fn state_follows_a_user_from_the_first_click_to_rest() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    assert_eq!(phase(&world, "u"), "unknown");
    world.click(&sessionizer, &[("u", 0, "a"), ("u", 4, "b"), ("u", 20, "c")]).await;
    assert_eq!(phase(&world, "u"), "under way");
    let json = &world.json(&["state", "u"])[0];
    assert_eq!(json["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(json["told_inactive_at"], world.begin_ms + 40_000, "gap and grace after the last click");
    assert_eq!(json["sessions"][0]["fixed_once_user_clicks_at"], world.begin_ms + 4_000 + 3_610_000);
    world.sweep(&sessionizer).await;
    assert_eq!(phase(&world, "u"), "closed");
    for second in 100..110 {
        world.click(&sessionizer, &[("v", second, "a")]).await; // the tail comes by
    }
    assert_eq!(phase(&world, "u"), "at rest");
    let json = &world.json(&["state", "u"])[0];
    assert_eq!((&json["item"]["ordinal"], &json["commit"]), (&1.into(), &serde_json::Value::Null));
    world.click(&sessionizer, &[("u", 200, "d")]).await;
    assert_eq!(phase(&world, "u"), "under way");
    let (_, stdout, _) = world.run(&["state", "u"]);
    assert!(stdout.contains("; older than the log, which counts\n"), "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_sessionizer_are_taken_from_its_variables() {
    let world = World::start().await;
    world.click(&world.sessionizer(), &[("u", 0, "a")]).await;
    let mut command = world.command(&["state", "u", "--json"]);
    command.env("SESSION_GAP_SECONDS", "30").env("CLOSE_GRACE_SECONDS", "0");
    let output = command.output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["told_inactive_at"], world.begin_ms + 30_000);
    let output = world.command(&["state", "u"]).env("SESSION_GAP_SECONDS", "0").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("SESSION_GAP_SECONDS is \"0\", expected a whole number from 1 to 86400"), "{stderr}");
}
