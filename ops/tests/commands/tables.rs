//! `--json` of `sessionctl tables` and `redrive`.

use serde_json::json;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_redrive_write_objects() {
    let world = World::start().await;
    world.click(&world.sessionizer(), &[("u", 0, "a")]).await;
    world.store_published().await;
    world.reject(7, "u", "oops").await;
    let objects = world.json(&["tables"]);
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0]["session"]["session_id"], "u_0");
    assert_eq!((&objects[1]["user"]["user_id"], &objects[1]["user"]["phase"]), (&"u".into(), &"under way".into()));
    assert_eq!(objects[2]["rejected"]["sequence_number"], "7");

    let expected = |is_dry_run| json!({ "dry_run": is_dry_run, "put": { "not_json": 1 }, "left": [], "unanswered": [], "truncated": {}, "foreign": 0 });
    assert_eq!(world.json(&["redrive", "--dry-run"]), [expected(true)]);
    assert_eq!(world.json(&["redrive", "--yes"]), [expected(false)]);
    assert!(world.items("rejected-records").await.is_empty());
}
