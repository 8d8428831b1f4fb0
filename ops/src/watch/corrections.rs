//! What a boundary corrects of what was published before.

use std::collections::{HashMap, VecDeque};

use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::event_time::EventTime;
use shared::session::Status;
use shared::user_id::UserId;

/// Sessions that are remembered: about 30 MB. A correction of an older one is not recognized, unless it is a retraction.
const MAX_REMEMBERED: usize = 100_000;

/// How a boundary relates to what was published before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The session was closed, and goes on.
    Reopened,
    /// The session's start, attributes or summary are others.
    Changed,
    /// The session is no more: late clicks made two sessions one.
    Retracted,
    /// The same boundary was published before.
    Repeated,
    /// A later version was published before: this one changes nothing.
    Superseded,
}

impl Mark {
    /// Whether what was published before is wrong now.
    pub(super) fn is_correction(self) -> bool {
        matches!(self, Self::Reopened | Self::Changed | Self::Retracted)
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Reopened => "reopened",
            Self::Changed => "changed",
            Self::Retracted => "retracted",
            Self::Repeated => "repeated",
            Self::Superseded => "superseded",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Reopened => "correction: reopened, it goes on after all",
            Self::Changed => "correction: changed by late clicks",
            Self::Retracted => "correction: retracted, late clicks made two sessions one",
            Self::Repeated => "published again",
            Self::Superseded => "superseded by what was published before",
        }
    }
}

/// The newest version published of each session.
#[derive(Debug, Default)]
pub(super) struct Told {
    sessions: HashMap<(UserId, u64), Last>,
    /// In the order in which they were first seen.
    order: VecDeque<(UserId, u64)>,
}

#[derive(Debug)]
struct Last {
    version: Version,
    start: EventTime,
    attributes: Attributes,
    status: Option<Status>,
}

impl Last {
    fn of(boundary: &Boundary) -> Self {
        Self {
            version: boundary.version,
            start: boundary.session_timestamp,
            attributes: boundary.attributes.clone(),
            status: boundary.status,
        }
    }

    /// What `boundary`, a later version, is for those who have read this one.
    fn corrected_by(&self, boundary: &Boundary) -> Option<Mark> {
        let is_closed = |status| matches!(status, Some(Status::Closed { .. }));
        let has_moved = (self.start, &self.attributes) != (boundary.session_timestamp, &boundary.attributes);
        match (self.status, boundary.status) {
            (_, Some(Status::Retracted)) => Some(Mark::Retracted),
            (Some(Status::Retracted), _) => None, // the ordinal is used again
            (before, now) if is_closed(before) && !is_closed(now) => Some(Mark::Reopened),
            (before, now) if has_moved || (is_closed(before) && before != now) => Some(Mark::Changed),
            _ => None,
        }
    }
}

impl Told {
    /// How `boundary` relates to what was seen before; `None` for news that correct nothing.
    pub(super) fn mark(&mut self, boundary: &Boundary) -> Option<Mark> {
        let key = (boundary.user_id.clone(), boundary.ordinal);
        let Some(last) = self.sessions.get_mut(&key) else {
            if self.order.len() == MAX_REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.sessions.remove(&oldest);
            }
            self.order.push_back(key.clone());
            self.sessions.insert(key, Last::of(boundary));
            return (boundary.status == Some(Status::Retracted)).then_some(Mark::Retracted);
        };
        if boundary.version < last.version {
            return Some(Mark::Superseded);
        }
        if boundary.version == last.version {
            return Some(Mark::Repeated);
        }
        let mark = last.corrected_by(boundary);
        *last = Last::of(boundary);
        mark
    }
}

#[cfg(test)]
mod tests {
    use shared::columns::named::NamedColumns;

    use super::*;

    const OPEN: Option<Status> = Some(Status::Open);
    const RETRACTED: Option<Status> = Some(Status::Retracted);

    fn closed(event_count: u64) -> Option<Status> {
        Some(Status::Closed { end: EventTime::from_ms(9_000).unwrap(), event_count })
    }

    fn boundary(ordinal: u64, version: u64, start_ms: u64, status: Option<Status>) -> Boundary {
        Boundary {
            user_id: UserId::new("u").unwrap(),
            ordinal,
            session_timestamp: EventTime::from_ms(start_ms).unwrap(),
            session_time: "any".to_owned(),
            attributes: Attributes::default(),
            columns: NamedColumns::default(),
            status,
            version: Version::new(version),
        }
    }

    /// The mark of the last of these versions of one session: version, start and status.
    fn last_mark(versions: &[(u64, u64, Option<Status>)]) -> Option<Mark> {
        let mut told = Told::default();
        let marks =
            versions.iter().map(|(version, start_ms, status)| told.mark(&boundary(3, *version, *start_ms, *status)));
        marks.last().unwrap()
    }

    #[test]
    fn boundary_is_marked_by_what_it_says_other_than_the_one_before() {
        let cases = [
            (vec![(5, 0, OPEN)], None),
            (vec![(5, 0, closed(1))], None),
            (vec![(5, 0, RETRACTED)], Some(Mark::Retracted)),
            (vec![(5, 0, OPEN), (6, 0, closed(1))], None),
            (vec![(5, 0, OPEN), (6, 7, OPEN)], Some(Mark::Changed)),
            (vec![(5, 0, OPEN), (6, 7, closed(1))], Some(Mark::Changed)),
            (vec![(5, 0, closed(1)), (6, 0, closed(2))], Some(Mark::Changed)),
            (vec![(5, 0, closed(1)), (6, 0, OPEN)], Some(Mark::Reopened)),
            (vec![(5, 0, closed(1)), (6, 0, OPEN), (7, 0, closed(2))], None),
            (vec![(5, 0, OPEN), (6, 0, RETRACTED)], Some(Mark::Retracted)),
            (vec![(5, 0, OPEN), (6, 0, RETRACTED), (7, 9, OPEN)], None),
            (vec![(5, 0, OPEN), (5, 0, OPEN)], Some(Mark::Repeated)),
            (vec![(5, 0, closed(1)), (4, 0, OPEN)], Some(Mark::Superseded)),
            (vec![(5, 0, closed(1)), (4, 0, OPEN), (5, 0, closed(1))], Some(Mark::Repeated)),
        ];
        for (versions, expected) in cases {
            assert_eq!(last_mark(&versions), expected, "{versions:?}");
        }
    }

    #[test]
    fn oldest_sessions_are_forgotten_beyond_the_bound() {
        let mut told = Told::default();
        for ordinal in 0..=MAX_REMEMBERED as u64 {
            assert_eq!(told.mark(&boundary(ordinal, 1, 0, OPEN)), None);
        }
        assert_eq!(told.mark(&boundary(0, 1, 0, OPEN)), None, "forgotten");
        assert_eq!(told.mark(&boundary(2, 1, 0, OPEN)), Some(Mark::Repeated));
        assert_eq!((told.sessions.len(), told.order.len()), (MAX_REMEMBERED, MAX_REMEMBERED));
    }
}
