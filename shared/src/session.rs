//! Sessions: what the state keeps of one, and what a boundary says about it.

use crate::attributes::Attributes;
use crate::click::Click;
use crate::event_time::EventTime;

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
    /// The attributes of its first click.
    pub attributes: Attributes,
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

impl Session {
    pub(crate) fn starting_with(click: &Click) -> Self {
        Self { start: click.time, end: click.time, event_count: 1, attributes: click.attributes.clone() }
    }

    /// What `status` says about it under `ordinal`.
    pub(crate) fn touched(&self, ordinal: u64, status: Status) -> TouchedSession {
        TouchedSession { ordinal, start: self.start, attributes: self.attributes.clone(), status }
    }

    pub(crate) fn closed(&self, ordinal: u64) -> TouchedSession {
        self.touched(ordinal, Status::Closed { end: self.end, event_count: self.event_count })
    }
}
