//! The types whose postcard bytes are stored. Changing a field, its type or the order of fields or variants changes the
//! format: that needs a new format byte in [`crate::state_log_codec`], and code that still reads the present one.
//!
//! Times are relative to one another, because a variable-length integer is short if it is small, and because what is
//! often the same compresses well. Elsewhere are texts of users and sessions ([`crate::state_log_texts`]), and columns
//! ([`crate::state_log_columns`]).

use serde::{Deserialize, Serialize};
use shared::boundary::Version;
use shared::event_time::EventTime;
use shared::limits::END_OF_EVENT_TIME_MS;
use shared::sequence_number::SequenceNumber;
use shared::session::{Session, Status, TouchedSession};
use shared::session_window::SessionWindow;

use crate::state_log_codec::Fault;
use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, OutboxEntry, Position, ShardKey, UserEntry};
use crate::state_log_texts::{TextsIn, TextsOut, WireAttributes};

/// Bits of [`WireUser::flags`].
const TOLD_CLOSED: u8 = 1;
const HAS_ITEM: u8 = 2;

const AN_EVENT_TIME: &str = "a time from 1970 to 9999 in Unix milliseconds";
const _: () = assert!(END_OF_EVENT_TIME_MS == 253_402_300_800_000, "the text above says so");

/// All of a commit but its user ids.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireCommit<'a> {
    #[serde(borrow)]
    pub(crate) attributes: Vec<WireAttributes<'a>>,
    #[serde(borrow)]
    pub(crate) entries: Vec<WireEntry<'a>>,
}

/// A user at rest. The id is the key of its item.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireRestingUser<'a> {
    #[serde(borrow)]
    pub(crate) attributes: Vec<WireAttributes<'a>>,
    pub(crate) user: WireUser,
}

/// An entry of a commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WireEntry<'a> {
    User(WireUser),
    Cursor {
        shard: &'a str,
        #[serde(borrow)]
        cursor: WireCursor<'a>,
    },
    Swept(WireOutbox),
}

/// A user under way or at rest.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireUser {
    flags: u8,
    first_ordinal: u64,
    /// Since the commit was made.
    arrival: i64,
    /// Since the first session's start.
    left_behind_until: Option<i64>,
    /// The last one first. None of a user who was forgotten.
    sessions: Vec<WireSession>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireSession {
    /// Since the start of the session after this one; of the last one, since the user's arrival.
    end: i64,
    /// From start to end.
    length: u64,
    event_count: u64,
    /// Their place among the commit's.
    attributes: u32,
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
    outbox: WireOutbox,
}

/// The boundaries of one commit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WireOutbox {
    commit: u64,
    version: u64,
    entries: Vec<WireOutboxEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireOutboxEntry {
    ordinal: u64,
    /// Since the time that the outbox' version is.
    start: i64,
    status: WireStatus,
    /// Their place among the commit's.
    attributes: u32,
}

#[derive(Debug, Serialize, Deserialize)]
enum WireStatus {
    Open,
    Closed {
        /// From start to end.
        length: u64,
        event_count: u64,
    },
    Retracted,
}

/// `ms` as a time since `base_ms`. [`absolute`] undoes it, whatever the two are.
pub(crate) fn since(base_ms: u64, ms: u64) -> i64 {
    ms.wrapping_sub(base_ms).cast_signed()
}

pub(crate) fn absolute(base_ms: u64, since: i64) -> u64 {
    base_ms.wrapping_add(since.cast_unsigned())
}

impl<'a> WireEntry<'a> {
    /// `None` if the key and the value are of different kinds.
    pub(crate) fn of(key: &'a LogKey, value: &'a LogValue, made_ms: u64, texts: &mut TextsOut<'a>) -> Option<Self> {
        match (key, value) {
            (LogKey::User(user_id), LogValue::User(user)) => {
                texts.push_user_id(user_id);
                Some(Self::User(WireUser::of(user, made_ms, texts)))
            }
            (LogKey::Origin(Origin::Shard(shard)), LogValue::Cursor(cursor)) => {
                Some(Self::Cursor { shard: shard.as_str(), cursor: WireCursor::of(cursor, made_ms, texts) })
            }
            (LogKey::Origin(Origin::Sweep), LogValue::Swept(outbox)) => {
                Some(Self::Swept(WireOutbox::of(outbox, texts)))
            }
            (LogKey::User(_) | LogKey::Origin(_), _) => None,
        }
    }

