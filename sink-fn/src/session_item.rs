//! Encodes a session as an item of the sessions table, and decodes it: one attribute for each of the boundary's fields.
//!
//! The only place that defines the item's form. Fields that the boundary lacks are left out of the item. Columns are
//! attributes like the others: text, number and boolean as they are.

use aws_sdk_dynamodb::types::AttributeValue;
use kinesis_function::limits::SECONDS_PER_DAY;
use kinesis_function::statements::Item;
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::columns::declaration::{PARTIAL, SessionColumns, is_column_name};
use shared::columns::named::NamedColumns;
use shared::columns::number::Number;
use shared::columns::published::PublishedValue;
use shared::event_time::EventTime;
use shared::session::Status;
use shared::user_id::UserId;
use smol_str::SmolStr;

/// The name of the partition key.
pub const USER_ID: &str = "user_id";

/// The name of the sort key: a user's sessions are one Query, in order.
pub const ORDINAL: &str = "ordinal";

/// The name of the attribute that conditions compare.
pub const VERSION: &str = "version";

/// The name of the attribute with the session's id in boundaries, for readers: user id, `_` and ordinal.
const SESSION_ID: &str = "session_id";

/// The name of DynamoDB's TTL attribute.
const EXPIRES_AT: &str = "expires_at";

/// How long items are kept after their last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Sessions, in days; 0 keeps them forever.
    pub session_days: u64,
    /// The longer retention of the two streams, in hours.
    pub stream_hours: u64,
}

impl Retention {
    /// How long a retracted session stays as a tombstone, in seconds: as long as both streams together can keep the
    /// cause of an older boundary, and a day. Source: design, section 2.
    #[must_use]
    pub fn tombstone_seconds(self) -> u64 {
        2 * self.stream_hours * 3_600 + SECONDS_PER_DAY
    }

    fn session_seconds(self) -> Option<u64> {
        (self.session_days > 0).then_some(self.session_days * SECONDS_PER_DAY)
    }
}

/// The values of the partition key and the sort key.
#[must_use]
pub fn key(boundary: &Boundary) -> [AttributeValue; 2] {
    [AttributeValue::S(boundary.user_id.as_str().to_owned()), AttributeValue::N(boundary.ordinal.to_string())]
}

/// The attributes besides the key with their values; `None` if the item must not have the attribute.
///
/// Written at `now_ms`, the item expires after `retention`. A tombstone always expires. All columns of the boundary are
/// there, and of the declared `columns` also those that it lacks.
#[must_use]
pub fn encode<'b>(
    boundary: &'b Boundary,
    now_ms: u64,
    retention: Retention,
    columns: &'b SessionColumns,
) -> Vec<(&'b str, Option<AttributeValue>)> {
    let closed = match boundary.status {
        Some(Status::Closed { end, event_count }) => Some((end, event_count)),
        _ => None,
    };
    let kept_seconds = match boundary.status {
        Some(Status::Retracted) => Some(retention.tombstone_seconds()),
        _ => retention.session_seconds(),
    };
    let expires_at = kept_seconds.map(|seconds| now_ms / 1_000 + seconds);
    let Attributes { event_name, event_type, device_type } = &boundary.attributes;
    let mut attributes = vec![
        ("session_timestamp", number(Some(boundary.session_timestamp.ms()))),
        ("session_time", text(Some(&boundary.session_time))),
        (SESSION_ID, text(Some(&boundary.session_id()))),
        ("event_type", text(event_type.as_deref())),
        ("device_type", text(device_type.as_deref())),
        ("event_name", text(event_name.as_deref())),
        ("status", text(boundary.status.map(Status::word))),
        ("session_end", number(closed.map(|(end, _)| end.ms()))),
        ("duration_ms", number(closed.map(|(end, _)| end.ms_since(boundary.session_timestamp)))),
        ("event_count", number(closed.map(|(_, event_count)| event_count))),
        (VERSION, number(Some(boundary.version.number()))),
        (EXPIRES_AT, number(expires_at)),
    ];
    let NamedColumns { values, partial } = &boundary.columns;
    attributes.extend(values.iter().map(|(name, value)| (name.as_str(), Some(column(value)))));
    let is_lacking = |name: &&str| values.iter().all(|(other, _)| other != name);
    attributes.extend(columns.names().filter(is_lacking).map(|name| (name, None)));
    if !partial.is_empty() || !columns.is_empty() {
        let names = || partial.iter().map(|name| AttributeValue::S(name.to_string())).collect();
        attributes.push((PARTIAL, (!partial.is_empty()).then(|| AttributeValue::L(names()))));
    }
    attributes
}

