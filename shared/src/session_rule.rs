//! The session rule: which session a click belongs to.
//!
//! Synchronous and pure (design, section 4): it knows no clock, no AWS type and no I/O. Clicks are applied one by one
//! in arrival order; how they were cut into batches cannot be seen from here, so it cannot change the result.

use crate::attributes::Attributes;
use crate::click::Click;
use crate::event_time::EventTime;

/// The inactivity after which a new session starts, in milliseconds.
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
    /// What is kept of its first click.
    pub attributes: Attributes,
}

/// What must be known of a user to place the next click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSessions {
    /// The current session's ordinal; the user's first session has 0.
    pub ordinal: u64,
    /// The session that the last click in event time belongs to.
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
    /// It came late and is the current session's new first click (rule 4).
    StartMoved,
    /// It came late and filled the gap between two sessions, which are one again (rule 4).
    Merged,
    /// It came late and belongs to the previous session (rule 5).
    PreviousExtended,
    /// It came too late to be placed without renumbering published sessions: it changed nothing (rule 6).
    Late,
}

/// How a session stands after a click that touched it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedSession {
    /// The session's ordinal.
    pub ordinal: u64,
    /// Event time of its first click.
    pub start: EventTime,
    /// What is kept of its first click.
    pub attributes: Attributes,
    /// What there is to tell.
    pub status: Status,
}

/// What a boundary tells of its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It started, its start moved, or it goes on after all.
    Open,
    /// The next session has started; its summary so far.
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
    /// The sessions there is something new to tell of, at most two.
    pub touched: Vec<TouchedSession>,
}

/// Applies one click to a user's sessions; `None` for a user who never clicked.
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

    /// Rules 4 to 6: the click is older than the current session's start.
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
                // After a merge the session before the current one exists but is no longer known.
                let nothing_unknown_before = previous.is_some() || self.ordinal == 0;
                self.previous = previous;
                if reaches_current && nothing_unknown_before {
                    self.current.begin_earlier(click);
                    (Placement::StartMoved, vec![self.current_opened()])
                } else {
                    (Placement::Late, Vec::new())
                }
            }
        }
    }

    /// The click between `previous` and the current session makes them one, under the previous ordinal.
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

    /// A click that is not before the start.
    fn take(&mut self, click: &Click) {
        self.end = self.end.max(click.time);
        self.event_count += 1;
    }

    /// A click before the start.
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
