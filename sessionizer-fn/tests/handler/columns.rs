//! Sessions with declared columns, and changes of the declaration.

use local_aws::faults::Fault;
use sessionizer_fn::handler::Sessionizer;
use shared::boundary::Boundary;

use crate::calls::Kind;
use crate::world::{BEGIN_MS, IN_THE_END_MS, Sent, World, invoke, named, record, sweep_at};

const DECLARATION: &str =
    "entry = first(/page), exit = last(/page), searches = count(/event_name = 'search'), revenue = sum(/value)";

fn event(number: u64, second: u64, name: &str, page: &str, value: &str) -> Sent {
    let ms = BEGIN_MS + 100_000 + second * 1_000;
    let json =
        format!(r#"{{"user_id":"a","event_timestamp":{ms},"event_name":"{name}","page":"{page}","value":{value}}}"#);
    record(number, "a", json.as_bytes())
}

fn declaring(world: &World, declaration: &str) -> Sessionizer {
    world.sessionizer_with(&[("SESSION_COLUMNS", declaration)])
}

/// What a boundary's columns are in its JSON, from `event_count` or the status to `version`.
fn columns(boundary: &Boundary) -> String {
    let json = String::from_utf8(boundary.encode().unwrap()).unwrap();
    let behind = json.split_once(r#""event_count":"#).or_else(|| json.split_once(r#""status":"#)).unwrap().1;
    let from = behind.find(',').unwrap() + 1;
    behind[from..].split_once(r#""version":"#).unwrap().0.trim_end_matches(',').to_owned()
}

/// The columns of each session of user `a`, as the sessions table will hold them.
async fn table(world: &World) -> Vec<String> {
    world.table().await.values().map(columns).collect()
}

#[tokio::test]
async fn closed_boundaries_have_all_columns_and_open_ones_what_first_gives() {
    let world = World::start().await;
    let sessionizer = declaring(&world, DECLARATION);
    let events = [
        event(1, 0, "view", "/home", "null"),
        event(2, 3, "search", "/lamps", "0.1"),
        event(3, 6, "search", "/lamps/desk", "\"0.2\""),
        event(4, 20, "view", "/login", "{}"),
    ];
    let answer = invoke(&sessionizer, "s1", &events).await;
    assert_eq!((named(&answer), answer.report.adjusted_columns), (None, 1), "an object is no number");
    let closed = r#""entry":"/home","exit":"/lamps/desk","searches":2,"revenue":0.3"#;
    assert_eq!(table(&world).await, [closed, r#""entry":"/login""#]);
    assert_eq!(sweep_at(IN_THE_END_MS, &sessionizer).await.outcome, Ok(()));
    assert_eq!(table(&world).await, [closed, r#""entry":"/login","exit":"/login","searches":0"#]);
}

#[tokio::test]
async fn late_click_corrects_the_columns_of_closed_sessions_and_merges_them() {
    let world = World::start().await;
    let events = [
        event(1, 10, "view", "/b", "2"),
        event(2, 25, "search", "/d", "4"),
        event(3, 60, "view", "/e", "8"),
        event(4, 5, "search", "/a", "1"),
        event(5, 18, "search", "/c", "-0.5"),
    ];
    for event in events {
        // Each batch in an environment that has nothing in memory: what counts is stored.
        invoke(&declaring(&world, DECLARATION), "s1", &[event]).await;
    }
    let merged = r#""entry":"/a","exit":"/d","searches":3,"revenue":6.5"#;
    assert_eq!(table(&world).await, [merged, r#""entry":"/e""#]);
}

#[tokio::test]
async fn columns_survive_the_item_of_a_user_at_rest() {
    let world = World::with_ring(3).await;
    invoke(&declaring(&world, DECLARATION), "s1", &[event(1, 0, "search", "/home", "5")]).await;
    for number in 2..8 {
        assert_eq!(sweep_at(IN_THE_END_MS, &declaring(&world, DECLARATION)).await.outcome, Ok(()));
        let other = crate::world::click(number, "b", 100_000 + number * 20_000);
        invoke(&declaring(&world, DECLARATION), "s1", &[other]).await;
    }
    assert!(world.logged("a").await.is_none(), "the user has left the log");
    invoke(&declaring(&world, DECLARATION), "s1", &[event(9, 4, "search", "/cart", "2.25")]).await;
    assert_eq!(sweep_at(IN_THE_END_MS, &declaring(&world, DECLARATION)).await.outcome, Ok(()));
    let of_user = table(&world).await[0].clone();
    assert_eq!(of_user, r#""entry":"/home","exit":"/cart","searches":2,"revenue":7.25"#);
}

#[tokio::test]
async fn changed_declaration_counts_from_then_on_and_marks_what_it_has_missed() {
    let world = World::start().await;
    invoke(&declaring(&world, ""), "s1", &[event(1, 0, "search", "/a", "1")]).await;
    invoke(&declaring(&world, "n = count(), s = sum(/value)"), "s1", &[event(2, 3, "view", "/b", "2")]).await;
    // `n` has another name and place, `s` is gone, `entry` is new.
    let last = "entry = first(/page), clicks = count()";
    invoke(&declaring(&world, last), "s1", &[event(3, 6, "view", "/c", "4")]).await;
    let closing = event(4, 30, "view", "/d", "8");
    invoke(&declaring(&world, last), "s1", &[closing]).await;
    let expected = r#""entry":"/c","clicks":2,"partial":["entry","clicks"]"#;
    assert_eq!(table(&world).await, [expected, r#""entry":"/d""#]);
    assert_eq!(sweep_at(IN_THE_END_MS, &declaring(&world, last)).await.outcome, Ok(()));
    assert_eq!(table(&world).await[1], r#""entry":"/d","clicks":1"#, "a session that began later is complete");
}

#[tokio::test]
async fn withdrawn_declaration_leaves_boundaries_as_without_columns() {
    let world = World::start().await;
    invoke(&declaring(&world, DECLARATION), "s1", &[event(1, 0, "search", "/a", "1")]).await;
    invoke(&declaring(&world, ""), "s1", &[event(2, 20, "search", "/b", "1")]).await;
    assert_eq!(table(&world).await, ["", ""]);
}

#[tokio::test]
async fn outbox_that_is_published_after_the_change_has_the_new_names() {
    let world = World::start().await;
    let (dying, _) = world.faulty_with(&[("SESSION_COLUMNS", "n = count(), total = sum(/value)")], |kind, _, _| {
        if kind == Kind::Publish { Fault::AccessDenied } else { Fault::None }
    });
    let events = [event(1, 0, "search", "/a", "1.5"), event(2, 20, "search", "/b", "1")];
    invoke(&dying, "s1", &events).await;
    assert_eq!(table(&world).await.len(), 0);
    invoke(&declaring(&world, "entry = first(/page), revenue = sum(/value)"), "s1", &events).await;
    assert_eq!(table(&world).await, [r#""revenue":1.5"#, ""], "what was decided before has no entry");
}
