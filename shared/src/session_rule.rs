//! The session rule: which session a click belongs to.
//!
//! Synchronous and pure (design, section 4): no clock, no AWS types, no I/O. Clicks are applied one by one in arrival
//! order. The rule cannot see how they were batched, so batching cannot change the result.

use crate::attributes::Attributes;
use crate::click::Click;
use crate::event_time::EventTime;

/// The inactivity that starts a new session, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionGap(u64);

impl SessionGap {
    /// A gap of `ms` milliseconds.
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// The gap in milliseconds.
    #[must_use]
    pub fn ms(self) -> u64 {
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

/// The sessions of a user that the next click can affect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSessions {
    /// The current session's ordinal; a user's first session is 0.
    pub ordinal: u64,
    /// The session with the latest click by event time.
    pub current: Session,
    /// The session before it, while a late click can still change it.
    pub previous: Option<Session>,
}

/// Where a click was placed among its user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It started a session: the user's first, or the next one (rules 1 and 2).
    Started,
    /// It belongs to the current session (rule 3).
    Continued,
    /// It arrived late and is the current session's new first click (rule 4).
    StartMoved,
    /// It arrived late and closed the gap between two sessions, which became one (rule 4).
    Merged,
    /// It arrived late and belongs to the previous session (rule 5).
    PreviousExtended,
    /// It arrived too late: placing it would renumber published sessions, so it changed nothing (rule 6).
    Late,
}

/// A session after a click that changed it.
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
    /// It started, its start moved, or a late click reopened it.
    Open,
    /// The user's next session has started. Carries the summary so far.
    Closed {
        /// Event time of its last click.
        end: EventTime,
        /// How many clicks it has.
        event_count: u64,
    },
    /// A late click has merged it into the session before it.
    Retracted,
}

/// The state after a click, and where the click was placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The state after the click.
    pub sessions: UserSessions,
    /// Where the click was placed.
    pub placement: Placement,
    /// The sessions with a new boundary to publish, at most two.
    pub touched: Vec<TouchedSession>,
}

/// Applies one click to a user's sessions; `None` for a new user.
#[must_use]
pub fn apply(sessions: Option<UserSessions>, click: &Click, gap: SessionGap) -> Applied {
    let Some(mut user) = sessions else {
        let user = UserSessions { ordinal: 0, current: Session::starting_with(click), previous: None };
        return Applied { touched: vec![user.current_opened()], sessions: user, placement: Placement::Started };
    };
    let (placement, touched) = if click.time >= user.current.start {
        if click.time.ms_since(user.current.end) >= gap.0 {
            (Placement::Started, user.start_next(click))
        } else {
            user.current.take(click);
            (Placement::Continued, Vec::new())
        }
    } else {
        user.apply_late(click, gap)
    };
    Applied { sessions: user, placement, touched }
}

impl UserSessions {
    /// Rule 2.
    fn start_next(&mut self, click: &Click) -> Vec<TouchedSession> {
        let closed = std::mem::replace(&mut self.current, Session::starting_with(click));
        let closed_boundary = closed.closed(self.ordinal);
        self.previous = Some(closed);
        self.ordinal += 1;
        vec![closed_boundary, self.current_opened()]
    }

    /// Rules 4 to 6: the click is before the start of the current session.
    fn apply_late(&mut self, click: &Click, gap: SessionGap) -> (Placement, Vec<TouchedSession>) {
        let reaches_current = self.current.start.ms_since(click.time) < gap.0;
        let reaches_previous = |previous: &Session| click.time.ms_since(previous.end) < gap.0;
        match self.previous.take() {
            Some(previous) if reaches_current && reaches_previous(&previous) => {
                (Placement::Merged, self.merge_into(previous))
            }
            Some(mut previous) if !reaches_current && reaches_previous(&previous) && click.time >= previous.start => {
                previous.take(click);
                let touched = vec![previous.closed(self.ordinal - 1)];
                self.previous = Some(previous);
                (Placement::PreviousExtended, touched)
            }
            previous => {
                // After a merge, the state no longer contains the session before the current one.
                let previous_is_known = previous.is_some() || self.ordinal == 0;
                self.previous = previous;
                if reaches_current && previous_is_known {
                    self.current.begin_earlier(click);
                    (Placement::StartMoved, vec![self.current_opened()])
                } else {
                    (Placement::Late, Vec::new())
                }
            }
        }
    }

    /// Merges the current session, and the click that joins the two, into `previous` under the previous ordinal.
    fn merge_into(&mut self, previous: Session) -> Vec<TouchedSession> {
        let retracted = TouchedSession {
            ordinal: self.ordinal,
            start: self.current.start,
            attributes: std::mem::take(&mut self.current.attributes),
            status: Status::Retracted,
        };
        self.current = Session {
            end: self.current.end,
            event_count: previous.event_count + self.current.event_count + 1,
            ..previous
        };
        self.ordinal -= 1; // there was a previous session, so this is not the first
        vec![self.current_opened(), retracted]
    }

    fn current_opened(&self) -> TouchedSession {
        self.current.touched(self.ordinal, Status::Open)
    }
}

impl Session {
    fn starting_with(click: &Click) -> Self {
        Self { start: click.time, end: click.time, event_count: 1, attributes: click.attributes.clone() }
    }

    /// Adds a click that is not before the start.
    fn take(&mut self, click: &Click) {
        self.end = self.end.max(click.time);
        self.event_count += 1;
    }

    /// Adds a click before the start.
    fn begin_earlier(&mut self, click: &Click) {
        self.start = click.time;
        self.attributes = click.attributes.clone();
        self.event_count += 1;
    }

    fn closed(&self, ordinal: u64) -> TouchedSession {
        self.touched(ordinal, Status::Closed { end: self.end, event_count: self.event_count })
    }

    fn touched(&self, ordinal: u64, status: Status) -> TouchedSession {
        TouchedSession { ordinal, start: self.start, attributes: self.attributes.clone(), status }
    }
}

#[cfg(test)]
#[path = "session_rule_tests.rs"]
mod tests;
