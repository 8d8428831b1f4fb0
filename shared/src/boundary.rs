//! A session boundary: the message that the sessionizer publishes to session-stream and the sink stores.
//!
//! The order of the JSON keys is part of the contract (design, section 2). The sink also accepts the six-key boundary
//! of the Flink job that this pipeline replaces; it has no status, and its version is 0.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Serialize;

use crate::attributes::Attributes;
use crate::click::decode_user_id;
use crate::columns::declaration::SessionColumns;
use crate::columns::named::NamedColumns;
use crate::event_time::EventTime;
use crate::fields::{Field, Object, Wording, absent, mistyped, not_unicode};
use crate::limits::{MAX_SAFE_INTEGER, MAX_SESSION_TIME_BYTES};
use crate::path_tree::PathTree;
use crate::rejection::{FieldFault, Rejection};
use crate::session::{Status, TouchedSession};
use crate::shown;
use crate::timestamp_faults::event_time;
use crate::user_id::UserId;

/// The version of the user's state that produced a boundary. Every commit of the user increases it; 0 is older than any
/// commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of a boundary without one, as the Flink job wrote.
    pub const NONE: Self = Self(0);

    /// The version with this number.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// The version's number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }

    /// The version of the commit that follows `self`: the current time, or `self` plus one if that is not later.
    ///
    /// Using the time keeps versions growing even if the state table is lost and recreated (design, section 3).
    #[must_use]
    pub fn next(self, now_ms: u64) -> Self {
        Self((self.0 + 1).max(now_ms))
    }
}

/// One session at one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The session's user.
    pub user_id: UserId,
    /// The session's index among its user's, from 0 to [`MAX_SAFE_INTEGER`].
    pub ordinal: u64,
    /// Event time of its first click.
    pub session_timestamp: EventTime,
    /// The same as text. This pipeline writes UTC in whole seconds; the Flink job's text is kept unchanged.
    pub session_time: String,
    /// The attributes of its first click.
    pub attributes: Attributes,
    /// The declared columns that have a value.
    pub columns: NamedColumns,
    /// The session's status; `None` in a boundary of the Flink job.
    pub status: Option<Status>,
    /// Of a session's boundaries, the one with the highest version wins.
    pub version: Version,
}

impl Boundary {
    /// The boundary of `session` of `user_id` at `version`, with the names of `columns`.
    #[must_use]
    pub fn of(user_id: &UserId, session: TouchedSession, columns: &SessionColumns, version: Version) -> Self {
        Self {
            user_id: user_id.clone(),
            ordinal: session.ordinal,
            session_timestamp: session.start,
            session_time: session.start.to_utc_text(),
            attributes: session.attributes,
            columns: NamedColumns::new(columns, session.columns),
            status: Some(session.status),
            version,
        }
    }

    /// The user id, `_` and the ordinal. Cut at its last `_`, it gives both back.
    #[must_use]
    pub fn session_id(&self) -> String {
        format!("{}_{}", self.user_id, self.ordinal)
    }

    /// The boundary as compact JSON.
    ///
    /// # Errors
    /// None in practice: the fields are strings and integers, which JSON can always represent.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self.to_row(Some(self.version)))
    }

    /// The contract's keys in order, ending with `version` if given.
    #[must_use]
    pub fn to_row(&self, version: Option<Version>) -> BoundaryRow<'_> {
        let (session_end, event_count) = match self.status {
            Some(Status::Closed { end, event_count }) => (Some(end), Some(event_count)),
            _ => (None, None),
        };
        let Attributes { event_name, event_type, device_type } = &self.attributes;
        BoundaryRow {
            user_id: self.user_id.as_str(),
            session_timestamp: self.session_timestamp.ms(),
            session_time: &self.session_time,
            session_id: self.session_id(),
            event_type: event_type.as_deref(),
            device_type: device_type.as_deref(),
            event_name: event_name.as_deref(),
            status: self.status.map(Status::word),
            session_end: session_end.map(EventTime::ms),
            duration_ms: session_end.map(|end| end.ms_since(self.session_timestamp)),
            event_count,
            columns: &self.columns,
            version: version.map(Version::number),
        }
    }
}

