//! Sessions: what the state keeps of one, and what a boundary says about it.

use crate::attributes::Attributes;
use crate::click::Click;
use crate::columns::published::PublishedColumns;
use crate::columns::values::ColumnValues;
use crate::event_time::EventTime;
use crate::merging::Merging;

/// The inactivity that starts a new session, in milliseconds; at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionGap(u64);

impl SessionGap {
    /// A gap of `ms` milliseconds. Clicks of the same millisecond are always one session, so 0 is taken as 1.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(if ms == 0 { 1 } else { ms })
    }

    /// The gap in milliseconds.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }
}

/// A session as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Event time of its first click.
    pub start: EventTime,
    /// Event time of its last click.
    pub end: EventTime,
    /// How many clicks it has.
    pub event_count: u64,
    /// The attributes of its first click; among clicks of one event time, of the one that arrived first.
    pub attributes: Attributes,
    /// What it has of each declared column.
    pub columns: ColumnValues,
}

/// A session with something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedSession {
    /// The session's ordinal.
    pub ordinal: u64,
    /// Event time of its first click.
    pub start: EventTime,
    /// The attributes of its first click.
    pub attributes: Attributes,
    /// Its columns: all if it is closed, what `first` gives if it is open, none if it is retracted.
    pub columns: PublishedColumns,
    /// Its new status.
    pub status: Status,
}

/// A session's status as published in its boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It started, its start moved, or it goes on after all.
    Open,
    /// The user's next session has started, or the user has been inactive. Carries the summary so far.
    Closed {
        /// Event time of its last click.
        end: EventTime,
        /// How many clicks it has.
        event_count: u64,
    },
    /// Its ordinal is no longer used, because late clicks made two sessions one.
    Retracted,
}

impl Merging for Session {
    fn of(click: &Click) -> Self {
        Self {
            start: click.time,
            end: click.time,
            event_count: 1,
            attributes: click.attributes.clone(),
            columns: ColumnValues::of(click),
        }
    }

    fn take(&mut self, click: &Click) {
        if click.time < self.start {
            self.start = click.time;
            self.attributes = click.attributes.clone();
        }
        self.end = self.end.max(click.time);
        self.event_count = self.event_count.saturating_add(1);
        self.columns.take(click);
    }

    fn merge(&mut self, other: &Self) {
        if other.start < self.start {
            self.start = other.start;
            self.attributes = other.attributes.clone();
        }
        self.end = self.end.max(other.end);
        self.event_count = self.event_count.saturating_add(other.event_count);
        self.columns.merge(&other.columns);
    }
}

impl Session {
    /// How much it weighs in the state besides its times and its count, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.attributes.len_bytes() + self.columns.len_bytes()
    }

    /// Whether an open boundary would be another after `click`.
    pub(crate) fn changes_in_open_after(&self, click: &Click) -> bool {
        click.time < self.start || self.columns.changes_in_open_after(click)
    }

    /// Whether open boundaries of both are the same.
    pub(crate) fn is_same_in_open(&self, other: &Self) -> bool {
        (self.start, &self.attributes) == (other.start, &other.attributes)
            && self.columns.is_same_in_open(&other.columns)
    }

    /// Whether closed boundaries of both are the same.
    pub(crate) fn is_same_in_closed(&self, other: &Self) -> bool {
        (self.start, &self.attributes) == (other.start, &other.attributes)
            && (self.end, self.event_count) == (other.end, other.event_count)
            && self.columns.is_same_in_closed(&other.columns)
    }

    /// Its open boundary under `ordinal`.
    pub(crate) fn open(&self, ordinal: u64) -> TouchedSession {
        self.touched(ordinal, Status::Open, self.columns.in_open())
    }

    /// Its closed boundary under `ordinal`.
    pub(crate) fn closed(&self, ordinal: u64) -> TouchedSession {
        let status = Status::Closed { end: self.end, event_count: self.event_count };
        self.touched(ordinal, status, self.columns.in_closed())
    }

    /// The retraction of `ordinal`, under which this session was published before.
    pub(crate) fn retracted(&self, ordinal: u64) -> TouchedSession {
        self.touched(ordinal, Status::Retracted, PublishedColumns::default())
    }

    fn touched(&self, ordinal: u64, status: Status, columns: PublishedColumns) -> TouchedSession {
        TouchedSession { ordinal, start: self.start, attributes: self.attributes.clone(), columns, status }
    }
}
