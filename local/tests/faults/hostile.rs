//! As much as a batch can ask for: thousands of users who come back at once, each with a full window.

use std::collections::BTreeMap;
use std::time::Duration;

use kinesis_function::invocation::handle;
use kinesis_function::time_budget::TimeBudget;
use local::chaos::replay::replay;
use local::chaos::verdict::compare_states_and_stream;
use local_aws::faults::Fault;
use sessionizer_fn::bucket::bounds::{SLOTS, memory_for_buckets};
use sessionizer_fn::state_log_entry::UserEntry;
use sessionizer_fn::store::rest_store::{RestResult, RestStore, RestingUser};
use sessionizer_fn::store::rest_table::RestTable;
use shared::attributes::Attributes;
use shared::boundary::Boundary;
use shared::columns::declaration::SessionColumns;
use shared::columns::values::ColumnValues;
use shared::event_time::EventTime;
use shared::limits::{MAX_WINDOW_ATTRIBUTE_BYTES, MAX_WINDOW_SESSIONS};
use shared::session::Session;
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use crate::setup::{MEMORY_MB, Setup, USUAL, sessionizer};
use crate::stream::{Record, click_event, shards};
use crate::world::World;

/// A sixteenth of the usual slots: all these windows together are more than what may be live.
const SETUP: Setup = Setup { slots: SLOTS / 16, buckets: 4, ..USUAL };
const USERS: u64 = 8_000;
/// One in this many users clicks where a session in the middle begins, so that half of the window is renumbered.
const USERS_PER_RENUMBERED: u64 = 40;

const BEGIN_MS: u64 = 1_721_390_000_000;
const BETWEEN_SESSIONS_MS: u64 = 30_000;
const NOW_MS: u64 = BEGIN_MS + MAX_WINDOW_SESSIONS as u64 * BETWEEN_SESSIONS_MS;
const AN_HOUR_MS: u64 = 3_600_000;
const LONG: Duration = Duration::from_secs(300);

/// As many sessions and bytes of attributes as there can be.
fn full_window() -> SessionWindow {
    let text = "x".repeat(MAX_WINDOW_ATTRIBUTE_BYTES / MAX_WINDOW_SESSIONS);
    let session = |number: usize| {
        let start = EventTime::from_ms(BEGIN_MS + number as u64 * BETWEEN_SESSIONS_MS).unwrap();
        let attributes = Attributes { event_name: Some(text.as_str().into()), ..Attributes::default() };
        Session { start, end: start, event_count: 1, attributes, columns: ColumnValues::default() }
    };
    let sessions = (0..MAX_WINDOW_SESSIONS).map(session).collect();
    SessionWindow { sessions, told_closed: true, ..SessionWindow::default() }
}

/// A user's click, which continues the last session or starts one in the middle.
fn click(number: u64) -> Record {
    let ms = if number.is_multiple_of(USERS_PER_RENUMBERED) {
        BEGIN_MS + MAX_WINDOW_SESSIONS as u64 / 2 * BETWEEN_SESSIONS_MS + BETWEEN_SESSIONS_MS / 2
    } else {
        NOW_MS - BETWEEN_SESSIONS_MS + 1_000
    };
    let (key, data) = (format!("user{number}"), format!(r#"{{"user_id":"user{number}","event_timestamp":{ms}}}"#));
    Record { shard: "s".to_owned(), number: number + 1, key, data: data.into_bytes(), arrival_ms: NOW_MS }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_full_windows_in_a_batch_stay_within_items_and_memory() {
    let world = World::start().await;
    let window = full_window();
    let ids = (0..USERS).map(|number| UserId::new(format!("user{number}")).unwrap());
    let at_rest: BTreeMap<_, _> = ids.map(|user_id| (user_id, window.clone())).collect();
    let entry = UserEntry { window, arrival_ms: NOW_MS - AN_HOUR_MS, has_item: false };
    let resting =
        at_rest.keys().map(|user_id| RestingUser { user_id: user_id.clone(), entry: entry.clone(), commit: 1 });
    let results = RestTable::new(world.embedded.dynamodb(), "session-state", SessionColumns::default())
        .write(&resting.collect::<Vec<_>>())
        .await;
    assert!(results.iter().all(|result| matches!(result, RestResult::Written)));

    let clicks: Vec<_> = (0..USERS).map(click).collect();
    let sessionizer = sessionizer(&world, SETUP, 1.0, |_| Fault::None);
    let output = handle(&sessionizer, click_event(&clicks), TimeBudget::lasting(NOW_MS, LONG)).await.unwrap();
    assert_eq!(output.response.batch_item_failures, []);
    assert!(output.report.closed_early > 0, "more than may be live: users leave ahead of time");
    let most_bytes = memory_for_buckets(MEMORY_MB << 20);
    let bytes = output.report.gauges.memory_bytes;
    assert!(bytes < most_bytes, "{bytes} bytes of {most_bytes}");

    let published = world.published_since().await;
    let found = world
        .found(published.iter().map(|data| Boundary::decode(data).unwrap()).collect(), &SessionColumns::default())
        .await;
    let commits = world.recorder.take().unwrap();
    let replayed =
        replay(at_rest, commits, &shards(SETUP, &clicks), SETUP.buckets, &SessionColumns::default()).unwrap();
    compare_states_and_stream(&replayed, &found).unwrap();
}
