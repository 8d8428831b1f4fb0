//! The session rule over a window: which session a click belongs to, and what a commit has to tell of a user's sessions.
//!
//! Synchronous and pure (design, section 4): no clock, no AWS types, no I/O. Clicks are applied one by one in arrival
//! order. The rule cannot see how they were batched, so batching cannot change the result.
//!
//! A user keeps the sessions that late clicks can still change, the *window*. Its sessions never overlap, so their ends
//! are sorted like their starts, whatever gaps they were made with: the end of the last one is the user's greatest
//! event time.

use std::ops::Range;

use crate::click::Click;
use crate::event_time::EventTime;
use crate::limits::{MAX_WINDOW_ATTRIBUTE_BYTES, MAX_WINDOW_SESSIONS};
use crate::merging::Merging;
use crate::session::{Session, SessionGap, TouchedSession};
use crate::session_cut::SessionCut;

/// Settings of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowRule {
    /// The inactivity that starts a new session.
    pub gap: SessionGap,
    /// How far behind its user's greatest event time a click may be, in milliseconds.
    pub lateness_ms: u64,
    /// Where sessions are cut although clicks are nearer than the gap.
    pub cut: SessionCut,
}

impl WindowRule {
    /// Whether clicks at these times are one session if there are none between them.
    fn joins(self, earlier: EventTime, later: EventTime) -> bool {
        later.ms_since(earlier) < self.gap.ms() && !self.cut.is_between(earlier, later)
    }

    /// Until when a click continues a session that ends at `end`: a gap, or the next cut, in Unix milliseconds.
    #[must_use]
    pub fn until_ms(self, end: EventTime) -> u64 {
        let gap_ends_ms = end.ms().saturating_add(self.gap.ms());
        self.cut.next_after(end).map_or(gap_ends_ms, |cut_ms| cut_ms.min(gap_ends_ms))
    }

    /// Whether what `time` can be continued by is at least the lateness behind `newest`, the user's greatest event time.
    fn is_past(self, time: EventTime, newest: EventTime) -> bool {
        self.until_ms(time) <= newest.ms().saturating_sub(self.lateness_ms)
    }
}

/// A user's sessions that clicks can still change, and what was left behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionWindow {
    /// The ordinal of the first of `sessions`; a user's first session is 0.
    pub first_ordinal: u64,
    /// The sessions, sorted by start; they do not overlap. Empty only for a user without any click.
    pub sessions: Vec<Session>,
    /// Until when a click would have continued the last session left behind, by the rule of that moment, at most the
    /// start of the next session, in Unix milliseconds. Clicks before it are late. `None` while no session was left
    /// behind.
    pub left_behind_until_ms: Option<u64>,
    /// Whether the last session was told closed.
    pub told_closed: bool,
}

impl SessionWindow {
    /// The last session.
    #[must_use]
    pub fn last(&self) -> Option<&Session> {
        self.sessions.last()
    }

    /// The ordinal of the last session.
    #[must_use]
    pub fn last_ordinal(&self) -> Option<u64> {
        Some(self.first_ordinal.saturating_add(self.sessions.len().checked_sub(1)? as u64))
    }

    /// How much all sessions weigh besides their times and counts, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.sessions.iter().map(|session| session.len_bytes()).sum()
    }

    /// The sessions that a click at `time` belongs to; if it belongs to none, the empty range at its place.
    fn sessions_near(&self, time: EventTime, rule: WindowRule) -> Range<usize> {
        let before = self.sessions.partition_point(|session| !rule.joins(session.end, time));
        let not_after = self.sessions.partition_point(|session| rule.joins(time, session.start));
        before..not_after
    }

    /// How many of the oldest sessions no longer have a place in the window. Never all: the last one stays.
    fn leaving(&self, rule: WindowRule) -> usize {
        let [older @ .., last] = &*self.sessions else { return 0 };
        if older.is_empty() {
            return 0; // most users most of the time
        }
        let (mut count, mut bytes) = (self.sessions.len(), self.len_bytes());
        for (place, session) in older.iter().enumerate() {
            let is_over = count > MAX_WINDOW_SESSIONS || bytes > MAX_WINDOW_ATTRIBUTE_BYTES;
            if !is_over && !rule.is_past(session.end, last.end) {
                return place;
            }
            count -= 1;
            bytes -= session.len_bytes();
        }
        older.len()
    }

    /// What there is to tell of each session.
    fn views(&self) -> impl Iterator<Item = View<'_>> {
        let last = self.sessions.len().saturating_sub(1);
        let view = move |(place, session)| View { session, closed: place < last || self.told_closed };
        self.sessions.iter().enumerate().map(view)
    }
}

/// What there is to tell of a session: its summary only once it is closed.
#[derive(Clone, Copy)]
struct View<'a> {
    session: &'a Session,
    closed: bool,
}

impl View<'_> {
    fn tells_the_same_as(self, other: View<'_>) -> bool {
        let (mine, theirs) = (self.session, other.session);
        match (self.closed, other.closed) {
            (true, true) => mine.is_same_in_closed(theirs),
            (false, false) => mine.is_same_in_open(theirs),
            _ => false,
        }
    }

    fn touched(self, ordinal: u64) -> TouchedSession {
        if self.closed { self.session.closed(ordinal) } else { self.session.open(ordinal) }
    }
}

