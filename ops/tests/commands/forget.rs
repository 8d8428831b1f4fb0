//! `sessionctl forget`: what it removes, what it leaves alone, and what it says.

use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::statements::Item;
use local_aws::faults::Fault;
use ops::config::TableNames;
use ops::forget::{Forget, Found, Matched, Removed, remains};
use ops::target::DescribedStream;
use ops::time_text::now_ms;
use ops::users::{Phase, StateTables, users};
use shared::click_format::ClickFormat;
use shared::columns::declaration::SessionColumns;
use shared::limits::MAX_WINDOW_SESSIONS;
use shared::user_id::UserId;

use crate::world::{World, digits, text};

pub fn names() -> TableNames {
    let [sessions, state_log, states, rejected] =
        ["sessions", "state-log", "session-state", "rejected-records"].map(str::to_owned);
    TableNames { sessions, state_log, states, rejected }
}

impl World {
    /// Forgets `user` through `dynamodb`.
    pub async fn forget_through(&self, dynamodb: &aws_sdk_dynamodb::Client, user: &str) -> (Found, Removed) {
        let (tables, user_id) = (names(), UserId::new(user).unwrap());
        let forget = forget(dynamodb, &tables, &user_id);
        let found = forget.find(|_| ()).await.unwrap();
        let removed = forget.carry_out(&found, now_ms, |_, _| ()).await.unwrap();
        (found, removed)
    }

    pub async fn forget(&self, user: &str) -> (Found, Removed) {
        self.forget_through(&self.embedded.dynamodb(), user).await
    }

    /// Where the user is.
    pub async fn phase(&self, user: &str) -> Option<Phase> {
        let tables = StateTables { log: "state-log", rest: "session-state" };
        let all =
            users(&self.embedded.dynamodb(), tables, &SessionColumns::default(), ops::stored::ReadLimit::WholeTable)
                .await
                .unwrap();
        all.items.get(&UserId::new(user).unwrap()).map(|stored| stored.phase())
    }
}

pub fn forget<'a>(dynamodb: &'a aws_sdk_dynamodb::Client, tables: &'a TableNames, user_id: &'a UserId) -> Forget<'a> {
    static FORMAT: LazyLock<ClickFormat> = LazyLock::new(ClickFormat::default);
    let settling = Duration::from_millis(50);
    Forget { dynamodb, tables, user_id, format: &FORMAT, by_partition_key: false, stream_hours: 24, settling }
}

