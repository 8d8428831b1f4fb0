//! Batches of clicks and boundaries as events in Lambda's format.

use kinesis_function::event::Event;
use local_aws::{HandMadeRecord, hand_made_event};
use sessionizer_fn::bucket::id::bucket_of;
use shared::boundary::Boundary;
use shared::user_id::UserId;

use crate::error::BenchError;
use crate::services::SHARDS;
use crate::typical_columns::Columns;
use crate::workload::SimulatedClick;

/// The shard of all records.
pub const SHARD: &str = "shardId-000000000000";

/// Prefix of sequence numbers, which have 56 digits as in Kinesis. The number of the record follows.
const SEQUENCE_NUMBER_PREFIX: &str = "49590338271490256608559692538361571095";

const EVENT_NAMES: [&str; 6] = ["search", "category", "detail", "add_to_cart", "cart", "checkout"];
const DEVICE_TYPES: [&str; 3] = ["desktop", "mobile", "tablet"];

/// A user id of typical length, in the first of [`SHARDS`] buckets, since all users click in the first shard.
#[must_use]
pub fn user_id(user: usize) -> String {
    let ids = (0_u32..).map(|suffix| format!("user{user:06}-{suffix}"));
    let is_of_first = |id: &String| UserId::new(id.as_str()).is_ok_and(|user_id| bucket_of(&user_id, SHARDS) == 0);
    ids.into_iter().find(is_of_first).unwrap_or_default()
}

/// The attributes of a user's clicks: event name, event type, device type.
#[must_use]
pub fn attributes(user: usize, ms: u64) -> [&'static str; 3] {
    let name = usize::try_from(ms).unwrap_or(0) % EVENT_NAMES.len();
    [EVENT_NAMES[name], "click", DEVICE_TYPES[user % DEVICE_TYPES.len()]]
}

/// The sequence number of the record at index `place` of the shard.
#[must_use]
pub fn sequence_number(place: u64) -> String {
    format!("{SEQUENCE_NUMBER_PREFIX}{place:018}")
}

/// The bytes of a click, as the walkthrough's producer writes them, perhaps with fields for columns.
#[must_use]
pub fn click_json(click: SimulatedClick, columns: Columns) -> Vec<u8> {
    let SimulatedClick { user, ms } = click;
    let [name, kind, device] = attributes(user, ms);
    let (fields, user) = (columns.fields(user, ms), user_id(user));
    format!(
        r#"{{"user_id":"{user}","event_timestamp":"{ms}","event_name":"{name}","event_type":"{kind}","device_type":"{device}"{fields}}}"#
    )
    .into_bytes()
}

/// The event with `clicks`, the first of them at index `place` of the shard.
///
/// # Errors
/// None in practice.
pub fn click_event(clicks: &[SimulatedClick], place: u64, columns: Columns) -> Result<String, BenchError> {
    let records = clicks.iter().zip(place..).map(|(click, place)| HandMadeRecord {
        sequence_number: sequence_number(place),
        partition_key: user_id(click.user),
        data: click_json(*click, columns),
        arrival_ms: i64::try_from(click.ms).unwrap_or(i64::MAX),
    });
    hand_made_event("click-stream", SHARD, records.collect()).map_err(BenchError::failed)
}

/// The event with `boundaries`, the first of them at index `place` of the shard.
///
/// # Errors
/// None in practice.
pub fn boundary_event(boundaries: &[Boundary], place: u64) -> Result<String, BenchError> {
    let mut records = Vec::with_capacity(boundaries.len());
    for (boundary, place) in boundaries.iter().zip(place..) {
        records.push(HandMadeRecord {
            sequence_number: sequence_number(place),
            partition_key: boundary.user_id.partition_key().to_owned(),
            data: boundary.encode()?,
            arrival_ms: i64::try_from(boundary.session_timestamp.ms()).unwrap_or(i64::MAX),
        });
    }
    hand_made_event("session-stream", SHARD, records).map_err(BenchError::failed)
}

/// Reads an event as the functions do.
///
/// # Errors
/// If it is not a Kinesis event of Lambda.
pub fn parse(json: &str) -> Result<Event, BenchError> {
    Ok(serde_json::from_slice(json.as_bytes())?)
}
