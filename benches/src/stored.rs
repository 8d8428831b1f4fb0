//! The state after earlier batches, as in the middle of a long run: active users in the log, all others at rest.

use sessionizer_fn::bucket::bounds::SLOTS;
use sessionizer_fn::state_log_entry::{LogKey, LogValue, UserEntry};
use sessionizer_fn::store::log_store::LogCommit;
use sessionizer_fn::store::rest_store::RestingUser;
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::session::Session;
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use crate::error::BenchError;
use crate::event::{attributes, user_id};
use crate::typical_columns::Columns;
use crate::workload::{BEGIN_MS, Before, CLICKS_PER_SESSION, Shard, Workload};

/// Sessions of a user before the current one.
const ORDINAL: u64 = 17;

/// The number of the log's first commit.
pub const FIRST_COMMIT: u64 = BEGIN_MS - 3_600_000;

/// Users of one commit: a batch of this many takes two thirds of what a commit may change.
const USERS_PER_COMMIT: usize = 2_000;

/// The state of a bucket.
#[derive(Debug)]
pub struct State {
    /// The log, in which active users are. Nothing of it is due to be repeated.
    pub log: Vec<LogCommit>,
    /// All others.
    pub at_rest: Vec<RestingUser>,
}

/// The state of the users of `shard`, which has not had a batch yet.
///
/// # Errors
/// If the active users fill more than half of the log.
pub fn state(workload: Workload, shard: &Shard, columns: Columns) -> Result<State, BenchError> {
    let (mut active, mut at_rest) = (Vec::new(), Vec::new());
    for (user, before) in shard.before().iter().enumerate() {
        let user_id = UserId::new(user_id(user)).map_err(|_| BenchError::failed("an invalid user id"))?;
        let entry = entry(workload, user, *before, columns)?;
        if entry.window.told_closed {
            // As long as it is not stored, there is no item.
            at_rest.push(RestingUser { user_id, entry: UserEntry { has_item: false, ..entry }, commit: FIRST_COMMIT });
        } else {
            active.push((LogKey::User(user_id), LogValue::User(entry)));
        }
    }
    let commit = |(entries, number): (&[(LogKey, LogValue)], u64)| LogCommit {
        number,
        tail: FIRST_COMMIT,
        version: Version::new(number),
        made_ms: BEGIN_MS,
        entries: entries.to_vec(),
    };
    let log: Vec<LogCommit> = active.chunks(USERS_PER_COMMIT).zip(FIRST_COMMIT..).map(commit).collect();
    if log.len() as u64 >= SLOTS / 2 {
        return Err(BenchError::failed(format!("{} active users fill more than half of the log", active.len())));
    }
    Ok(State { log, at_rest })
}

/// The item of a user who last clicked a day before the run. `None` does not occur.
#[must_use]
pub fn known_before(user_id: &UserId, columns: Columns) -> Option<RestingUser> {
    let start_ms = BEGIN_MS - 86_400_000;
    let [event_name, event_type, device_type] = attributes(0, start_ms).map(|text| Some(text.into()));
    let [start, end] = [EventTime::from_ms(start_ms)?, EventTime::from_ms(start_ms + 600_000)?];
    let session = Session {
        start,
        end,
        event_count: CLICKS_PER_SESSION.into(),
        attributes: Attributes { event_name, event_type, device_type },
        columns: columns
            .of_session(0, spread(start_ms, 600_000 / u64::from(CLICKS_PER_SESSION - 1), CLICKS_PER_SESSION)),
    };
    let entry = UserEntry {
        window: SessionWindow {
            first_ordinal: ORDINAL,
            sessions: vec![session],
            left_behind_until_ms: Some(start_ms - 86_400_000),
            told_closed: true,
        },
        arrival_ms: start_ms + 600_000,
        has_item: true,
    };
    Some(RestingUser { user_id: user_id.clone(), entry, commit: FIRST_COMMIT })
}

/// The entry of `user`, given their activity `before` the batch. Earlier sessions were left behind.
fn entry(workload: Workload, user: usize, before: Before, columns: Columns) -> Result<UserEntry, BenchError> {
    let at = |ms| EventTime::from_ms(ms).ok_or_else(|| BenchError::failed("a time after the year 9999"));
    let [event_name, event_type, device_type] = attributes(user, before.last_ms).map(|text| Some(text.into()));
    let start_ms = before.last_ms - u64::from(before.clicks - 1) * workload.spacing_ms;
    let session = Session {
        start: at(start_ms)?,
        end: at(before.last_ms)?,
        event_count: before.clicks.into(),
        attributes: Attributes { event_name, event_type, device_type },
        columns: columns.of_session(user, spread(start_ms, workload.spacing_ms, before.clicks)),
    };
    Ok(UserEntry {
        window: SessionWindow {
            first_ordinal: ORDINAL,
            sessions: vec![session],
            left_behind_until_ms: Some(start_ms - 86_400_000),
            told_closed: before.clicks == CLICKS_PER_SESSION,
        },
        arrival_ms: before.last_ms,
        has_item: true,
    })
}

/// The times of `clicks` clicks, `spacing_ms` apart.
fn spread(start_ms: u64, spacing_ms: u64, clicks: u32) -> impl Iterator<Item = EventTime> {
    (0..u64::from(clicks)).filter_map(move |number| EventTime::from_ms(start_ms + number * spacing_ms))
}
