//! Entries of a state log for tests: typical ones, and any that can occur.

use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use shared::attributes::Attributes;
use shared::boundary::Version;
use shared::columns::declaration::SessionColumns;
use shared::columns::number::Number;
use shared::columns::published::PublishedColumns;
use shared::columns::values::{ColumnValue, ColumnValues, Seen, TextAt};
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session::{Session, Status, TouchedSession};
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use crate::state_log_entry::{Cursor, LogKey, LogValue, Origin, Outbox, OutboxEntry, Position, ShardKey, UserEntry};

/// When the commits of typical entries are made, in Unix milliseconds.
pub(crate) const NOW_MS: u64 = 1_721_390_400_000;

/// After every time that [`entries`] and [`user_entry`] draw: 2,200 years after 1970.
const END_MS: u64 = 1 << 46;

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

pub(crate) fn at(ms: u64) -> EventTime {
    EventTime::from_ms(ms).unwrap()
}

/// A user whose one session started `ago_ms` before [`NOW_MS`].
pub(crate) fn typical_user(ago_ms: u64) -> UserEntry {
    let session = Session {
        start: at(NOW_MS - ago_ms),
        end: at(NOW_MS - ago_ms / 3),
        event_count: 7,
        attributes: typical_attributes(),
        columns: ColumnValues::default(),
    };
    UserEntry {
        window: SessionWindow {
            first_ordinal: 3,
            sessions: vec![session],
            left_behind_until_ms: None,
            told_closed: false,
        },
        arrival_ms: NOW_MS - ago_ms / 3 + 400,
        has_item: true,
    }
}

pub(crate) fn typical_attributes() -> Attributes {
    let text = |text: &str| Some(text.into());
    Attributes { event_name: text("search"), event_type: text("click"), device_type: text("desktop") }
}

/// A cursor at record `number`, with an outbox of `boundaries` boundaries of `commit`.
pub(crate) fn typical_cursor(number: u64, commit: u64, boundaries: usize) -> Cursor {
    let entry = |number: usize| OutboxEntry {
        user_id: user(&format!("user{number:06}")),
        session: TouchedSession {
            ordinal: 4,
            start: at(NOW_MS - 20_000),
            attributes: typical_attributes(),
            columns: PublishedColumns::default(),
            status: Status::Closed { end: at(NOW_MS - 11_000), event_count: 5 },
        },
    };
    Cursor {
        position: Position {
            sequence_number: SequenceNumber::parse(format!("{}{number:06}", "4".repeat(50))).unwrap(),
            place: 0,
        },
        arrival_ms: NOW_MS - 500,
        made_ms: NOW_MS,
        outbox: Outbox { commit, version: Version::new(NOW_MS), entries: (0..boundaries).map(entry).collect() },
    }
}

pub(crate) fn shard(name: &str) -> LogKey {
    LogKey::Origin(Origin::Shard(ShardKey::new(name)))
}

/// Any entries of a commit that code of this project can make, with distinct keys.
pub(crate) fn entries() -> impl Strategy<Value = Vec<(LogKey, LogValue)>> {
    let user = prop_oneof![6 => user_entry(), 1 => time().prop_map(UserEntry::forgotten)];
    let users = hash_map(user_id().prop_map(LogKey::User), user.prop_map(LogValue::User), 0..6);
    let shards = hash_map("[a-z/-]{1,40}".prop_map(|name| shard(&name)), cursor().prop_map(LogValue::Cursor), 0..3);
    let sweep = option::of(outbox().prop_map(LogValue::Swept));
    (users, shards, sweep).prop_map(|(users, shards, sweep)| {
        let sweep = sweep.map(|outbox| (LogKey::Origin(Origin::Sweep), outbox));
        users.into_iter().chain(shards).chain(sweep).collect()
    })
}

/// Any user that code of this project can make.
pub(crate) fn user_entry() -> impl Strategy<Value = UserEntry> {
    let times = vec(time(), 2..12);
    let rest = vec((number(1), attributes()), 6);
    (times, rest, number(0), option::of(time()), time(), any::<bool>(), any::<bool>()).prop_map(
        |(mut times, rest, first_ordinal, left_behind_until_ms, arrival_ms, told_closed, has_item)| {
            times.sort_unstable();
            let session = |(ends, (event_count, attributes)): (&[u64], _)| Session {
                start: at(ends[0]),
                end: at(ends[1]),
                event_count,
                attributes,
                columns: ColumnValues::default(),
            };
            let sessions = times.chunks_exact(2).zip(rest).map(session).collect();
            let window = SessionWindow { first_ordinal, sessions, left_behind_until_ms, told_closed };
            UserEntry { window, arrival_ms, has_item }
        },
    )
}

/// Any time at which a commit can be made, in Unix milliseconds.
pub(crate) fn time() -> impl Strategy<Value = u64> {
    prop_oneof![NOW_MS - 100_000..NOW_MS, NOW_MS - 100_000..NOW_MS, 0..END_MS]
}

