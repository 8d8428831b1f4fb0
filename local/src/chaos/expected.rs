//! What the tables must hold in the end, worked out without streams, batches or tables.

use std::collections::BTreeMap;

use shared::boundary::{Boundary, Version};
use shared::click::Click;
use shared::session_rule::{self, SessionGap, Status, UserSessions};
use shared::user_id::UserId;

/// The sessions, and the states from which later clicks go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// By session_id, without version and without those retracted.
    pub sessions: BTreeMap<String, Boundary>,
    /// By user: the sessions that a later click could still change.
    pub users: BTreeMap<UserId, UserSessions>,
}

impl Expected {
    /// What `clicks` give when they arrive in this order and each once.
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

    /// What `clicks` give when they arrive sorted by their time. Only the rule's first three cases are used then.
    #[must_use]
    pub fn of_sorted(mut clicks: Vec<Click>, gap: SessionGap) -> Self {
        clicks.sort_by_key(|click| click.time);
        Self::in_order(&clicks, gap)
    }
}
