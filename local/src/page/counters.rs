//! The page's counters.
//!
//! They count from the beginning of the run, including events that the history no longer has. To know how many sessions
//! are open, each session is remembered with its highest version, up to a limit.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use shared::boundary::{Boundary, Version};
use shared::click::Click;
use shared::session::Status;
use shared::user_id::UserId;

/// Maximum number of sessions and of users that are remembered. Further ones are not counted as open, closed or late.
pub(crate) const MOST_REMEMBERED: usize = 50_000;

/// The counters as the browser receives them.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Counters {
    /// Clicks in click-stream that could be read.
    pub(crate) clicks: u64,
    /// Clicks that are older than one that the same user made before.
    pub(crate) late: u64,
    /// Clicks that came too late for a session.
    pub(crate) too_late: u64,
    /// Sessions that are open.
    pub(crate) open: u64,
    /// Sessions that are closed.
    pub(crate) closed: u64,
    /// Sessions that late clicks merged with another one.
    pub(crate) merged: u64,
    /// Whether there were more sessions or users than are remembered: then open, closed and late are lower bounds.
    pub(crate) is_incomplete: bool,
    /// Rejected records by reason.
    pub(crate) rejected: BTreeMap<String, u64>,
    /// Whether there are more rejected records than were read.
    pub(crate) has_more_rejected: bool,
    /// Whether the shop's users are clicking.
    pub(crate) producing: bool,
    #[serde(skip)]
    sessions: HashMap<String, (Version, State)>,
    /// The time of each user's newest click.
    #[serde(skip)]
    newest_ms: HashMap<UserId, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closed,
    Retracted,
}

impl Counters {
    /// Counts a click, and returns whether it is late.
    pub(crate) fn count_click(&mut self, click: &Click) -> bool {
        self.clicks += 1;
        let time_ms = click.time.ms();
        if let Some(newest_ms) = self.newest_ms.get_mut(&click.user_id) {
            let is_late = time_ms < *newest_ms;
            *newest_ms = time_ms.max(*newest_ms);
            self.late += u64::from(is_late);
            return is_late;
        }
        if self.newest_ms.len() < MOST_REMEMBERED {
            self.newest_ms.insert(click.user_id.clone(), time_ms);
        } else {
            self.is_incomplete = true;
        }
        false
    }

    /// Counts a rejected record.
    pub(crate) fn count_rejected(&mut self, reason: &str) {
        *self.rejected.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts a boundary. One without a status, as the Flink job wrote, is an open session.
    pub(crate) fn count_boundary(&mut self, boundary: &Boundary) {
        let state = match boundary.status {
            Some(Status::Closed { .. }) => State::Closed,
            Some(Status::Retracted) => State::Retracted,
            Some(Status::Open) | None => State::Open,
        };
        let (id, version) = (boundary.session_id(), boundary.version);
        let is_full = self.sessions.len() >= MOST_REMEMBERED;
        match self.sessions.get_mut(&id) {
            Some((known, _)) if *known >= version => return, // published again, or superseded
            Some(known) => {
                let (_, before) = std::mem::replace(known, (version, state));
                if let Some(counter) = self.counter(before) {
                    *counter -= 1;
                }
            }
            None if is_full => {
                self.is_incomplete = true;
                return;
            }
            None => {
                self.sessions.insert(id, (version, state));
            }
        }
        match self.counter(state) {
            Some(counter) => *counter += 1,
            None => self.merged += 1, // its id may be used again, but it was merged
        }
    }

    /// How many sessions are in this state now.
    fn counter(&mut self, state: State) -> Option<&mut u64> {
        match state {
            State::Open => Some(&mut self.open),
            State::Closed => Some(&mut self.closed),
            State::Retracted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::click::LatestBelievable;

    use super::*;

    fn click(user: &str, time_ms: u64) -> Click {
        let data = format!(r#"{{"user_id":"{user}","event_timestamp":{time_ms}}}"#);
        Click::decode(data.as_bytes(), LatestBelievable::after_arrival(time_ms, 0)).unwrap().click
    }

    fn boundary(user: &str, ordinal: u64, status: &str, version: u64) -> Boundary {
        let closed =
            if status == "closed" { r#","session_end":1721390004000,"duration_ms":4000,"event_count":2"# } else { "" };
        let data = format!(
            r#"{{"user_id":"{user}","session_timestamp":1721390000000,"session_time":"2024-07-19 11:53:20","session_id":"{user}_{ordinal}","event_type":null,"device_type":null,"event_name":null,"status":"{status}"{closed},"version":{version}}}"#
        );
        Boundary::decode(data.as_bytes()).unwrap()
    }

    fn counts(counters: &Counters) -> [u64; 3] {
        [counters.open, counters.closed, counters.merged]
    }

    #[test]
    fn a_click_is_late_if_its_user_clicked_later_before() {
        let mut counters = Counters::default();
        let clicks = [("a", 20), ("b", 10), ("a", 20), ("a", 19), ("a", 30), ("a", 25), ("b", 11)];
        let late =
            clicks.map(|(user, seconds)| counters.count_click(&click(user, 1_721_390_000_000 + seconds * 1_000)));
        assert_eq!(late, [false, false, false, true, false, true, false]);
        assert_eq!((counters.clicks, counters.late), (7, 2));
    }

    #[test]
    fn a_session_counts_by_its_highest_version_whatever_the_order() {
        let mut counters = Counters::default();
        counters.count_boundary(&boundary("a", 0, "open", 1));
        counters.count_boundary(&boundary("a", 0, "closed", 2));
        counters.count_boundary(&boundary("a", 1, "open", 2));
        assert_eq!(counts(&counters), [1, 1, 0]);
        counters.count_boundary(&boundary("a", 0, "open", 1)); // published again
        counters.count_boundary(&boundary("a", 0, "closed", 2));
        assert_eq!(counts(&counters), [1, 1, 0]);
        counters.count_boundary(&boundary("a", 1, "retracted", 3)); // a late click merges both
        counters.count_boundary(&boundary("a", 0, "open", 3));
        assert_eq!(counts(&counters), [1, 0, 1]);
        counters.count_boundary(&boundary("a", 1, "open", 4)); // the next session gets the id that was retracted
        assert_eq!(counts(&counters), [2, 0, 1]);
        counters.count_boundary(&boundary("b", 0, "closed", 9));
        counters.count_boundary(&boundary("b", 0, "open", 8));
        assert_eq!(counts(&counters), [2, 1, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_then_the_counts_say_so() {
        let mut counters = Counters::default();
        for user in 0..MOST_REMEMBERED + 10 {
            counters.count_boundary(&boundary(&format!("u{user}"), 0, "open", 1));
        }
        assert_eq!((counters.open, counters.sessions.len()), (MOST_REMEMBERED as u64, MOST_REMEMBERED));
        assert!(counters.is_incomplete);
        let mut counters = Counters::default();
        for user in 0..MOST_REMEMBERED + 10 {
            counters.count_click(&click(&format!("u{user}"), 1_721_390_000_000));
        }
        assert_eq!((counters.clicks, counters.newest_ms.len()), (MOST_REMEMBERED as u64 + 10, MOST_REMEMBERED));
        assert!(counters.is_incomplete);
    }
}
