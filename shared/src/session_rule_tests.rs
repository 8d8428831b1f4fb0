//! Tests each rule alone, then all of them against a sorted stream.
use proptest::prelude::*;

use super::*;
use crate::user_id::UserId;

const GAP: SessionGap = SessionGap(10_000);

fn at(ms: u64) -> EventTime {
    EventTime::from_ms(ms).expect("a time before the year 10000")
}

fn click(ms: u64) -> Click {
    named_click(ms, &ms.to_string())
}

fn named_click(ms: u64, name: &str) -> Click {
    let attributes = Attributes { event_name: Some(name.into()), ..Attributes::default() };
    Click { user_id: UserId::new("u").expect("a valid id"), time: at(ms), attributes }
}

/// Applies clicks at these times; returns the state and the effect of the last click.
fn apply_all(times: &[u64]) -> Applied {
    let mut sessions = None;
    let mut last = None;
    for ms in times {
        let applied = apply(sessions.take(), &click(*ms), GAP);
        sessions = Some(applied.sessions.clone());
        last = Some(applied);
    }
    last.expect("at least one click")
}

fn session(start: u64, end: u64, event_count: u64) -> Session {
    Session { start: at(start), end: at(end), event_count, attributes: click(start).attributes }
}

fn touched(ordinal: u64, start: u64, status: Status) -> TouchedSession {
    TouchedSession { ordinal, start: at(start), attributes: click(start).attributes, status }
}

fn closed(end: u64, event_count: u64) -> Status {
    Status::Closed { end: at(end), event_count }
}

#[test]
fn first_click_starts_session_0() {
    assert_eq!(
        apply_all(&[100_000]),
        Applied {
            sessions: UserSessions { ordinal: 0, current: session(100_000, 100_000, 1), previous: None },
            placement: Placement::Started,
            touched: vec![touched(0, 100_000, Status::Open)],
        }
    );
}

#[test]
fn click_one_millisecond_below_the_gap_continues_the_session() {
    assert_eq!(
        apply_all(&[100_000, 109_999]),
        Applied {
            sessions: UserSessions { ordinal: 0, current: session(100_000, 109_999, 2), previous: None },
            placement: Placement::Continued,
            touched: vec![],
        }
    );
}

#[test]
fn click_exactly_at_the_gap_closes_the_session_and_starts_the_next() {
    assert_eq!(
        apply_all(&[100_000, 110_000]),
        Applied {
            sessions: UserSessions {
                ordinal: 1,
                current: session(110_000, 110_000, 1),
                previous: Some(session(100_000, 100_000, 1)),
            },
            placement: Placement::Started,
            touched: vec![touched(0, 100_000, closed(100_000, 1)), touched(1, 110_000, Status::Open)],
        }
    );
}

#[test]
fn late_click_inside_the_session_changes_only_its_count() {
    let applied = apply_all(&[100_000, 105_000, 103_000]);
    assert_eq!(applied.sessions.current, session(100_000, 105_000, 3));
    assert_eq!((applied.placement, applied.touched), (Placement::Continued, vec![]));
}

#[test]
fn click_at_the_very_start_does_not_replace_the_first_click() {
    let first = apply(None, &named_click(100_000, "first"), GAP);
    let second = apply(Some(first.sessions), &named_click(100_000, "second"), GAP);
    assert_eq!(second.sessions.current.attributes.event_name.as_deref(), Some("first"));
    assert_eq!(second.sessions.current.event_count, 2);
}

#[test]
fn late_click_at_the_front_of_the_first_session_moves_its_start() {
    assert_eq!(
        apply_all(&[100_000, 90_001]),
        Applied {
            sessions: UserSessions { ordinal: 0, current: session(90_001, 100_000, 2), previous: None },
            placement: Placement::StartMoved,
            touched: vec![touched(0, 90_001, Status::Open)],
        }
    );
}

#[test]
fn late_click_at_the_front_merges_both_sessions() {
    assert_eq!(
        apply_all(&[100_000, 112_000, 105_000]),
        Applied {
            sessions: UserSessions { ordinal: 0, current: session(100_000, 112_000, 3), previous: None },
            placement: Placement::Merged,
            touched: vec![touched(0, 100_000, Status::Open), touched(1, 112_000, Status::Retracted)],
        }
    );
}

#[test]
fn late_click_at_the_front_that_stays_a_gap_away_from_the_previous_session_moves_the_start() {
    let applied = apply_all(&[100_000, 115_000, 110_000]);
    assert_eq!(applied.placement, Placement::StartMoved);
    assert_eq!(applied.sessions.previous, Some(session(100_000, 100_000, 1)));
    assert_eq!(applied.touched, vec![touched(1, 110_000, Status::Open)]);
}

#[test]
fn late_click_a_gap_before_the_start_extends_the_previous_session() {
    assert_eq!(
        apply_all(&[100_000, 130_000, 109_999]),
        Applied {
            sessions: UserSessions {
                ordinal: 1,
                current: session(130_000, 130_000, 1),
                previous: Some(session(100_000, 109_999, 2)),
            },
            placement: Placement::PreviousExtended,
            touched: vec![touched(0, 100_000, closed(109_999, 2))],
        }
    );
}

