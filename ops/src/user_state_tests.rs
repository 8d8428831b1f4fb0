use shared::columns::values::{ColumnValue, Seen, TextAt};
use shared::session::SessionGap;
use shared::session_window::SessionWindow;

use super::*;

const BEGIN_MS: u64 = 1_721_390_000_000;
const TIMING: Timing = Timing {
    rule: WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 60_000, cut: SessionCut::None },
    grace_ms: 5_000,
};
const RULE: WindowRule = TIMING.rule;

fn click(ms: u64) -> Click {
    let time = EventTime::from_ms(ms).unwrap();
    Click {
        user_id: UserId::new("u").unwrap(),
        time,
        attributes: Attributes::default(),
        columns: ColumnValues::default(),
    }
}

/// A user who clicked at these seconds, in this order.
fn user(seconds: &[u64], told_closed: bool) -> UserEntry {
    let mut draft = WindowDraft::on(SessionWindow::default());
    seconds.iter().for_each(|second| _ = draft.apply(&click(BEGIN_MS + second * 1_000), RULE));
    let window = SessionWindow { told_closed, ..draft.into_window() };
    UserEntry { window, arrival_ms: BEGIN_MS + 500_000, has_item: false }
}

fn state(entry: UserEntry) -> UserState {
    let in_log = Some(InLog { entry, columns: SessionColumns::default(), commit: 1_007, commits_since: 3 });
    UserState { user_id: UserId::new("u").unwrap(), bucket: Some((1, 4)), in_log, at_rest: None }
}

#[test]
fn what_is_said_of_late_clicks_is_what_the_rule_does() {
    for seconds in [&[100][..], &[100, 120], &[100, 105, 175], &[100, 150, 300], &[100, 169, 171]] {
        let entry = user(seconds, false);
        let from_ms = counts_from_ms(&state(entry.clone()).user_id, &entry, TIMING).unwrap();
        let placed = |ms| WindowDraft::on(entry.window.clone()).apply(&click(ms), RULE);
        assert_eq!(placed(from_ms - 1), Placement::Late, "{seconds:?}");
        assert_ne!(placed(from_ms), Placement::Late, "{seconds:?}");

        let first = &entry.window.sessions[0];
        let first_after = |ms| {
            let mut draft = WindowDraft::on(entry.window.clone());
            draft.apply(&click(ms), RULE);
            draft.into_window().first_ordinal
        };
        let fixed_ms = fixed_from_ms(first, TIMING);
        assert_eq!(first_after(fixed_ms - 1), entry.window.first_ordinal, "{seconds:?}");
        assert!(first_after(fixed_ms) > entry.window.first_ordinal, "{seconds:?}");
    }
}

#[test]
fn cut_ends_a_session_before_its_gap_is_over() {
    let entry = user(&[100], false);
    let end_ms = BEGIN_MS + 100_000;
    // 11:55:00 UTC is midnight by a clock that is 12:05 ahead.
    let cut = SessionCut::daily(725);
    let timing = Timing { rule: WindowRule { cut, ..RULE }, ..TIMING };
    assert_eq!(cut.next_after(EventTime::from_ms(end_ms - 1).unwrap()), Some(end_ms));
    assert_eq!(fixed_from_ms(&entry.window.sessions[0], timing), end_ms + 70_000, "the next cut is a day away");
    let before = Session { end: EventTime::from_ms(end_ms - 4_000).unwrap(), ..entry.window.sessions[0].clone() };
    assert_eq!(fixed_from_ms(&before, timing), end_ms + 60_000);
}

