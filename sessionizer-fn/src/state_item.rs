//! A user's state as a DynamoDB item, and back.
//!
//! The only place that knows the item's form. An item of another schema version, or one that breaks an invariant of
//! the state, is an error: it is never guessed at and never overwritten.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::limits::MAX_SAFE_INTEGER;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{Session, Status, TouchedSession, UserSessions};
use shared::statements::Item;

use crate::batch::CursorKey;
use crate::state::{Cursor, OutboxEntry, UserState};

/// The schema version this code writes, and the only one it reads.
pub const SCHEMA_VERSION: u64 = 1;

/// The attributes of a state item besides its key, in the order in which [`encode`] gives their values.
pub const ATTRIBUTES: [&str; 6] = ["version", "schema_version", "ordinal", "current", "previous", "cursors"];

/// The name of the key attribute.
pub const KEY: &str = "user_id";

/// The name of the attribute that conditions compare.
pub const VERSION: &str = ATTRIBUTES[0];

/// A state item that this code must not touch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateItemError {
    /// It was written by another version of the sessionizer.
    #[error("schema_version is {0}, this sessionizer knows {SCHEMA_VERSION} only")]
    UnknownSchema(u64),
    /// An attribute is missing, of another type, or not what a state may hold.
    #[error("attribute {path}: {fault}")]
    Attribute {
        /// Where it is in the item.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
}

/// The values of [`ATTRIBUTES`] for `state`, in their order.
#[must_use]
pub fn encode(state: &UserState) -> [AttributeValue; ATTRIBUTES.len()] {
    let cursors = state.cursors.iter().map(|(key, cursor)| (key.as_str().to_owned(), encode_cursor(cursor)));
    [
        number(state.version.number()),
        number(SCHEMA_VERSION),
        number(state.sessions.ordinal),
        encode_session(&state.sessions.current),
        state.sessions.previous.as_ref().map_or(AttributeValue::Null(true), encode_session),
        AttributeValue::M(cursors.collect()),
    ]
}

/// The state that `item` holds.
///
/// # Errors
/// When the item was not written by this version of the sessionizer.
pub fn decode(item: &Item) -> Result<UserState, StateItemError> {
    let root = Fields { path: String::new(), map: item };
    let schema_version = root.number("schema_version")?;
    if schema_version != SCHEMA_VERSION {
        return Err(StateItemError::UnknownSchema(schema_version));
    }
    let ordinal = root.number("ordinal")?;
    let previous = root.optional_map("previous")?.map(|fields| decode_session(&fields)).transpose()?;
    if previous.is_some() && ordinal == 0 {
        return Err(root.fault("previous", "there is none before ordinal 0"));
    }
    let mut cursors = BTreeMap::new();
    let fields = root.map("cursors")?;
    for key in fields.map.keys() {
        cursors.insert(CursorKey::new(key.as_str()), decode_cursor(&fields.map(key)?)?);
    }
    let current = decode_session(&root.map("current")?)?;
    let sessions = UserSessions { ordinal, current, previous };
    Ok(UserState { version: Version::new(root.number(VERSION)?), sessions, cursors })
}

fn encode_session(session: &Session) -> AttributeValue {
    let mut map = HashMap::from([
        ("start".to_owned(), number(session.start.ms())),
        ("end".to_owned(), number(session.end.ms())),
        ("event_count".to_owned(), number(session.event_count)),
    ]);
    encode_attributes(&session.attributes, &mut map);
    AttributeValue::M(map)
}

fn decode_session(fields: &Fields<'_>) -> Result<Session, StateItemError> {
    let (start, end) = (fields.time("start")?, fields.time("end")?);
    if end < start {
        return Err(fields.fault("end", "it is before the start"));
    }
    Ok(Session { start, end, event_count: fields.number("event_count")?, attributes: decode_attributes(fields)? })
}

fn encode_cursor(cursor: &Cursor) -> AttributeValue {
    AttributeValue::M(HashMap::from([
        // Up to 129 digits, and DynamoDB's numbers have 38: a string.
        ("sequence_number".to_owned(), AttributeValue::S(cursor.sequence_number.as_str().to_owned())),
        ("version".to_owned(), number(cursor.version.number())),
        ("outbox".to_owned(), AttributeValue::L(cursor.outbox.iter().map(encode_entry).collect())),
    ]))
}

fn decode_cursor(fields: &Fields<'_>) -> Result<Cursor, StateItemError> {
    let sequence_number = SequenceNumber::parse(fields.text("sequence_number")?)
        .map_err(|error| fields.fault("sequence_number", &error.to_string()))?;
    let outbox = fields.maps("outbox")?.iter().map(decode_entry).collect::<Result<_, _>>()?;
    Ok(Cursor { sequence_number, version: Version::new(fields.number("version")?), outbox })
}

