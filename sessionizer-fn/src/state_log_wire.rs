//! The types whose postcard bytes are stored. Changing a field, its type or the order of fields or variants changes the
//! format: that needs a new format byte in [`crate::state_log_codec`], and code that still reads the present one.
//!
//! Times are relative to one another, because a variable-length integer is short if it is small.

use serde::{Deserialize, Serialize};
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::limits::{END_OF_EVENT_TIME_MS, MAX_USER_ID_CHARS};
use shared::sequence_number::SequenceNumber;
use shared::session::{Session, Status, TouchedSession};
use shared::session_window::SessionWindow;
use shared::user_id::{InvalidUserId, UserId};

use crate::state_log_codec::Fault;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, OutboxEntry, Position, ShardKey, UserEntry};

/// Bits of [`WireUser::flags`].
const TOLD_CLOSED: u8 = 1;
const HAS_ITEM: u8 = 2;

const AN_EVENT_TIME: &str = "a time from 1970 to 9999 in Unix milliseconds";
const _: () = assert!(END_OF_EVENT_TIME_MS == 253_402_300_800_000, "the text above says so");

/// An entry of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WireEntry<'a> {
    User {
        user_id: &'a str,
        #[serde(borrow)]
        user: WireUser<'a>,
    },
    Cursor {
        shard: &'a str,
        #[serde(borrow)]
        cursor: WireCursor<'a>,
    },
    Swept(#[serde(borrow)] WireOutbox<'a>),
}

/// A user under way or at rest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireUser<'a> {
    flags: u8,
    first_ordinal: u64,
    /// Since the commit was made.
    arrival: i64,
    /// Since the first session's start.
    left_behind_until: Option<i64>,
    #[serde(borrow)]
    sessions: Vec<WireSession<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSession<'a> {
    /// Since the end of the session before; of the first since the user's arrival.
    start: i64,
    /// Since the start.
    end: u64,
    event_count: u64,
    #[serde(borrow)]
    attributes: WireAttributes<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireAttributes<'a> {
    event_name: Option<&'a str>,
    event_type: Option<&'a str>,
    device_type: Option<&'a str>,
}

/// How far a shard's records have been applied.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireCursor<'a> {
    sequence_number: &'a str,
    place: u32,
    /// Since the commit was made.
    arrival: i64,
    /// When the commit was made that moved the cursor, since this one was.
    made: i64,
    #[serde(borrow)]
    outbox: WireOutbox<'a>,
}

/// The boundaries of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireOutbox<'a> {
    commit: u64,
    version: u64,
    #[serde(borrow)]
    entries: Vec<WireOutboxEntry<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireOutboxEntry<'a> {
    user_id: &'a str,
    ordinal: u64,
    /// Since the time that the outbox' version is.
    start: i64,
    status: WireStatus,
    #[serde(borrow)]
    attributes: WireAttributes<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
enum WireStatus {
    Open,
    /// The end is relative to the start.
    Closed {
        end: u64,
        event_count: u64,
    },
    Retracted,
}

/// `ms` as a time since `base_ms`. [`absolute`] undoes it, whatever the two are.
pub(crate) fn since(base_ms: u64, ms: u64) -> i64 {
    ms.wrapping_sub(base_ms).cast_signed()
}

fn absolute(base_ms: u64, since: i64) -> u64 {
    base_ms.wrapping_add(since.cast_unsigned())
}

impl<'a> WireEntry<'a> {
    /// `None` if the key and the value are of different kinds.
    pub(crate) fn of(key: &'a LogKey, value: &'a LogValue, made_ms: u64) -> Option<Self> {
        match (key, value) {
            (LogKey::User(user_id), LogValue::User(user)) => {
                Some(Self::User { user_id: user_id.as_str(), user: WireUser::of(user, made_ms) })
            }
            (LogKey::Origin(Origin::Shard(shard)), LogValue::Cursor(cursor)) => {
                Some(Self::Cursor { shard: shard.as_str(), cursor: WireCursor::of(cursor, made_ms) })
            }
            (LogKey::Origin(Origin::Sweep), LogValue::Swept(outbox)) => Some(Self::Swept(WireOutbox::of(outbox))),
            (LogKey::User(_) | LogKey::Origin(_), _) => None,
        }
    }