impl Status {
    /// The status as spelled in boundaries and in the sessions table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed { .. } => "closed",
            Self::Retracted => "retracted",
        }
    }
}

/// A boundary's JSON object. The order of the fields is the contract's order of keys.
#[derive(Debug, Serialize)]
pub struct BoundaryRow<'a> {
    user_id: &'a str,
    session_timestamp: u64,
    session_time: &'a str,
    session_id: String,
    event_type: Option<&'a str>,
    device_type: Option<&'a str>,
    event_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_end: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_count: Option<u64>,
    #[serde(flatten)]
    columns: &'a NamedColumns,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

const USER_ID: &str = "user_id";
const SESSION_TIMESTAMP: &str = "session_timestamp";
const SESSION_TIME: &str = "session_time";
const SESSION_ID: &str = "session_id";
const EVENT_TYPE: &str = "event_type";
const DEVICE_TYPE: &str = "device_type";
const EVENT_NAME: &str = "event_name";
const STATUS: &str = "status";
const SESSION_END: &str = "session_end";
const DURATION_MS: &str = "duration_ms";
const EVENT_COUNT: &str = "event_count";
const VERSION: &str = "version";

/// The slot of fields that are not the contract's, behind those that are.
const OTHERS_SLOT: usize = 12;

static FIELDS: LazyLock<PathTree> = LazyLock::new(|| {
    PathTree::of_contract(&[
        USER_ID,
        SESSION_TIMESTAMP,
        SESSION_TIME,
        SESSION_ID,
        EVENT_TYPE,
        DEVICE_TYPE,
        EVENT_NAME,
        STATUS,
        SESSION_END,
        EVENT_COUNT,
        VERSION,
        DURATION_MS,
    ])
    .with_others(OTHERS_SLOT)
});

impl Boundary {
    /// Decodes a boundary from the bytes of a record.
    ///
    /// `duration_ms` is ignored: start and end determine it. A bad attribute never rejects the session: attributes from
    /// other producers are adjusted like a click's, but not counted. Placeholder users are accepted: by now, the people
    /// behind them cannot be told apart.
    ///
    /// # Errors
    /// A [`Rejection`] that names the field, its value and its limit.
    pub fn decode(data: &[u8]) -> Result<Self, Rejection> {
        let Object { values, json } = Object::read(data, &FIELDS, Wording::ONE_OBJECT)?;
        let [
            user_id,
            timestamp,
            session_time,
            session_id,
            event_type,
            device_type,
            event_name,
            status,
            session_end,
            event_count,
            version,
            _, // duration_ms
            others,
        ] = values.map(Field::of);
        let user_id = decode_user_id(USER_ID.into(), user_id, &json)?;
        let session_timestamp = required_time(SESSION_TIMESTAMP, timestamp)?;
        let session_time = decode_session_time(session_time)?;
        let ordinal = decode_ordinal(&required_text(SESSION_ID, session_id)?, &user_id)?;
        let mut adjusted = 0;
        let attributes = Attributes {
            event_type: event_type.into_attribute(&mut adjusted),
            device_type: device_type.into_attribute(&mut adjusted),
            event_name: event_name.into_attribute(&mut adjusted),
        };
        let mut columns = NamedColumns::default();
        let (status, version) = match optional_text(STATUS, status)? {
            None => (None, Version::NONE),
            Some(word) => {
                if !matches!(others, Field::Missing) {
                    columns = NamedColumns::decode(json.others(&FIELDS));
                }
                let status = decode_status(&word, session_timestamp, session_end, event_count)?;
                (Some(status), Version(required_integer(VERSION, version)?))
            }
        };
        Ok(Self { user_id, ordinal, session_timestamp, session_time, attributes, columns, status, version })
    }
}

fn decode_session_time(field: Field<'_>) -> Result<String, Rejection> {
    let text = required_text(SESSION_TIME, field)?;
    if text.len() > MAX_SESSION_TIME_BYTES {
        let (bytes, start) = (text.len(), shown::string(&text));
        let message =
            format!("{SESSION_TIME} has {bytes} bytes, more than the limit of {MAX_SESSION_TIME_BYTES}: {start}");
        return Err(Rejection::of_field(SESSION_TIME, FieldFault::TooLong, message));
    }
    Ok(text.into_owned())
}

