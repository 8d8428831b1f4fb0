//! The expected final tables, computed without streams, batches, logs or tables.

use std::collections::{BTreeMap, BTreeSet};

use shared::boundary::{Boundary, Version};
use shared::click::Click;
use shared::columns::declaration::SessionColumns;
use shared::event_time::EventTime;
use shared::merging::Merging;
use shared::session::{Session, Status, TouchedSession};
use shared::session_cut::SessionCut;
use shared::session_window::{SessionWindow, WindowDraft, WindowRule};
use shared::user_id::UserId;

/// The sessions, and the states to which later clicks are applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// By session_id, without retracted sessions.
    pub sessions: BTreeMap<String, Boundary>,
    /// By user: the sessions that a later click can still change.
    pub windows: BTreeMap<UserId, SessionWindow>,
    /// The columns of the sessions.
    pub columns: SessionColumns,
}

impl Expected {
    /// The result of `clicks` if each arrives once, in this order, and every session is told closed in the end. The
    /// boundaries have no versions.
    #[must_use]
    pub fn in_order<'c>(
        clicks: impl IntoIterator<Item = &'c Click>,
        rule: WindowRule,
        columns: &SessionColumns,
    ) -> Self {
        let mut expected = Self { columns: columns.clone(), ..Self::default() };
        for click in clicks {
            let mut draft = WindowDraft::on(expected.windows.remove(&click.user_id).unwrap_or_default());
            draft.apply(click, rule);
            expected.take(&click.user_id, draft, Version::NONE);
        }
        for user_id in expected.windows.keys().cloned().collect::<Vec<_>>() {
            let mut draft = WindowDraft::on(expected.windows.remove(&user_id).unwrap_or_default());
            draft.close();
            expected.take(&user_id, draft, Version::NONE);
        }
        expected
    }

    /// The result of `clicks` if they arrive sorted by time. The sessions come from sorting alone, not from the rule.
    #[must_use]
    pub fn of_sorted(mut clicks: Vec<Click>, rule: WindowRule, columns: &SessionColumns) -> Self {
        clicks.sort_by_key(|click| click.time); // stable: of equal times, the first to arrive begins the session
        let Self { windows, .. } = Self::in_order(&clicks, rule, columns);
        Self { sessions: sessions_of_sorted(&clicks, rule, columns), windows, columns: columns.clone() }
    }

    /// Leaves out what is expected of these users.
    pub fn leave_out(&mut self, users: &BTreeSet<UserId>) {
        self.sessions.retain(|_, session| !users.contains(&session.user_id));
        self.windows.retain(|user_id, _| !users.contains(user_id));
    }

    /// Takes in what a draft tells at `version`, and its window. Returns what it tells.
    pub fn take(&mut self, user_id: &UserId, draft: WindowDraft, version: Version) -> Vec<Boundary> {
        let touched = draft.touched().into_iter().map(|session| Boundary::of(user_id, session, &self.columns, version));
        let told: Vec<_> = touched.collect();
        for boundary in &told {
            if boundary.status == Some(Status::Retracted) {
                self.sessions.remove(&boundary.session_id());
            } else {
                self.sessions.insert(boundary.session_id(), boundary.clone());
            }
        }
        self.windows.insert(user_id.clone(), draft.into_window());
        told
    }
}

fn sessions_of_sorted(clicks: &[Click], rule: WindowRule, columns: &SessionColumns) -> BTreeMap<String, Boundary> {
    let mut users: BTreeMap<&UserId, Vec<Session>> = BTreeMap::new();
    let day_of = |time: EventTime| match rule.cut {
        SessionCut::None => 0,
        SessionCut::Daily { offset_ms } => (time.ms().cast_signed() + offset_ms).div_euclid(86_400_000),
    };
    for click in clicks {
        let sessions = users.entry(&click.user_id).or_default();
        match sessions.last_mut() {
            Some(last) if click.time.ms_since(last.end) < rule.gap.ms() && day_of(click.time) == day_of(last.end) => {
                (last.end, last.event_count) = (click.time, last.event_count + 1);
                last.columns.take(click);
            }
            _ => sessions.push(Session {
                start: click.time,
                end: click.time,
                event_count: 1,
                attributes: click.attributes.clone(),
                columns: click.columns.clone(),
            }),
        }
    }
    let boundary = |user_id: &UserId, (ordinal, session): (u64, Session)| {
        let Session { start, end, event_count, attributes, columns: values } = session;
        let status = Status::Closed { end, event_count };
        let touched = TouchedSession { ordinal, start, attributes, columns: values.in_closed(), status };
        let boundary = Boundary::of(user_id, touched, columns, Version::NONE);
        (boundary.session_id(), boundary)
    };
    let of_user = |(user_id, sessions): (&UserId, Vec<Session>)| {
        let user_id = user_id.clone();
        (0..).zip(sessions).map(move |session| boundary(&user_id, session)).collect::<Vec<_>>()
    };
    users.into_iter().flat_map(of_user).collect()
}