fn encode_entry(entry: &OutboxEntry) -> AttributeValue {
    let session = &entry.session;
    let mut map = HashMap::from([
        ("version".to_owned(), number(entry.version.number())),
        ("ordinal".to_owned(), number(session.ordinal)),
        ("start".to_owned(), number(session.start.ms())),
        ("status".to_owned(), AttributeValue::S(session.status.word().to_owned())),
    ]);
    if let Status::Closed { end, event_count } = session.status {
        map.insert("end".to_owned(), number(end.ms()));
        map.insert("event_count".to_owned(), number(event_count));
    }
    encode_attributes(&session.attributes, &mut map);
    AttributeValue::M(map)
}

fn decode_entry(fields: &Fields<'_>) -> Result<OutboxEntry, StateItemError> {
    let status = match fields.text("status")? {
        "open" => Status::Open,
        "retracted" => Status::Retracted,
        "closed" => Status::Closed { end: fields.time("end")?, event_count: fields.number("event_count")? },
        word => return Err(fields.fault("status", &format!("{word:?} is no status"))),
    };
    let session = TouchedSession {
        ordinal: fields.number("ordinal")?,
        start: fields.time("start")?,
        attributes: decode_attributes(fields)?,
        status,
    };
    Ok(OutboxEntry { version: Version::new(fields.number("version")?), session })
}

fn encode_attributes(attributes: &Attributes, map: &mut HashMap<String, AttributeValue>) {
    let named = [
        ("event_name", &attributes.event_name),
        ("event_type", &attributes.event_type),
        ("device_type", &attributes.device_type),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            map.insert(name.to_owned(), AttributeValue::S(value.clone()));
        }
    }
}

fn decode_attributes(fields: &Fields<'_>) -> Result<Attributes, StateItemError> {
    Ok(Attributes {
        event_name: fields.optional_text("event_name")?,
        event_type: fields.optional_text("event_type")?,
        device_type: fields.optional_text("device_type")?,
    })
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A map within the item, and where it is.
struct Fields<'i> {
    path: String,
    map: &'i HashMap<String, AttributeValue>,
}

impl<'i> Fields<'i> {
    fn fault(&self, name: &str, fault: &str) -> StateItemError {
        StateItemError::Attribute { path: self.path_of(name), fault: fault.to_owned() }
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn required(&self, name: &str) -> Result<&'i AttributeValue, StateItemError> {
        self.map.get(name).ok_or_else(|| self.fault(name, "it is missing"))
    }

    fn number(&self, name: &str) -> Result<u64, StateItemError> {
        let value = self.required(name)?.as_n().ok().and_then(|text| text.parse().ok());
        let value = value.filter(|number| *number <= MAX_SAFE_INTEGER);
        value.ok_or_else(|| self.fault(name, &format!("it is not a whole number from 0 to {MAX_SAFE_INTEGER}")))
    }

    fn time(&self, name: &str) -> Result<EventTime, StateItemError> {
        EventTime::from_ms(self.number(name)?).ok_or_else(|| self.fault(name, "it is after the year 9999"))
    }

    fn text(&self, name: &str) -> Result<&'i str, StateItemError> {
        self.required(name)?.as_s().map(String::as_str).map_err(|_| self.fault(name, "it is not a string"))
    }

    fn optional_text(&self, name: &str) -> Result<Option<String>, StateItemError> {
        if self.map.contains_key(name) { self.text(name).map(|text| Some(text.to_owned())) } else { Ok(None) }
    }

    fn map(&self, name: &str) -> Result<Self, StateItemError> {
        self.optional_map(name)?.ok_or_else(|| self.fault(name, "it is null"))
    }

    fn optional_map(&self, name: &str) -> Result<Option<Self>, StateItemError> {
        match self.required(name)? {
            AttributeValue::M(map) => Ok(Some(Self { path: self.path_of(name), map })),
            AttributeValue::Null(true) => Ok(None),
            _ => Err(self.fault(name, "it is not a map")),
        }
    }

    fn maps(&self, name: &str) -> Result<Vec<Self>, StateItemError> {
        let list = self.required(name)?.as_l().map_err(|_| self.fault(name, "it is not a list"))?;
        let path = |index: usize| format!("{}[{index}]", self.path_of(name));
        let maps = list.iter().enumerate().map(|(index, value)| match value {
            AttributeValue::M(map) => Ok(Self { path: path(index), map }),
            _ => Err(StateItemError::Attribute { path: path(index), fault: "it is not a map".to_owned() }),
        });
        maps.collect()
    }
}

#[cfg(test)]
#[path = "state_item_tests.rs"]
pub(crate) mod tests;