#[test]
fn late_click_inside_the_previous_session_corrects_its_count() {
    let applied = apply_all(&[100_000, 105_000, 130_000, 103_000]);
    assert_eq!(applied.sessions.previous, Some(session(100_000, 105_000, 3)));
    assert_eq!(applied.touched, vec![touched(0, 100_000, closed(105_000, 3))]);
}

#[test]
fn clicks_that_would_renumber_published_sessions_are_late_and_change_nothing() {
    let unchanged_by = |times: &[u64], late: u64| {
        let before = apply_all(times).sessions;
        let applied = apply(Some(before.clone()), &click(late), GAP);
        assert_eq!((applied.placement, applied.touched, applied.sessions), (Placement::Late, vec![], before), "{late}");
    };
    unchanged_by(&[100_000], 90_000); // a gap before the first session
    unchanged_by(&[100_000, 130_000], 99_999); // before the previous session
    unchanged_by(&[100_000, 150_000], 115_000); // more than a gap away from both sessions
    unchanged_by(&[100_000, 150_000], 110_000); // exactly a gap after the previous session
    unchanged_by(&[50_000, 100_000, 112_000, 105_000], 95_000); // after a merge, the session before is unknown
}

#[test]
fn start_of_the_first_session_can_still_move_after_a_merge() {
    assert_eq!(apply_all(&[100_000, 112_000, 105_000, 95_000]).placement, Placement::StartMoved);
}

/// The sessions of the sorted stream: start, end and count of each.
fn sessions_of_sorted(mut times: Vec<u64>) -> Vec<(u64, u64, u64)> {
    times.sort_unstable();
    let mut sessions: Vec<(u64, u64, u64)> = Vec::new();
    for ms in times {
        match sessions.last_mut() {
            Some((_, end, count)) if ms - *end < GAP.0 => (*end, *count) = (ms, *count + 1),
            _ => sessions.push((ms, ms, 1)),
        }
    }
    sessions
}

/// The table after storing every touched session: by ordinal, without retracted sessions.
fn table_of(times: &[u64]) -> std::collections::BTreeMap<u64, TouchedSession> {
    let mut table = std::collections::BTreeMap::new();
    let mut sessions = None;
    for ms in times {
        let applied = apply(sessions.take(), &click(*ms), GAP);
        for touched in applied.touched {
            table.insert(touched.ordinal, touched);
        }
        sessions = Some(applied.sessions);
    }
    table.retain(|_, session| session.status != Status::Retracted);
    table
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The guarantee of design section 4 for disorder below the gap.
    #[test]
    fn disorder_below_the_gap_gives_the_sessions_of_the_sorted_stream(
        steps in prop::collection::vec((prop_oneof![0..3_000_u64, 8_000..12_000_u64, 0..40_000_u64], 0..GAP.0), 1..60)
    ) {
        let mut now = 1_000_000;
        let mut newest = 0;
        let mut times = Vec::new();
        for (step, delay) in steps {
            now += step;
            // Always less than the gap behind the newest click so far.
            let time = (now - delay).max((newest + 1_u64).saturating_sub(GAP.0));
            newest = newest.max(time);
            times.push(time);
        }
        let table = table_of(&times);
        let sorted = sessions_of_sorted(times);
        prop_assert_eq!(table.len(), sorted.len());
        for ((ordinal, session), (n, (start, end, count))) in table.into_iter().zip(sorted.iter().enumerate()) {
            prop_assert_eq!(ordinal, n as u64);
            prop_assert_eq!(session.start.ms(), *start);
            let status = if n + 1 == sorted.len() { Status::Open } else { closed(*end, *count) };
            prop_assert_eq!(session.status, status);
        }
    }

    /// In any order, sessions stay a gap apart, and each click is in a session or late.
    #[test]
    fn any_order_keeps_sessions_apart_and_loses_no_click(times in prop::collection::vec(0..120_000_u64, 1..60)) {
        let mut sessions: Option<UserSessions> = None;
        for ms in times {
            let before = sessions.clone();
            let applied = apply(sessions.take(), &click(ms), GAP);
            let user = applied.sessions;
            prop_assert!(user.current.start <= user.current.end);
            if let Some(previous) = &user.previous {
                prop_assert!(user.ordinal > 0);
                prop_assert!(previous.start <= previous.end);
                prop_assert!(user.current.start.ms_since(previous.end) >= GAP.0);
            }
            let count = |user: &UserSessions| {
                user.current.event_count + user.previous.as_ref().map_or(0, |session| session.event_count)
            };
            match applied.placement {
                Placement::Late => prop_assert_eq!(Some(&user), before.as_ref()),
                Placement::Started => prop_assert_eq!(user.current.event_count, 1),
                _ => prop_assert_eq!(Some(count(&user)), before.as_ref().map(|before| count(before) + 1)),
            }
            sessions = Some(user);
        }
    }
}
