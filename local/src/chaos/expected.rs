//! The expected final tables, computed without streams, batches or tables.

use std::collections::BTreeMap;

use shared::boundary::{Boundary, Version};
use shared::click::Click;
use shared::session_rule::{self, SessionGap, Status, UserSessions};
use shared::user_id::UserId;

/// The sessions, and the states to which later clicks are applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// By session_id, without versions and without retracted sessions.
    pub sessions: BTreeMap<String, Boundary>,
    /// By user: the sessions that a later click can still change.
    pub users: BTreeMap<UserId, UserSessions>,
}

impl Expected {
    /// The result of `clicks` if each arrives once, in this order.
    #[must_use]
    pub fn in_order<'c>(clicks: impl IntoIterator<Item = &'c Click>, gap: SessionGap) -> Self {
        let mut expected = Self::default();
        for click in clicks {
            let before = expected.users.remove(&click.user_id);
            let applied = session_rule::apply(before, click, gap);
            expected.users.insert(click.user_id.clone(), applied.sessions);
            for session in applied.touched {
                let boundary = Boundary::of(&click.user_id, session, Version::NONE);
                if boundary.status == Some(Status::Retracted) {
                    expected.sessions.remove(&boundary.session_id);
                } else {
                    expected.sessions.insert(boundary.session_id.clone(), boundary);
                }
            }
        }
        expected
    }

    /// The result of `clicks` if they arrive sorted by time. This uses only the first three cases of the session rule.
    #[must_use]
    pub fn of_sorted(mut clicks: Vec<Click>, gap: SessionGap) -> Self {
        clicks.sort_by_key(|click| click.time);
        Self::in_order(&clicks, gap)
    }
}