/// Where a click was placed among its user's sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// It arrived too late and changed nothing; it is no sign of activity either.
    Late,
    /// It started a session: the user's first, the next one, or one between or before others.
    Started,
    /// It belongs to one or more sessions that there were.
    Continued {
        /// Whether the last session had been told closed and this click moved its end: it goes on after all.
        reopened: bool,
        /// How many sessions vanished because it made them one with an earlier one.
        merged: usize,
    },
}

/// A user within one commit: applies clicks, then tells what there is to publish.
#[derive(Clone, Debug)]
pub struct WindowDraft {
    window: SessionWindow,
    /// The window as it was told before this commit, though an open session's end and count may be newer: they are not
    /// told. `None` while there is nothing new to tell.
    before: Option<SessionWindow>,
    /// The sessions left behind in this commit. Their ordinals are the ones up to the window's first.
    left_behind: Vec<Session>,
}

impl WindowDraft {
    /// A draft over the user's `window` as of the last commit; the default for a user without any click.
    #[must_use]
    pub fn on(window: SessionWindow) -> Self {
        Self { window, before: None, left_behind: Vec::new() }
    }

    /// Applies one click of this user. Allocates nothing while the click only continues a last session told open.
    pub fn apply(&mut self, click: &Click, rule: WindowRule) -> Placement {
        let time = click.time;
        let newest = self.window.last().map(|last| last.end);
        let near = self.window.sessions_near(time, rule);
        let is_late = self.window.left_behind_until_ms.is_some_and(|until_ms| time.ms() < until_ms)
            || near.is_empty() && newest.is_some_and(|newest| rule.is_past(time, newest));
        if is_late {
            return Placement::Late;
        }
        let merged = near.len().saturating_sub(1);
        let starts = near.is_empty();
        let moves_on = newest.is_none_or(|newest| time > newest); // then the last session grows or is a new one
        let reopened = moves_on && self.window.told_closed;
        if starts {
            self.start(click, near.start);
        } else {
            self.join(click, near);
        }
        self.window.told_closed &= !moves_on;
        self.leave_behind(rule);
        if starts { Placement::Started } else { Placement::Continued { reopened, merged } }
    }

    /// Tells the last session closed: the user is inactive, or has to leave ahead of time.
    pub fn close(&mut self) {
        if !self.window.sessions.is_empty() && !self.window.told_closed {
            self.keep_before();
            self.window.told_closed = true;
        }
    }

    /// The window as it is now.
    #[must_use]
    pub fn window(&self) -> &SessionWindow {
        &self.window
    }

    /// The window as it is now.
    #[must_use]
    pub fn into_window(self) -> SessionWindow {
        self.window
    }

    /// The boundaries to publish, by ordinal: how sessions end up, where that differs from how they were told before
    /// this commit. A retracted session is as it was told last.
    #[must_use]
    pub fn touched(&self) -> Vec<TouchedSession> {
        let Some(before) = &self.before else { return Vec::new() };
        // No session leaves in front of the first one without being kept here, so both lists begin with one ordinal.
        let left_behind = self.left_behind.iter().map(|session| View { session, closed: true });
        let mut now = left_behind.chain(self.window.views());
        let mut told = before.views();
        let mut touched = Vec::new();
        for ordinal in before.first_ordinal.. {
            match (now.next(), told.next()) {
                (Some(now), Some(told)) if now.tells_the_same_as(told) => {}
                (Some(now), _) => touched.push(now.touched(ordinal)),
                (None, Some(told)) => touched.push(told.session.retracted(ordinal)),
                (None, None) => break,
            }
        }
        touched
    }

    /// Starts a session at this place; those behind it move up one ordinal.
    fn start(&mut self, click: &Click, place: usize) {
        self.keep_before();
        self.window.sessions.insert(place, Session::of(click));
    }

    /// Adds a click to the sessions `near` it, at least one; several become one, and those behind them move down.
    fn join(&mut self, click: &Click, near: Range<usize>) {
        let is_last_alone = near.start + 1 == self.window.sessions.len();
        let is_told_open = is_last_alone && !self.window.told_closed;
        if !is_told_open || self.window.sessions[near.start].changes_in_open_after(click) {
            self.keep_before();
        }
        if let [session, later @ ..] = &mut self.window.sessions[near.clone()] {
            later.iter().for_each(|later| session.merge(later));
            session.take(click);
        }
        self.window.sessions.drain(near.start + 1..near.end);
    }

    fn leave_behind(&mut self, rule: WindowRule) {
        let leaving = self.window.leaving(rule);
        if leaving == 0 {
            return;
        }
        self.keep_before();
        self.window.first_ordinal = self.window.first_ordinal.saturating_add(leaving as u64);
        self.left_behind.extend(self.window.sessions.drain(..leaving));
        // No later than the next session: after the gap was raised, that one may be nearer than a gap, and clicks that
        // belong to it are not late.
        let next_ms = self.window.sessions.first().map_or(u64::MAX, |session| session.start.ms());
        let until_ms = |session: &Session| rule.until_ms(session.end).min(next_ms);
        self.window.left_behind_until_ms = self.left_behind.last().map(until_ms);
    }

    /// Keeps how the window was told. Precedes the first change of what there is to tell.
    fn keep_before(&mut self) {
        self.before.get_or_insert_with(|| self.window.clone());
    }
}

#[cfg(test)]
#[path = "session_window_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "session_window_streams_tests.rs"]
mod streams;