    pub(crate) fn into_entry(self, made_ms: u64) -> Result<(LogKey, LogValue), Fault> {
        Ok(match self {
            Self::User { user_id, user } => (LogKey::User(id(user_id)?), LogValue::User(user.into_user(made_ms)?)),
            Self::Cursor { shard, cursor } => {
                let origin = Origin::Shard(ShardKey::new(shard));
                (LogKey::Origin(origin), LogValue::Cursor(cursor.into_cursor(made_ms)?))
            }
            Self::Swept(outbox) => (LogKey::Origin(Origin::Sweep), LogValue::Swept(outbox.into_outbox()?)),
        })
    }
}

impl<'a> WireUser<'a> {
    pub(crate) fn of(user: &'a UserEntry, made_ms: u64) -> Self {
        let UserEntry { window, arrival_ms, has_item } = user;
        let SessionWindow { first_ordinal, sessions, left_behind_until_ms, told_closed } = window;
        let first_start_ms = sessions.first().map_or(0, |first| first.start.ms());
        let mut base_ms = *arrival_ms;
        let session = |session: &'a Session| {
            let wire = WireSession::of(session, base_ms);
            base_ms = session.end.ms();
            wire
        };
        Self {
            flags: if *told_closed { TOLD_CLOSED } else { 0 } | if *has_item { HAS_ITEM } else { 0 },
            first_ordinal: *first_ordinal,
            arrival: since(made_ms, *arrival_ms),
            left_behind_until: left_behind_until_ms.map(|until_ms| since(first_start_ms, until_ms)),
            sessions: sessions.iter().map(session).collect(),
        }
    }

    pub(crate) fn into_user(self, made_ms: u64) -> Result<UserEntry, Fault> {
        let Self { flags, first_ordinal, arrival, left_behind_until, sessions } = self;
        if flags > TOLD_CLOSED | HAS_ITEM {
            return Err(fault("flags", flags, "0 to 3"));
        }
        let arrival_ms = absolute(made_ms, arrival);
        let mut decoded: Vec<Session> = Vec::with_capacity(sessions.len());
        for wire in sessions {
            let session = match decoded.last() {
                None => wire.into_session(arrival_ms)?,
                Some(_) if wire.start < 0 => {
                    return Err(fault("start", wire.start, "0 or more since the end of the session before"));
                }
                Some(before) => wire.into_session(before.end.ms())?,
            };
            decoded.push(session);
        }
        let Some(first) = decoded.first() else { return Err(fault("number of sessions", 0, "1 or more")) };
        let first_start_ms = first.start.ms();
        Ok(UserEntry {
            window: SessionWindow {
                first_ordinal,
                sessions: decoded,
                left_behind_until_ms: left_behind_until.map(|until| absolute(first_start_ms, until)),
                told_closed: flags & TOLD_CLOSED != 0,
            },
            arrival_ms,
            has_item: flags & HAS_ITEM != 0,
        })
    }
}

impl<'a> WireSession<'a> {
    fn of(session: &'a Session, base_ms: u64) -> Self {
        let Session { start, end, event_count, attributes } = session;
        Self {
            start: since(base_ms, start.ms()),
            end: end.ms().wrapping_sub(start.ms()),
            event_count: *event_count,
            attributes: WireAttributes::of(attributes),
        }
    }

    fn into_session(self, base_ms: u64) -> Result<Session, Fault> {
        let start = event_time("start", absolute(base_ms, self.start))?;
        Ok(Session {
            start,
            end: event_time("end", start.ms().saturating_add(self.end))?,
            event_count: count(self.event_count)?,
            attributes: self.attributes.into_attributes(),
        })
    }
}

impl<'a> WireAttributes<'a> {
    fn of(attributes: &'a Attributes) -> Self {
        let Attributes { event_name, event_type, device_type } = attributes;
        Self {
            event_name: event_name.as_deref(),
            event_type: event_type.as_deref(),
            device_type: device_type.as_deref(),
        }
    }

    fn into_attributes(self) -> Attributes {
        let Self { event_name, event_type, device_type } = self;
        Attributes {
            event_name: event_name.map(Into::into),
            event_type: event_type.map(Into::into),
            device_type: device_type.map(Into::into),
        }
    }
}