#[test]
fn user_under_way_is_shown_with_what_may_still_change() {
    let expected = "\
u: under way, in the log of bucket 1 (of 4), commit 1007, 3 commits ago
last click that was not late: arrived at 2024-07-19 12:01:40 UTC
told inactive: at 2024-07-19 12:01:55 UTC, if no click arrives before
sessions that late clicks can still change: 2
  u_0  2024-07-19 11:55:00 to 2024-07-19 11:55:05, 2 clicks, closed; until the user clicks at 2024-07-19 11:56:15 or later
  u_1  2024-07-19 11:55:30 to 2024-07-19 11:55:30, 1 click, open; until the user clicks at 2024-07-19 11:56:40 or later
clicks before 2024-07-19 11:54:20 UTC are late and change nothing
item of session-state: none
assumed: SESSION_GAP_SECONDS=10, ALLOWED_LATENESS_SECONDS=60, CLOSE_GRACE_SECONDS=5, SESSION_CUT=none
";
    assert_eq!(state(user(&[100, 105, 130], false)).text(TIMING), expected);
}

#[test]
fn columns_are_shown_under_their_aggregates() {
    let columns = SessionColumns::parse("entry = first(/page), n = count(), s = sum(/value)").unwrap();
    let mut entry = user(&[100], false);
    let page = TextAt { time: EventTime::from_ms(BEGIN_MS).unwrap(), text: "/a\u{9b}b".into() };
    let mut values = [Seen::First(Some(page)), Seen::Count(1), Seen::Sum(None)].map(ColumnValue::from);
    values[1].is_partial = true;
    entry.window.sessions[0].columns = values.into_iter().collect();
    let mut state = state(entry);
    state.in_log.as_mut().unwrap().columns = columns;
    let text = state.text(TIMING);
    let expected = "
    first(/page) = \"/a\\u{9b}b\"
    count() = 1, of the clicks since it was declared
    sum(/value) = none
";
    assert!(text.contains(expected), "{text}");
    let expected = json!([
        {"aggregate": "first(/page)", "value": "/a\u{9b}b", "partial": false},
        {"aggregate": "count()", "value": 1, "partial": true},
        {"aggregate": "sum(/value)", "value": null, "partial": false},
    ]);
    assert_eq!(state.json(TIMING)["sessions"][0]["columns"], expected);
}

#[test]
fn each_phase_has_its_words() {
    let closed = state(user(&[100], true));
    let at_rest = Some(AtRest { entry: user(&[90], true), columns: SessionColumns::default(), commit: 900 });
    let forgotten = state(UserEntry::forgotten(BEGIN_MS));
    let cases = [
        (
            closed.clone(),
            "closed",
            "u: closed, in the log of bucket 1",
            "a click that continues the last session reopens it",
        ),
        (UserState { at_rest: at_rest.clone(), ..closed }, "closed", "u: closed", "older than the log, which counts"),
        (
            UserState { in_log: None, at_rest, ..forgotten.clone() },
            "at rest",
            "u: at rest; bucket 1 (of 4) has no entry",
            "this is what counts",
        ),
        (UserState { in_log: None, ..forgotten.clone() }, "unknown", "u: nothing is stored", "a new user's"),
        (forgotten, "forgotten", "u: forgotten, in the log", "forgotten at 2024-07-19 11:53:20 UTC"),
    ];
    for (state, phase, start, part) in cases {
        let text = state.text(TIMING);
        assert!(text.starts_with(start) && text.contains(part), "{text}");
        assert_eq!(state.json(TIMING)["phase"], phase);
    }
}

#[test]
fn json_has_times_in_milliseconds() {
    let json = state(user(&[100, 105, 130], false)).json(TIMING);
    let session = |number: usize, key: &str| json["sessions"][number][key].clone();
    assert_eq!(session(0, "session_id"), "u_0");
    assert_eq!((session(0, "told_closed"), session(1, "told_closed")), (true.into(), false.into()));
    assert_eq!(session(1, "fixed_once_user_clicks_at"), BEGIN_MS + 200_000);
    assert_eq!(json["told_inactive_at"], BEGIN_MS + 515_000);
    assert_eq!((&json["commit"], &json["item"]), (&1_007.into(), &Value::Null));
}
