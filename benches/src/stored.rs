//! The states after earlier batches: each user's state as in the middle of a long run.

use std::collections::BTreeMap;

use sessionizer_fn::batch::CursorKey;
use sessionizer_fn::state::{Cursor, OutboxEntry, UserState};
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{Session, Status, TouchedSession, UserSessions};

use crate::error::BenchError;
use crate::event::{SHARD, attributes, sequence_number};
use crate::workload::{BEGIN_MS, Before, CLICKS_PER_SESSION, Workload};

/// Sessions of a user before the previous one.
const ORDINAL: u64 = 17;

/// The state of `user`, given their activity `before` the batch.
///
/// # Errors
/// None in practice: its times are before the year 10000 and its sequence number has digits.
pub fn state(workload: Workload, user: usize, before: Before) -> Result<UserState, BenchError> {
    let at = |ms| EventTime::from_ms(ms).ok_or_else(|| BenchError::failed("a time after the year 9999"));
    let [name, kind, device] = attributes(user, before.last_ms).map(|text| Some(text.into()));
    let attributes = Attributes { event_name: name, event_type: kind, device_type: device };
    let session = |start, end, event_count| -> Result<Session, BenchError> {
        Ok(Session { start: at(start)?, end: at(end)?, event_count, attributes: attributes.clone() })
    };
    let length = |clicks: u32| u64::from(clicks - 1) * workload.spacing_ms;
    let start = before.last_ms - length(before.clicks);
    let previous_end = start - 2 * workload.gap_ms;
    let previous = session(previous_end - length(CLICKS_PER_SESSION), previous_end, u64::from(CLICKS_PER_SESSION))?;
    let current = session(start, before.last_ms, u64::from(before.clicks))?;

    // Only the commit of a session's first click publishes boundaries.
    let version = Version::new(BEGIN_MS);
    let mut outbox = Vec::new();
    if before.clicks == 1 {
        let entry = |ordinal, of: &Session, status| OutboxEntry {
            version,
            session: TouchedSession { ordinal, start: of.start, attributes: of.attributes.clone(), status },
        };
        let closed = Status::Closed { end: previous.end, event_count: previous.event_count };
        outbox = vec![entry(ORDINAL - 1, &previous, closed), entry(ORDINAL, &current, Status::Open)];
    }
    let sequence_number = SequenceNumber::parse(sequence_number(0)).map_err(BenchError::failed)?;
    let key = CursorKey::new(format!("click-stream/{SHARD}"));
    Ok(UserState {
        version,
        sessions: UserSessions { ordinal: ORDINAL, current, previous: Some(previous) },
        cursors: BTreeMap::from([(key, Cursor { sequence_number, version, outbox })]),
    })
}
