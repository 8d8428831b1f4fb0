//! `sessionctl sessions`.

use crate::world::{World, digits, text};

/// Puts session `ordinal` of `user`, which starts in second `ordinal` of 2024-07-19 11:53:20.
async fn put(world: &World, user: &str, ordinal: u64, status: &str) {
    let item = [
        ("user_id", text(user)),
        ("ordinal", digits(ordinal)),
        ("session_id", text(&format!("{user}_{ordinal}"))),
        ("session_timestamp", digits(1_721_390_000_000 + ordinal * 1_000)),
        ("session_time", text("any")),
        ("status", text(status)),
        ("version", digits(1)),
    ];
    world.put("sessions", &item).await;
}

fn ids(world: &World, arguments: &[&str]) -> Vec<String> {
    let objects = world.json(&[&["sessions"], arguments].concat());
    objects.iter().map(|object| object["session_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_a_user_are_in_order_and_one_is_found_by_its_id() {
    let world = World::start().await;
    for ordinal in [10, 2, 9] {
        put(&world, "u", ordinal, "open").await;
    }
    put(&world, "u", 11, "retracted").await;
    put(&world, "v", 0, "open").await;
    put(&world, "u_9", 4, "open").await; // a user whose id has the form of a session's
    put(&world, "w_1", 0, "retracted").await;
    put(&world, "w", 1, "open").await;
    let cases: [(&[&str], &[&str]); 10] = [
        (&["u"], &["u_2", "u_9", "u_10"]),
        (&["u", "--since", "2024-07-19 11:53:29"], &["u_9", "u_10"]),
        (&["u", "--since", "1721390009001"], &["u_10"]),
        (&["u", "--since", "1m"], &[]),
        (&["u_10"], &["u_10"]),
        (&["u_9"], &["u_9_4"]),
        (&["u_9", "--id"], &["u_9"]),
        (&["u_11"], &[]),
        (&["w_1"], &["w_1"]),
        (&["nobody"], &[]),
    ];
    for (arguments, expected) in cases {
        assert_eq!(ids(&world, arguments), expected, "{arguments:?}");
    }
    let (status, stdout, stderr) = world.run(&["sessions", "nobody\u{1b}"]);
    assert_eq!((status, stdout.as_str()), (Some(0), ""));
    assert!(stderr.ends_with("\ntable sessions\n\nno sessions of nobody\\u{1b}\n"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn timeline_draws_a_users_sessions_but_no_tombstones() {
    let world = World::start().await;
    put(&world, "u", 0, "open").await;
    put(&world, "u", 1, "retracted").await;
    put(&world, "v", 0, "open").await;
    let folder = tempfile::TempDir::new().unwrap();
    let picture = folder.path().join("u.svg");
    let (status, stdout, stderr) = world.run(&["timeline", "u", "-o", picture.to_str().unwrap()]);
    assert_eq!((status, stdout), (Some(0), format!("{}\n", picture.display())), "{stderr}");
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert_eq!((svg.matches("<rect").count(), svg.matches("u_0: open").count()), (1, 1), "{svg}");
    let nothing = folder.path().join("nothing.svg");
    let (status, _, stderr) = world.run(&["timeline", "nobody", "-o", nothing.to_str().unwrap()]);
    assert_eq!((status, nothing.exists()), (Some(0), false));
    assert!(stderr.ends_with("no sessions of nobody: no picture was written\n"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_shown_as_the_functions_have_made_them() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("u", 0, "a"), ("u", 4, "b"), ("u", 20, "c"), ("v", 1, "d")]).await;
    world.store_published().await;
    let (status, stdout, _) = world.run(&["sessions", "u"]);
    let start = |second: u64| ops::time_text::utc(world.begin_ms + second * 1_000);
    let expected = format!(
        "  session  start (UTC)          status  length  clicks  first event\n  \
         u_0      {}  closed     4 s       2  a\n  u_1      {}  open                    c\n",
        start(0),
        start(20)
    );
    assert_eq!((status, stdout), (Some(0), expected));
    let objects = world.json(&["sessions", "u"]);
    assert_eq!((&objects[0]["status"], &objects[0]["duration_ms"]), (&"closed".into(), &4_000.into()));
    assert_eq!(objects[1]["session_timestamp"], world.begin_ms + 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sessions_than_a_page_holds_are_all_shown() {
    let world = World::start().await;
    let long = "x".repeat(250_000);
    for ordinal in 0..9 {
        let item = [
            ("user_id", text("u")),
            ("ordinal", digits(ordinal)),
            ("session_id", text(&format!("u_{ordinal}"))),
            ("session_timestamp", digits(1_721_390_000_000)),
            ("session_time", text("any")),
            ("status", text("open")),
            ("version", digits(1)),
            ("event_name", text(&long)),
        ];
        world.put("sessions", &item).await;
    }
    assert_eq!(ids(&world, &["u"]), (0..9).map(|ordinal| format!("u_{ordinal}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_arguments_and_foreign_items_are_errors_that_name_them() {
    let world = World::start().await;
    put(&world, "u", 3, "paused").await;
    let long = "x".repeat(257);
    let cases: [(&[&str], i32, &str); 6] = [
        (
            &["sessions", "u"],
            1,
            "error: table sessions: the item with user_id \"u\", ordinal 3: attribute status is missing or invalid",
        ),
        (
            &["sessions", "u", "--id"],
            2,
            "error: --id: \"u\" is not the id of a session, expected a user's id, _ and a number",
        ),
        (&["sessions", "u", "--since", "soon"], 2, "expected Unix milliseconds, YYYY-MM-DD"),
        (&["sessions", "u_1", "--id", "--since", "1h"], 2, "'--id' cannot be used with '--since"),
        (&["sessions", ""], 2, "it is empty, expected 1 to 256 characters"),
        (&["sessions", &long], 2, "it has 257 characters, more than the limit of 256"),
    ];
    for (arguments, expected, part) in cases {
        let (status, stdout, stderr) = world.run(arguments);
        assert_eq!((status, stdout.as_str()), (Some(expected), ""), "{stderr}");
        assert!(stderr.contains(part), "{stderr}");
    }
}