fn cursor() -> impl Strategy<Value = Cursor> {
    ("[0-9]{1,129}", any::<u32>(), time(), time(), outbox()).prop_map(|(digits, place, arrival_ms, made_ms, outbox)| {
        Cursor {
            position: Position { sequence_number: SequenceNumber::parse(digits).unwrap(), place },
            arrival_ms,
            made_ms,
            outbox,
        }
    })
}

fn outbox() -> impl Strategy<Value = Outbox> {
    (number(0), time(), vec(outbox_entry(), 0..5)).prop_map(|(commit, version, entries)| Outbox {
        commit,
        version: Version::new(version),
        entries,
    })
}

fn outbox_entry() -> impl Strategy<Value = OutboxEntry> {
    (user_id(), number(0), time(), status(), attributes()).prop_map(
        |(user_id, ordinal, start_ms, status, attributes)| {
            let status = match status {
                Status::Closed { end, event_count } => Status::Closed { end: at(start_ms + end.ms()), event_count },
                status => status,
            };
            let columns = PublishedColumns::default();
            OutboxEntry {
                user_id,
                session: TouchedSession { ordinal, start: at(start_ms), attributes, columns, status },
            }
        },
    )
}

/// The end of a closed session is relative here.
fn status() -> impl Strategy<Value = Status> {
    let closed = (number(0).prop_map(|length_ms| length_ms % END_MS), number(1))
        .prop_map(|(length_ms, event_count)| Status::Closed { end: at(length_ms), event_count });
    prop_oneof![Just(Status::Open), closed, Just(Status::Retracted)]
}

/// Columns of every kind.
pub(crate) fn declared() -> SessionColumns {
    let declaration =
        "a = first(/a), b = last(/b), c = count(), d = sum(/d), e = min(/e), f = max(/f), g = any(/g = 1)";
    SessionColumns::parse(declaration).unwrap()
}

/// The entries with any values of the [`declared`] columns.
pub(crate) fn entries_with_columns() -> impl Strategy<Value = Vec<(LogKey, LogValue)>> {
    (entries(), vec((column_values(), published_columns()), 1..8)).prop_map(|(mut entries, columns)| {
        let (values, published): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        let (mut values, mut published) = (values.into_iter().cycle(), published.into_iter().cycle());
        for (_, value) in &mut entries {
            let outbox = match value {
                LogValue::User(user) => {
                    let sessions = user.window.sessions.iter_mut();
                    sessions.zip(&mut values).for_each(|(session, values)| session.columns = values);
                    continue;
                }
                LogValue::Cursor(cursor) => &mut cursor.outbox,
                LogValue::Swept(outbox) => outbox,
            };
            outbox.entries.iter_mut().zip(&mut published).for_each(|(entry, columns)| entry.session.columns = columns);
        }
        entries
    })
}

/// Any values of the [`declared`] columns.
pub(crate) fn column_values() -> impl Strategy<Value = ColumnValues> {
    let text =
        || option::of((time(), "[a-zäß🦀]{0,30}").prop_map(|(ms, text)| TextAt { time: at(ms), text: text.into() }));
    let seen = (text(), text(), number(0), column_number(), column_number(), column_number(), any::<bool>());
    (seen, any::<[bool; 7]>()).prop_map(|((first, last, count, sum, min, max, flag), partial)| {
        let seen = [
            Seen::First(first),
            Seen::Last(last),
            Seen::Count(count),
            Seen::Sum(sum),
            Seen::Min(min),
            Seen::Max(max),
            Seen::Any(flag),
        ];
        seen.into_iter().zip(partial).map(|(seen, is_partial)| ColumnValue { seen, is_partial }).collect()
    })
}

/// Those of a boundary: all of a closed one, the first of an open one, or none.
fn published_columns() -> impl Strategy<Value = PublishedColumns> {
    let published = column_values().prop_map(|values| [values.in_closed(), values.in_open()]);
    (published, 0_usize..3).prop_map(|(published, which)| published.get(which).cloned().unwrap_or_default())
}

fn column_number() -> impl Strategy<Value = Option<Number>> {
    let hundredths = (-100_000_i128..100_000).prop_map(|cents| cents * 10_000_000);
    let end = 10_i128.pow(38);
    option::of(prop_oneof![hundredths, -5_i128..5, 1 - end..end].prop_map(|it| Number::from_billionths(it).unwrap()))
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let text = || option::of("[a-zäß🦀]{0,30}".prop_map(Into::into));
    (text(), text(), text()).prop_map(|(event_name, event_type, device_type)| Attributes {
        event_name,
        event_type,
        device_type,
    })
}

fn user_id() -> impl Strategy<Value = UserId> {
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    prop_oneof!["user[0-9]{1,9}", "[a-zäß🦀]{1,60}", uuid].prop_map(|text| user(&text))
}

/// Mostly small numbers, and large ones.
fn number(least: u64) -> impl Strategy<Value = u64> {
    prop_oneof![least..least + 200, least..u64::MAX]
}