fn column(value: &PublishedValue) -> AttributeValue {
    match value {
        PublishedValue::Text(text) => AttributeValue::S(text.to_string()),
        PublishedValue::Number(number) => AttributeValue::N(number.to_string()),
        PublishedValue::Flag(flag) => AttributeValue::Bool(*flag),
    }
}

/// The version of the session in `item`.
///
/// # Errors
/// If `item` has no version, because something else wrote it.
pub fn version(item: &Item) -> Result<Version, SessionItemError> {
    Ok(Version::new(required_number(item, VERSION)?))
}

/// An item that is not a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("attribute {name} is missing or invalid")]
pub struct SessionItemError {
    name: &'static str,
}

impl SessionItemError {
    /// An item without a version to compare.
    #[must_use]
    pub fn no_version() -> Self {
        Self { name: VERSION }
    }
}

/// Decodes the session in `item` as its newest boundary.
///
/// # Errors
/// If an attribute is missing or differs in type from what [`encode`] writes, or the id is not that of the key.
pub fn decode(item: &Item) -> Result<Boundary, SessionItemError> {
    let status = match optional_text(item, "status")?.as_deref() {
        None => None,
        Some("open") => Some(Status::Open),
        Some("retracted") => Some(Status::Retracted),
        Some("closed") => Some(Status::Closed {
            end: required_time(item, "session_end")?,
            event_count: required_number(item, "event_count")?,
        }),
        Some(_) => return Err(SessionItemError { name: "status" }),
    };
    let boundary = Boundary {
        user_id: UserId::new(required_text(item, USER_ID)?).map_err(|_| SessionItemError { name: USER_ID })?,
        ordinal: required_number(item, ORDINAL)?,
        session_timestamp: required_time(item, "session_timestamp")?,
        session_time: required_text(item, "session_time")?,
        attributes: Attributes {
            event_name: optional_text(item, "event_name")?.map(Into::into),
            event_type: optional_text(item, "event_type")?.map(Into::into),
            device_type: optional_text(item, "device_type")?.map(Into::into),
        },
        columns: columns_of(item),
        status,
        version: version(item)?,
    };
    if required_text(item, SESSION_ID)? != boundary.session_id() {
        return Err(SessionItemError { name: SESSION_ID });
    }
    Ok(boundary)
}

/// The columns of an item, sorted by name: any attribute that can be one.
fn columns_of(item: &Item) -> NamedColumns {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) => Some(PublishedValue::Text(text.into())),
        AttributeValue::N(digits) => Number::parse_sum(digits).map(PublishedValue::Number),
        AttributeValue::Bool(flag) => Some(PublishedValue::Flag(*flag)),
        _ => None,
    };
    let column = |(name, raw): (&String, &AttributeValue)| Some((SmolStr::from(name), value(raw)?));
    let mut values: Vec<_> = item.iter().filter(|(name, _)| is_column_name(name)).filter_map(column).collect();
    values.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let partial = item.get(PARTIAL).and_then(|names| names.as_l().ok()).into_iter().flatten();
    let partial = partial.filter_map(|name| name.as_s().ok()).map(SmolStr::from).collect();
    NamedColumns { values, partial }
}

fn text(value: Option<&str>) -> Option<AttributeValue> {
    value.map(|value| AttributeValue::S(value.to_owned()))
}

fn number(value: Option<u64>) -> Option<AttributeValue> {
    value.map(|value| AttributeValue::N(value.to_string()))
}

fn optional_text(item: &Item, name: &'static str) -> Result<Option<String>, SessionItemError> {
    let value = item.get(name).map(|value| value.as_s().cloned());
    value.transpose().map_err(|_| SessionItemError { name })
}

fn required_text(item: &Item, name: &'static str) -> Result<String, SessionItemError> {
    optional_text(item, name)?.ok_or(SessionItemError { name })
}

fn required_number(item: &Item, name: &'static str) -> Result<u64, SessionItemError> {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).ok_or(SessionItemError { name })
}

fn required_time(item: &Item, name: &'static str) -> Result<EventTime, SessionItemError> {
    EventTime::from_ms(required_number(item, name)?).ok_or(SessionItemError { name })
}