    pub(crate) fn into_entry(self, made_ms: u64, texts: &mut TextsIn<'_>) -> Result<(LogKey, LogValue), Fault> {
        Ok(match self {
            Self::User(user) => (LogKey::User(texts.next_user_id()?), LogValue::User(user.into_user(made_ms, texts)?)),
            Self::Cursor { shard, cursor } => {
                let origin = Origin::Shard(ShardKey::new(shard));
                (LogKey::Origin(origin), LogValue::Cursor(cursor.into_cursor(made_ms, texts)?))
            }
            Self::Swept(outbox) => (LogKey::Origin(Origin::Sweep), LogValue::Swept(outbox.into_outbox(texts)?)),
        })
    }
}

impl WireUser {
    pub(crate) fn of<'a>(user: &'a UserEntry, made_ms: u64, texts: &mut TextsOut<'a>) -> Self {
        let UserEntry { window, arrival_ms, has_item } = user;
        let SessionWindow { first_ordinal, sessions, left_behind_until_ms, told_closed } = window;
        let first_start_ms = sessions.first().map_or(0, |first| first.start.ms());
        let mut base_ms = *arrival_ms;
        let session = |session: &'a Session| {
            let Session { start, end, event_count, attributes, columns } = session;
            texts.columns.push_session(columns, *start, *end);
            let wire = WireSession {
                end: since(base_ms, end.ms()),
                length: end.ms().wrapping_sub(start.ms()),
                event_count: *event_count,
                attributes: texts.place_of(attributes),
            };
            base_ms = start.ms();
            wire
        };
        Self {
            flags: if *told_closed { TOLD_CLOSED } else { 0 } | if *has_item { HAS_ITEM } else { 0 },
            first_ordinal: *first_ordinal,
            arrival: since(made_ms, *arrival_ms),
            left_behind_until: left_behind_until_ms.map(|until_ms| since(first_start_ms, until_ms)),
            sessions: sessions.iter().rev().map(session).collect(),
        }
    }

    pub(crate) fn into_user(self, made_ms: u64, texts: &mut TextsIn<'_>) -> Result<UserEntry, Fault> {
        let Self { flags, first_ordinal, arrival, left_behind_until, sessions: wire } = self;
        if flags > TOLD_CLOSED | HAS_ITEM {
            return Err(Fault::of("flags", flags, "0 to 3"));
        }
        let arrival_ms = absolute(made_ms, arrival);
        if wire.is_empty() {
            return match (flags, first_ordinal, left_behind_until) {
                (TOLD_CLOSED, 0, None) => Ok(UserEntry::forgotten(arrival_ms)),
                _ => Err(Fault::of("number of sessions", 0, "1 or more, unless nothing else is known of the user")),
            };
        }
        let mut sessions: Vec<Session> = Vec::with_capacity(wire.len());
        for wire in wire {
            let session = match sessions.last() {
                None => wire.into_session(arrival_ms, texts)?,
                Some(_) if wire.end > 0 => {
                    return Err(Fault::of("end", wire.end, "0 or less since the start of the session after it"));
                }
                Some(next) => wire.into_session(next.start.ms(), texts)?,
            };
            sessions.push(session);
        }
        sessions.reverse();
        let first_start_ms = sessions.first().map_or(0, |first| first.start.ms());
        Ok(UserEntry {
            window: SessionWindow {
                first_ordinal,
                sessions,
                left_behind_until_ms: left_behind_until.map(|until| absolute(first_start_ms, until)),
                told_closed: flags & TOLD_CLOSED != 0,
            },
            arrival_ms,
            has_item: flags & HAS_ITEM != 0,
        })
    }
}

impl WireSession {
    fn into_session(self, base_ms: u64, texts: &mut TextsIn<'_>) -> Result<Session, Fault> {
        let Self { end, length, event_count, attributes } = self;
        let end = event_time("end", absolute(base_ms, end))?;
        let start = start_of(end, length)?;
        Ok(Session {
            start,
            end,
            event_count: count(event_count)?,
            attributes: texts.attributes_at(attributes)?,
            columns: texts.columns.next_session(start, end)?,
        })
    }
}