impl<'a> WireCursor<'a> {
    fn of(cursor: &'a Cursor, commit_made_ms: u64) -> Self {
        let Cursor { position: Position { sequence_number, place }, arrival_ms, made_ms, outbox } = cursor;
        Self {
            sequence_number: sequence_number.as_str(),
            place: *place,
            arrival: since(commit_made_ms, *arrival_ms),
            made: since(commit_made_ms, *made_ms),
            outbox: WireOutbox::of(outbox),
        }
    }

    fn into_cursor(self, commit_made_ms: u64) -> Result<Cursor, Fault> {
        let sequence_number = SequenceNumber::parse(self.sequence_number)
            .map_err(|_| fault("sequence number", format_args!("{:?}", self.sequence_number), "1 to 129 digits"))?;
        Ok(Cursor {
            position: Position { sequence_number, place: self.place },
            arrival_ms: absolute(commit_made_ms, self.arrival),
            made_ms: absolute(commit_made_ms, self.made),
            outbox: self.outbox.into_outbox()?,
        })
    }
}

impl<'a> WireOutbox<'a> {
    fn of(outbox: &'a Outbox) -> Self {
        let Outbox { commit, version, entries } = outbox;
        let version = version.number();
        let entries = entries.iter().map(|entry| WireOutboxEntry::of(entry, version)).collect();
        Self { commit: *commit, version, entries }
    }

    fn into_outbox(self) -> Result<Outbox, Fault> {
        let Self { commit, version, entries } = self;
        let entries = entries.into_iter().map(|entry| entry.into_entry(version)).collect::<Result<_, _>>()?;
        Ok(Outbox { commit, version: Version::new(version), entries })
    }
}

impl<'a> WireOutboxEntry<'a> {
    fn of(entry: &'a OutboxEntry, version: u64) -> Self {
        let OutboxEntry { user_id, session: TouchedSession { ordinal, start, attributes, status } } = entry;
        Self {
            user_id: user_id.as_str(),
            ordinal: *ordinal,
            start: since(version, start.ms()),
            status: match status {
                Status::Open => WireStatus::Open,
                Status::Closed { end, event_count } => {
                    WireStatus::Closed { end: end.ms().wrapping_sub(start.ms()), event_count: *event_count }
                }
                Status::Retracted => WireStatus::Retracted,
            },
            attributes: WireAttributes::of(attributes),
        }
    }

    fn into_entry(self, version: u64) -> Result<OutboxEntry, Fault> {
        let Self { user_id, ordinal, start, status, attributes } = self;
        let start = event_time("start", absolute(version, start))?;
        let status = match status {
            WireStatus::Open => Status::Open,
            WireStatus::Closed { end, event_count } => Status::Closed {
                end: event_time("end", start.ms().saturating_add(end))?,
                event_count: count(event_count)?,
            },
            WireStatus::Retracted => Status::Retracted,
        };
        let session = TouchedSession { ordinal, start, attributes: attributes.into_attributes(), status };
        Ok(OutboxEntry { user_id: id(user_id)?, session })
    }
}

fn id(text: &str) -> Result<UserId, Fault> {
    const _: () = assert!(MAX_USER_ID_CHARS == 256, "the text below says so");
    // The value may be a person's name, so only its length is told.
    UserId::new(text).map_err(|error| match error {
        InvalidUserId::Empty => fault("length of user_id", 0, "1 to 256 characters"),
        InvalidUserId::TooLong(text) => fault("length of user_id", text.chars().count(), "1 to 256 characters"),
    })
}

fn event_time(field: &'static str, ms: u64) -> Result<EventTime, Fault> {
    EventTime::from_ms(ms).ok_or_else(|| fault(field, ms, AN_EVENT_TIME))
}

fn count(event_count: u64) -> Result<u64, Fault> {
    if event_count == 0 { Err(fault("event_count", event_count, "1 or more")) } else { Ok(event_count) }
}

fn fault(field: &'static str, value: impl std::fmt::Display, expected: &'static str) -> Fault {
    Fault { field, value: value.to_string(), expected }
}
