//! Users' states as sessionctl reads them: from the logs first, and from session-state.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use local_aws::{LocalAws, LocalAwsOptions, Template};
use ops::error::OpsError;
use ops::stored::{ReadLimit, Stored};
use ops::users::{Phase, StateTables, StoredUser, users};
use sessionizer_fn::ring_log::commit::Commit;
use sessionizer_fn::ring_log::ring::Expected;
use sessionizer_fn::state_log_entry::{LogKey, LogValue, UserEntry};
use sessionizer_fn::store::log_store::{LogStore, WriteResult};
use sessionizer_fn::store::log_table::LogTable;
use sessionizer_fn::store::rest_store::{RestResult, RestStore, RestingUser};
use sessionizer_fn::store::rest_table::RestTable;
use sessionizer_fn::store::settings::{FORMAT, Settings};
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::columns::declaration::SessionColumns;
use shared::columns::values::ColumnValues;
use shared::event_time::EventTime;
use shared::session::Session;
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

const TABLES: StateTables<'_> = StateTables { log: "state-log", rest: "session-state" };
const SETTINGS: Settings = Settings { format: FORMAT, buckets: 2, slots: 4, first_commit: 1_000 };

struct World {
    services: LocalAws,
}

impl World {
    async fn new() -> Self {
        let services = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
        services.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
        Self { services }
    }

    /// Starts the log of `bucket` with one commit.
    async fn commit(&self, bucket: u32, users: &[(&str, UserEntry)]) {
        let log = LogTable::new(self.services.dynamodb(), TABLES.log, SETTINGS.slots, SessionColumns::default());
        log.make_settings(SETTINGS).await.unwrap();
        let number = SETTINGS.first_commit;
        let entry = |(user, entry): &(&str, UserEntry)| (LogKey::User(id(user)), LogValue::User(entry.clone()));
        let entries = users.iter().map(entry).collect();
        let commit = Commit { number, tail: number, version: Version::new(number), made_ms: 1_000, entries };
        let written = log.write(bucket, number % SETTINGS.slots, Expected::Nothing, &commit).await;
        assert!(matches!(written, WriteResult::Written), "{written:?}");
    }

    async fn put_to_rest(&self, user: &str, entry: UserEntry) {
        let rest = RestTable::new(self.services.dynamodb(), TABLES.rest, SessionColumns::default());
        let written = rest.write(&[RestingUser { user_id: id(user), entry, commit: 1 }]).await;
        assert!(matches!(written[..], [RestResult::Written]), "{written:?}");
    }

    async fn damage(&self, table: &str, key: (&str, &str), attribute: &str, value: AttributeValue) {
        let update = self.services.dynamodb().update_item().table_name(table);
        let update = update.key(key.0, AttributeValue::S(key.1.to_owned())).update_expression("SET #a = :v");
        let update = update.expression_attribute_names("#a", attribute).expression_attribute_values(":v", value);
        update.send().await.unwrap();
    }

    async fn users(&self, limit: ReadLimit) -> Result<Stored<Vec<(String, Phase, u64)>>, OpsError> {
        let read = users(&self.services.dynamodb(), TABLES, &SessionColumns::default(), limit).await?;
        let row = |(user, stored): (UserId, StoredUser)| {
            (user.as_str().to_owned(), stored.phase(), stored.entry.window.last_ordinal().unwrap())
        };
        Ok(Stored { items: read.items.into_iter().map(row).collect(), has_more: read.has_more })
    }

    async fn fault(&self) -> String {
        self.users(ReadLimit::WholeTable).await.unwrap_err().to_string()
    }
}

fn id(user: &str) -> UserId {
    UserId::new(user).unwrap()
}

/// A user whose only session has this ordinal.
fn entry(first_ordinal: u64, told_closed: bool) -> UserEntry {
    let time = EventTime::from_ms(1_721_390_000_000).unwrap();
    let session = Session {
        start: time,
        end: time,
        event_count: 1,
        attributes: Attributes::default(),
        columns: ColumnValues::default(),
    };
    let window = SessionWindow { first_ordinal, sessions: vec![session], left_behind_until_ms: None, told_closed };
    UserEntry { window, arrival_ms: 1_000, has_item: false }
}