impl<'a> WireCursor<'a> {
    fn of(cursor: &'a Cursor, commit_made_ms: u64, texts: &mut TextsOut<'a>) -> Self {
        let Cursor { position: Position { sequence_number, place }, arrival_ms, made_ms, outbox } = cursor;
        Self {
            sequence_number: sequence_number.as_str(),
            place: *place,
            arrival: since(commit_made_ms, *arrival_ms),
            made: since(commit_made_ms, *made_ms),
            outbox: WireOutbox::of(outbox, texts),
        }
    }

    fn into_cursor(self, commit_made_ms: u64, texts: &mut TextsIn<'_>) -> Result<Cursor, Fault> {
        let sequence_number = SequenceNumber::parse(self.sequence_number)
            .map_err(|_| Fault::of("sequence number", format_args!("{:?}", self.sequence_number), "1 to 129 digits"))?;
        Ok(Cursor {
            position: Position { sequence_number, place: self.place },
            arrival_ms: absolute(commit_made_ms, self.arrival),
            made_ms: absolute(commit_made_ms, self.made),
            outbox: self.outbox.into_outbox(texts)?,
        })
    }
}

impl WireOutbox {
    fn of<'a>(outbox: &'a Outbox, texts: &mut TextsOut<'a>) -> Self {
        let Outbox { commit, version, entries } = outbox;
        let version = version.number();
        let entries = entries.iter().map(|entry| WireOutboxEntry::of(entry, version, texts)).collect();
        Self { commit: *commit, version, entries }
    }

    fn into_outbox(self, texts: &mut TextsIn<'_>) -> Result<Outbox, Fault> {
        let Self { commit, version, entries } = self;
        let entries = entries.into_iter().map(|entry| entry.into_entry(version, texts)).collect::<Result<_, _>>()?;
        Ok(Outbox { commit, version: Version::new(version), entries })
    }
}

impl WireOutboxEntry {
    fn of<'a>(entry: &'a OutboxEntry, version: u64, texts: &mut TextsOut<'a>) -> Self {
        let OutboxEntry { user_id, session: TouchedSession { ordinal, start, attributes, columns, status } } = entry;
        texts.push_user_id(user_id);
        texts.columns.push_published(columns);
        Self {
            ordinal: *ordinal,
            start: since(version, start.ms()),
            status: match status {
                Status::Open => WireStatus::Open,
                Status::Closed { end, event_count } => {
                    WireStatus::Closed { length: end.ms().wrapping_sub(start.ms()), event_count: *event_count }
                }
                Status::Retracted => WireStatus::Retracted,
            },
            attributes: texts.place_of(attributes),
        }
    }

    fn into_entry(self, version: u64, texts: &mut TextsIn<'_>) -> Result<OutboxEntry, Fault> {
        let Self { ordinal, start, status, attributes } = self;
        let start = event_time("start", absolute(version, start))?;
        let status = match status {
            WireStatus::Open => Status::Open,
            WireStatus::Closed { length, event_count } => Status::Closed {
                end: event_time("end", start.ms().saturating_add(length))?,
                event_count: count(event_count)?,
            },
            WireStatus::Retracted => Status::Retracted,
        };
        let user_id = texts.next_user_id()?;
        let attributes = texts.attributes_at(attributes)?;
        let session = TouchedSession { ordinal, start, attributes, columns: texts.columns.next_published()?, status };
        Ok(OutboxEntry { user_id, session })
    }
}

fn event_time(field: &'static str, ms: u64) -> Result<EventTime, Fault> {
    EventTime::from_ms(ms).ok_or_else(|| Fault::of(field, ms, AN_EVENT_TIME))
}

fn start_of(end: EventTime, length: u64) -> Result<EventTime, Fault> {
    let start = end.ms().checked_sub(length).and_then(EventTime::from_ms);
    start.ok_or_else(|| Fault::of("length", length, "the time from a start in 1970 or later to the end"))
}

fn count(event_count: u64) -> Result<u64, Fault> {
    if event_count == 0 { Err(Fault::of("event_count", event_count, "1 or more")) } else { Ok(event_count) }
}