/// The ordinal in `session_id`. Leading zeros are rejected: `u_01` would be a second name of `u_1`.
fn decode_ordinal(session_id: &str, user_id: &UserId) -> Result<u64, Rejection> {
    let digits = session_id.strip_prefix(user_id.as_str()).and_then(|rest| rest.strip_prefix('_'));
    let is_canonical =
        |digits: &&str| digits.bytes().all(|it| it.is_ascii_digit()) && (*digits == "0" || !digits.starts_with('0'));
    let ordinal = digits.filter(is_canonical).and_then(|digits| digits.parse().ok());
    ordinal.filter(|ordinal| *ordinal <= MAX_SAFE_INTEGER).ok_or_else(|| {
        let message = format!(
            "{SESSION_ID} is {}, expected the user_id {}, _ and the session's number from 0 to {MAX_SAFE_INTEGER}",
            shown::string(session_id),
            shown::string(user_id.as_str())
        );
        Rejection::of_field(SESSION_ID, FieldFault::NotUserAndOrdinal, message)
    })
}

fn decode_status(
    word: &str,
    start: EventTime,
    session_end: Field<'_>,
    event_count: Field<'_>,
) -> Result<Status, Rejection> {
    match word {
        "open" => Ok(Status::Open),
        "retracted" => Ok(Status::Retracted),
        "closed" => {
            let end = required_time(SESSION_END, session_end)?;
            if end < start {
                let message = format!("session_end is {}, which is before session_timestamp {}", end.ms(), start.ms());
                return Err(Rejection::of_field(SESSION_END, FieldFault::OutOfRange, message));
            }
            Ok(Status::Closed { end, event_count: required_integer(EVENT_COUNT, event_count)? })
        }
        word => {
            let message = format!("status is {}, expected open, closed or retracted", shown::string(word));
            Err(Rejection::of_field(STATUS, FieldFault::Unknown, message))
        }
    }
}

fn required_text<'a>(name: &'static str, field: Field<'a>) -> Result<Cow<'a, str>, Rejection> {
    let text = optional_text(name, field)?.ok_or_else(|| absent(name.into(), FieldFault::Missing))?;
    if text.is_empty() {
        return Err(Rejection::of_field(name, FieldFault::Empty, format!("{name} is empty")));
    }
    Ok(text)
}

fn optional_text<'a>(name: &'static str, field: Field<'a>) -> Result<Option<Cow<'a, str>>, Rejection> {
    match field {
        Field::Missing | Field::Null => Ok(None),
        Field::Text(text) => Ok(Some(text)),
        Field::NotUnicode(raw) => Err(not_unicode(name.into(), raw)),
        Field::Integer(_) | Field::Scalar(_) | Field::Composite(_) => Err(mistyped(name.into(), &field, "a string")),
    }
}

fn required_time(name: &'static str, field: Field<'_>) -> Result<EventTime, Rejection> {
    event_time(name.into(), required_digits(name, &field)?)
}

fn required_integer(name: &'static str, field: Field<'_>) -> Result<u64, Rejection> {
    let digits = required_digits(name, &field)?;
    digits.parse().ok().filter(|number| *number <= MAX_SAFE_INTEGER).ok_or_else(|| {
        let message = format!("{name} is {}, expected an integer from 0 to {MAX_SAFE_INTEGER}", shown::json(digits));
        Rejection::of_field(name, FieldFault::OutOfRange, message)
    })
}

fn required_digits<'a>(name: &'static str, field: &'a Field<'_>) -> Result<&'a str, Rejection> {
    match field {
        Field::Integer(digits) => Ok(digits),
        Field::Missing => Err(absent(name.into(), FieldFault::Missing)),
        Field::Null => Err(absent(name.into(), FieldFault::Null)),
        Field::Text(_) | Field::NotUnicode(_) | Field::Scalar(_) | Field::Composite(_) => {
            let message = format!("{name} is {}, expected an integer", field.shown());
            Err(Rejection::of_field(name, FieldFault::NotAnInteger, message))
        }
    }
}

#[cfg(test)]
#[path = "boundary_tests.rs"]
mod tests;