/// `a` and `b` in the logs of two buckets, `b` and `c` at rest.
async fn world_of_three_users() -> World {
    let world = World::new().await;
    world.commit(0, &[("a", entry(1, false))]).await;
    world.commit(1, &[("b", entry(7, true))]).await;
    world.put_to_rest("b", entry(5, true)).await;
    world.put_to_rest("c", entry(2, true)).await;
    world
}

fn owned(users: &[(&str, Phase, u64)]) -> Vec<(String, Phase, u64)> {
    users.iter().map(|(user, phase, ordinal)| ((*user).to_owned(), *phase, *ordinal)).collect()
}

#[tokio::test]
async fn an_entry_of_a_log_counts_more_than_the_item_of_session_state() {
    let world = world_of_three_users().await;
    let expected = owned(&[("a", Phase::UnderWay, 1), ("b", Phase::Closed, 7), ("c", Phase::AtRest, 2)]);
    let whole = Stored { items: expected, has_more: false };
    assert_eq!(world.users(ReadLimit::WholeTable).await.unwrap(), whole);
    assert_eq!(world.users(ReadLimit::Items(3)).await.unwrap(), whole);
}

#[tokio::test]
async fn a_limit_counts_users_and_those_in_logs_come_first() {
    let world = world_of_three_users().await;
    let two = owned(&[("a", Phase::UnderWay, 1), ("b", Phase::Closed, 7)]);
    assert_eq!(world.users(ReadLimit::Items(2)).await.unwrap(), Stored { items: two, has_more: true });
    let one = owned(&[("a", Phase::UnderWay, 1)]);
    assert_eq!(world.users(ReadLimit::Items(1)).await.unwrap(), Stored { items: one, has_more: true });
}

#[tokio::test]
async fn users_at_rest_are_read_although_no_log_was_begun() {
    let world = World::new().await;
    assert_eq!(world.users(ReadLimit::Items(1)).await.unwrap(), Stored { items: Vec::new(), has_more: false });
    world.put_to_rest("c", entry(2, true)).await;
    let expected = Stored { items: owned(&[("c", Phase::AtRest, 2)]), has_more: false };
    assert_eq!(world.users(ReadLimit::Items(1)).await.unwrap(), expected);
}

#[tokio::test]
async fn state_that_cannot_be_read_is_an_error_that_names_table_key_and_fault() {
    let damaged = || AttributeValue::B(Blob::new(*b"\xffnot ours"));
    let world = world_of_three_users().await;
    world.damage("session-state", ("user_id", "c"), "rest", damaged()).await;
    let fault = world.fault().await;
    assert!(fault.starts_with(r#"table session-state: the item with user_id "c": rest: "#), "{fault}");

    world.damage("state-log", ("slot", "1/0"), "entries", damaged()).await;
    let fault = world.fault().await;
    let expected = r#"table state-log: the item "1/0" of the state-log table cannot be read: entries: "#;
    assert!(fault.starts_with(expected), "{fault}");
}

#[tokio::test]
async fn settings_of_another_format_are_an_error_that_shows_them() {
    let world = world_of_three_users().await;
    let expected = "table state-log: the settings item says ";
    for (attribute, value) in [("format", FORMAT + 1), ("buckets", 0), ("slots", u64::MAX)] {
        world.damage("state-log", ("slot", "settings"), attribute, AttributeValue::N(value.to_string())).await;
        let fault = world.fault().await;
        assert!(fault.starts_with(expected) && fault.contains(&value.to_string()), "{fault}");
        let before = match attribute {
            "format" => SETTINGS.format,
            "buckets" => SETTINGS.buckets,
            _ => SETTINGS.slots,
        };
        world.damage("state-log", ("slot", "settings"), attribute, AttributeValue::N(before.to_string())).await;
    }
}