/// Users `u` and `v` with sessions of the past, at rest and under way, and rejected records.
async fn world_of_two_users() -> World {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("u", 0, "old"), ("v", 0, "old"), ("u", 100, "old"), ("v", 100, "old")]).await;
    world.sweep(&sessionizer).await;
    for second in 200..210 {
        world.click(&sessionizer, &[("other", second, "old")]).await; // the tail comes by
    }
    world.click(&sessionizer, &[("u", 300, "old"), ("v", 300, "old")]).await;
    world.store_published().await;
    world.reject(1, "k", r#"{"user_id":"u","event_timestamp":"soon"}"#).await;
    world.reject(2, "k", r#"{"user_id":"v","event_timestamp":"soon"}"#).await;
    world.reject(3, "u", "oops").await;
    world.reject(4, "v", "oops").await;
    world
}

/// Ordinals that the sessions of a window can have had: each gets a tombstone.
pub const ORDINALS: u64 = MAX_WINDOW_SESSIONS as u64;

const SHARD: &str = "click-stream/shardId-000000000000";

/// A tombstone with user id and number, and when it goes.
fn assert_empty(item: &Item) {
    let mut names: Vec<_> = item.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["expires_at", "ordinal", "session_id", "session_time", "session_timestamp", "status", "user_id", "version"];
    assert_eq!(names, expected);
    assert_eq!((&item["status"], &item["session_timestamp"]), (&text("retracted"), &digits(0)));
    let kept_until = now_ms() / 1_000 + 72 * 3_600;
    let expires_at: u64 = item["expires_at"].as_n().unwrap().parse().unwrap();
    assert!(expires_at.abs_diff(kept_until) < 60, "{expires_at}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_user_is_left_and_other_users_are_untouched_byte_for_byte() {
    let world = world_of_two_users().await;
    let before =
        [world.items("sessions").await, world.items("session-state").await, world.items("rejected-records").await];
    assert_eq!((world.phase("u").await, before[1].contains_key("u")), (Some(Phase::UnderWay), true));

    let (found, removed) = world.forget("u").await;
    assert_eq!((found.sessions, found.rejected.positions.as_slice()), (3, &[format!("{SHARD}/1")][..]));
    assert_eq!((found.rejected.perhaps, found.rejected.unreadable), (1, 1));
    let Removed { commits, item, sessions, tombstones, newer_sessions, rejected, .. } = removed;
    assert_eq!((commits, item, sessions, tombstones, newer_sessions, rejected), (1, true, 3, ORDINALS, 0, 1));

    assert_eq!(world.phase("u").await, Some(Phase::Forgotten));
    let after =
        [world.items("sessions").await, world.items("session-state").await, world.items("rejected-records").await];
    let is_theirs = |key: &str| !(key == "u" || key.starts_with("u_") || key == format!("{SHARD}/1"));
    for (before, after) in before.iter().zip(&after) {
        let theirs = |items: &std::collections::BTreeMap<String, _>| {
            items
                .iter()
                .filter(|(key, _)| is_theirs(key))
                .map(|(key, item)| (key.clone(), std::clone::Clone::clone(item)))
                .collect::<Vec<_>>()
        };
        assert_eq!(theirs(before), theirs(after));
    }
    // Of the sessions, user id and number are left, and when that goes.
    let empty: Vec<_> = after[0].iter().filter(|(key, _)| !is_theirs(key)).map(|(_, item)| item).collect();
    assert_eq!(empty.len() as u64, ORDINALS);
    empty.into_iter().for_each(assert_empty);
    assert!(!after[1].contains_key("u") && !after[2].contains_key(&format!("{SHARD}/1")));
    let at_rest = |item: &std::collections::HashMap<String, AttributeValue>| item.contains_key("rest");
    assert!(at_rest(&after[1]["v"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn next_click_is_a_new_users_and_no_old_boundary_brings_a_session_back() {
    let world = world_of_two_users().await;
    let sessionizer = world.sessionizer();
    let old = world.published().await;
    world.forget("u").await;
    world.store(&old).await; // the sink begins its shard anew
    assert_eq!(world.sessions(|user| user == "u").await, [""; 0]);
    world.click(&sessionizer, &[("u", 90, "new"), ("u", 95, "new"), ("u", 400, "new")]).await;
    world.store_published().await;
    let expected = ["u_0 closed new", "u_1 open new"];
    assert_eq!(world.sessions(|user| user == "u").await, expected);
    world.store(&old).await;
    assert_eq!(world.sessions(|user| user == "u").await, expected);
    let tombstones = world.items("sessions").await;
    assert!(!tombstones["u_0"].contains_key("expires_at"), "a session again");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_sink_has_not_stored_yet_stay_away_too() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let clicks: Vec<_> = (0..5).map(|session| ("u", 100 * session, "old")).collect();
    world.click(&sessionizer, &clicks).await;
    let old = world.published().await;
    world.store(&old[..2]).await;
    let (found, removed) = world.forget("u").await;
    assert_eq!((found.sessions, removed.sessions, removed.tombstones), (2, 2, ORDINALS));
    world.store(&old).await;
    assert_eq!(world.sessions(|_| true).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_the_sink_has_stored_out_of_order_stay_away_too() {
    let world = World::start().await;
    let sessionizer = world.sessionizer();
    let clicks: Vec<_> = (0..5).map(|session| ("u", 100 * session, "old")).collect();
    world.click(&sessionizer, &clicks).await;
    let old = world.published().await;
    let (early, late) = old.split_at(2);
    world.store(late).await;
    let (found, removed) = world.forget("u").await;
    assert_eq!((found.sessions, removed.sessions, removed.tombstones), (3, 3, ORDINALS));
    world.store(early).await;
    assert_eq!(world.sessions(|_| true).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_retracted_sessions_and_none_comes_back_under_their_numbers() {
    // A late click makes u_0 and u_1 one; the sink stores some of the boundaries before, and all of them after.
    for (stored, numbers_are_used_again) in [(0, false), (2, false), (4, false), (4, true)] {
        let world = World::start().await;
        let sessionizer = world.sessionizer();
        world.click(&sessionizer, &[("u", 0, "old"), ("u", 15, "old")]).await;
        world.click(&sessionizer, &[("u", 8, "old")]).await;
        let boundaries = world.published().await;
        assert_eq!(boundaries.len(), 4, "u_0 twice, u_1, and that it is retracted");
        world.store(&boundaries[..stored]).await;
        if numbers_are_used_again {
            world.click(&sessionizer, &[("u", 100, "old")]).await;
        }
        let (_, removed) = world.forget("u").await;
        assert_eq!(removed.tombstones, ORDINALS);
        for boundary in world.published().await {
            world.store(&[boundary]).await;
            assert_eq!(world.sessions(|_| true).await, [""; 0]);
        }
        world.items("sessions").await.values().for_each(assert_empty);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn boundaries_that_wait_to_be_published_are_dropped_and_those_of_others_are_published() {
    let world = World::start().await;
    // Its invocation ends before it can publish; Lambda redelivers its records.
    let denied = world.faulty_sessionizer(|call| match call.operation.as_str() {
        "PutRecords" => Fault::AccessDenied,
        _ => Fault::None,
    });
    let clicks = [("u", 0, "old"), ("v", 1, "old")];
    assert!(world.click_once(&denied, &clicks).await.is_some());
    assert!(world.published().await.is_empty());
    let (_, removed) = world.forget("u").await;
    assert_eq!((removed.commits, removed.waiting), (1, 1));
    world.redeliver(&world.sessionizer(), &clicks).await;
    let published = world.published().await;
    let users: Vec<_> =
        published.iter().map(|data| shared::boundary::Boundary::decode(data).unwrap().session_id()).collect();
    assert_eq!(users, ["v_0"]);
    assert_eq!(world.phase("u").await, Some(Phase::Forgotten), "the redelivered click was applied before");
}

#[tokio::test(flavor = "multi_thread")]
async fn repeating_it_changes_nothing() {
    let world = world_of_two_users().await;
    world.forget("u").await;
    let tables = ["sessions", "session-state", "rejected-records", "state-log"];
    let mut before = Vec::new();
    for table in tables {
        before.push(world.items(table).await);
    }
    let (found, removed) = world.forget("u").await;
    assert!(found.is_empty());
    assert_eq!(removed, Removed { head: removed.head, ..Removed::default() });
    for (table, before) in tables.into_iter().zip(before) {
        assert_eq!(world.items(table).await, before, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_at_rest_and_unknown_ones_can_be_forgotten() {
    let world = World::start().await;
    let (found, removed) = world.forget("u").await;
    assert!(found.is_empty());
    assert_eq!(removed, Removed::default(), "no log was begun");
    let sessionizer = world.sessionizer();
    world.click(&sessionizer, &[("u", 0, "old"), ("v", 0, "old")]).await;
    world.sweep(&sessionizer).await;
    for second in 100..110 {
        world.click(&sessionizer, &[("v", second, "old")]).await;
    }
    assert_eq!(world.phase("u").await, Some(Phase::AtRest));
    let (_, removed) = world.forget("u").await;
    assert_eq!((removed.commits, removed.item, removed.tombstones), (1, true, ORDINALS));
    world.click(&sessionizer, &[("u", 1, "new")]).await;
    world.store_published().await;
    assert_eq!(world.sessions(|user| user == "u").await, ["u_0 open new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_with_the_users_partition_key_are_taken_only_if_asked_for() {
    let world = world_of_two_users().await;
    let (dynamodb, tables, user_id) = (world.embedded.dynamodb(), names(), UserId::new("u").unwrap());
    let forget = Forget { by_partition_key: true, ..forget(&dynamodb, &tables, &user_id) };
    let found = forget.find(|_| ()).await.unwrap();
    let mut positions = found.rejected.positions.clone();
    positions.sort();
    assert_eq!(positions, [format!("{SHARD}/1"), format!("{SHARD}/3")]);
    assert_eq!(found.rejected, Matched { perhaps: 0, unreadable: 1, positions: found.rejected.positions.clone() });
    assert_eq!(forget.carry_out(&found, now_ms, |_, _| ()).await.unwrap().rejected, 2);
    let left: Vec<_> = world.items("rejected-records").await.into_keys().collect();
    assert_eq!(left, [format!("{SHARD}/2"), format!("{SHARD}/4")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_denied_is_an_error_that_names_table_and_call_and_the_command_can_be_repeated() {
    let world = world_of_two_users().await;
    let cases = [
        ("Query", "sessions"),
        ("Scan", "rejected-records"),
        ("PutItem", "state-log"),
        ("DeleteItem", "session-state"),
        ("PutItem", "sessions"),
        ("BatchWriteItem", "rejected-records"),
    ];
    let (tables, user_id) = (names(), UserId::new("u").unwrap());
    for (operation, table) in cases {
        let sdk = world.faulty(move |call| {
            let is_it = call.operation == operation && call.body.to_string().contains(&format!("\"{table}\""));
            if is_it { Fault::AccessDenied } else { Fault::None }
        });
        let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
        let forget = forget(&dynamodb, &tables, &user_id);
        let outcome = async {
            let found = forget.find(|_| ()).await?;
            forget.carry_out(&found, now_ms, |_, _| ()).await
        };
        let error = outcome.await.unwrap_err();
        let expected = format!("table {table}: {operation} failed: AccessDeniedException");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.advice().is_some_and(|advice| advice.contains(&format!("allow dynamodb:{operation}"))));
    }
    let (_, removed) = world.forget("u").await;
    assert_eq!(world.sessions(|user| user == "u").await, [""; 0]);
    assert_eq!((removed.commits, removed.sessions, removed.rejected), (0, 0, 1), "what the failed ones have left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_remains_is_named_with_its_end() {
    let world = world_of_two_users().await;
    let (dynamodb, tables, user_id) = (world.embedded.dynamodb(), names(), UserId::new("u").unwrap());
    let forget = forget(&dynamodb, &tables, &user_id);
    let found = forget.find(|_| ()).await.unwrap();
    let removed = Removed { head: Some(1_000), tombstones: 3, newer_sessions: 1, ..Removed::default() };
    let stream =
        |name: &str, retention_hours| DescribedStream { name: name.to_owned(), retention_hours, open_shards: 1 };
    let streams = [stream("session-stream", 24), stream("click-stream", 48)];
    let remains = remains(&forget, &found, &removed, Some(512), &streams, 1_721_390_000_000);
    let lines: Vec<_> = remains.iter().map(ToString::to_string).collect();
    let expected = [
        "state-log: the user's entries in older commits, which nothing reads any more, until the ring has turned once, with commit 1512 of the bucket: 512 commits from now",
        "sessions: 3 empty items with user id and number, so that an old boundary cannot bring a session back, until 2024-07-22 11:53:20 UTC, then deleted by TTL",
        "sessions: 1 sessions of clicks that came meanwhile, until the user is forgotten again",
        "rejected-records: 1 records without a readable user id and with the user's partition key, until their retention is over",
        "rejected-records: 1 other records without a readable user id, anybody's, until their retention is over",
        "session-stream: the user's records, until 2024-07-20 11:53:20 UTC",
        "click-stream: the user's records, until 2024-07-21 11:53:20 UTC",
        "backups of all tables: what was stored before, in point-in-time recovery, if it is on; in other backups, as long as they are kept, until 2024-08-23 11:53:20 UTC",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn command_shows_what_it_found_asks_and_says_what_it_removed_and_what_remains() {
    let world = world_of_two_users().await;
    let (status, stdout, stderr) = world.run(&["forget", "u"]);
    assert_eq!((status, stdout.as_str()), (Some(2), ""), "no terminal");
    assert!(
        stderr.starts_with("error: forget removes what is stored of a user and needs confirmation, but "),
        "{stderr}"
    );

    let before = world.items("sessions").await;
    let (status, stdout, stderr) = world.run(&["forget", "u", "--dry-run"]);
    assert_eq!((status, stdout.as_str()), (Some(0), "Dry run: nothing was changed.\n"));
    let said = "tables sessions, state-log, session-state, rejected-records\nstreams session-stream, click-stream\n\
                found of user u: an entry of the state log, an item of session-state, 1 boundaries \
                that could be published again, 3 sessions, 1 rejected records\n\
                rejected records without a readable user id whose partition key is u: 1; --by-partition-key takes them, too\n";
    assert!(stderr.ends_with(said), "{stderr}");
    assert_eq!(world.items("sessions").await, before);
    assert_eq!(world.phase("u").await, Some(Phase::UnderWay));

    let objects = world.json(&["forget", "u", "--yes"]);
    let kinds: Vec<_> =
        objects.iter().map(|object| object.as_object().unwrap().keys().next().unwrap().as_str()).collect();
    assert_eq!(kinds[..2], ["found", "removed"]);
    assert!(kinds[2..].iter().all(|kind| *kind == "remains") && kinds.len() > 5, "{kinds:?}");
    assert_eq!((&objects[0]["found"]["sessions"], &objects[1]["removed"]["sessions"]), (&3.into(), &3.into()));
    let (status, stdout, stderr) = world.run(&["forget", "u", "--yes"]);
    assert!(stderr.contains("\nfound of user u: nothing\n"), "{stderr}");
    let expected = "removed:\n  state log: nothing to supersede\n  boundaries that could be published again: 0\n  item of session-state: \
                    none\n  sessions: 0\n  rejected records: 0\nremains:\n  state-log: ";
    assert!(status == Some(0) && stdout.starts_with(expected), "{stdout}");
}
