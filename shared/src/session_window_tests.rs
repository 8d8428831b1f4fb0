//! What one click and one commit do. `session_window_streams_tests` has whole streams.
use super::*;
use crate::attributes::Attributes;
use crate::columns::published::PublishedColumns;
use crate::columns::values::ColumnValues;
use crate::session::Status;
use crate::user_id::UserId;

const GAP_MS: u64 = 10_000;
const LATENESS_MS: u64 = 3_600_000;
const RULE: WindowRule =
    WindowRule { gap: SessionGap::from_ms(GAP_MS), lateness_ms: LATENESS_MS, cut: SessionCut::None };

fn at(ms: u64) -> EventTime {
    EventTime::from_ms(ms).expect("a time before the year 10000")
}

fn named_click(ms: u64, name: &str) -> Click {
    let attributes = Attributes { event_name: Some(name.into()), ..Attributes::default() };
    Click { user_id: UserId::new("u").expect("a valid id"), time: at(ms), attributes, columns: ColumnValues::default() }
}

/// A click whose name is its time.
fn click(ms: u64) -> Click {
    named_click(ms, &ms.to_string())
}

fn session(start: u64, end: u64, event_count: u64) -> Session {
    Session {
        start: at(start),
        end: at(end),
        event_count,
        attributes: click(start).attributes,
        columns: ColumnValues::default(),
    }
}

fn window(first_ordinal: u64, sessions: &[(u64, u64, u64)]) -> SessionWindow {
    let sessions = sessions.iter().map(|(start, end, count)| session(*start, *end, *count)).collect();
    SessionWindow { first_ordinal, sessions, left_behind_until_ms: None, told_closed: false }
}

fn open(ordinal: u64, start: u64) -> TouchedSession {
    TouchedSession {
        ordinal,
        start: at(start),
        attributes: click(start).attributes,
        columns: PublishedColumns::default(),
        status: Status::Open,
    }
}

fn closed(ordinal: u64, start: u64, end: u64, event_count: u64) -> TouchedSession {
    TouchedSession { status: Status::Closed { end: at(end), event_count }, ..open(ordinal, start) }
}

fn retracted(ordinal: u64, start: u64) -> TouchedSession {
    TouchedSession { status: Status::Retracted, ..open(ordinal, start) }
}

const CONTINUED: Placement = Placement::Continued { reopened: false, merged: 0 };

/// The effect of one click that is a commit of its own.
fn one(window: SessionWindow, ms: u64) -> (Placement, SessionWindow, Vec<TouchedSession>) {
    let mut draft = WindowDraft::on(window);
    let placement = draft.apply(&click(ms), RULE);
    let touched = draft.touched();
    (placement, draft.into_window(), touched)
}

/// Applies clicks at these times, each a commit of its own; returns the effect of the last one.
fn each(times: &[u64]) -> (Placement, SessionWindow, Vec<TouchedSession>) {
    let (last, first) = times.split_last().expect("at least one click");
    let before = first.iter().fold(SessionWindow::default(), |window, ms| one(window, *ms).1);
    one(before, *last)
}

/// The draft after clicks at these times in one commit.
fn commit(window: SessionWindow, times: &[u64]) -> WindowDraft {
    let mut draft = WindowDraft::on(window);
    for ms in times {
        draft.apply(&click(*ms), RULE);
    }
    draft
}

fn placement_of(window: &SessionWindow, ms: u64) -> Placement {
    one(window.clone(), ms).0
}

mod placing {
    use super::*;

    #[test]
    fn first_click_starts_session_0() {
        let started = (Placement::Started, window(0, &[(100_000, 100_000, 1)]), vec![open(0, 100_000)]);
        assert_eq!(each(&[100_000]), started);
    }

    #[test]
    fn click_one_millisecond_below_the_gap_continues_the_session() {
        assert_eq!(each(&[100_000, 109_999]), (CONTINUED, window(0, &[(100_000, 109_999, 2)]), vec![]));
    }

    #[test]
    fn click_exactly_at_the_gap_closes_the_session_and_starts_the_next() {
        let both = window(0, &[(100_000, 100_000, 1), (110_000, 110_000, 1)]);
        let told = vec![closed(0, 100_000, 100_000, 1), open(1, 110_000)];
        assert_eq!(each(&[100_000, 110_000]), (Placement::Started, both, told));
    }

    #[test]
    fn late_click_inside_the_session_changes_only_its_count() {
        assert_eq!(each(&[100_000, 105_000, 103_000]), (CONTINUED, window(0, &[(100_000, 105_000, 3)]), vec![]));
    }

    #[test]
    fn click_at_the_very_start_does_not_replace_the_first_click() {
        let mut draft = WindowDraft::on(SessionWindow::default());
        draft.apply(&named_click(100_000, "first"), RULE);
        draft.apply(&named_click(100_000, "second"), RULE);
        let session = draft.window().last().expect("a session");
        assert_eq!((session.attributes.event_name.as_deref(), session.event_count), (Some("first"), 2));
    }

    #[test]
    fn late_click_at_the_front_brings_its_start_and_attributes() {
        assert_eq!(each(&[100_000, 90_001]), (CONTINUED, window(0, &[(90_001, 100_000, 2)]), vec![open(0, 90_001)]));
    }

    #[test]
    fn late_click_exactly_a_gap_before_the_start_is_a_session_of_its_own() {
        let both = window(0, &[(90_000, 90_000, 1), (100_000, 100_000, 1)]);
        let told = vec![closed(0, 90_000, 90_000, 1), open(1, 100_000)];
        assert_eq!(each(&[100_000, 90_000]), (Placement::Started, both, told));
    }

    #[test]
    fn late_click_that_stays_a_gap_away_from_the_session_before_moves_the_start() {
        let (placement, window, told) = each(&[100_000, 115_000, 110_000]);
        assert_eq!(
            (placement, window.sessions),
            (CONTINUED, vec![session(100_000, 100_000, 1), session(110_000, 115_000, 2)])
        );
        assert_eq!(told, [open(1, 110_000)]);
    }

    #[test]
    fn late_click_corrects_a_session_before_the_last() {
        let (_, at_the_end, told) = each(&[100_000, 130_000, 109_999]);
        assert_eq!(at_the_end.sessions[0], session(100_000, 109_999, 2));
        assert_eq!(told, [closed(0, 100_000, 109_999, 2)]);
        let (_, inside, told) = each(&[100_000, 105_000, 130_000, 103_000]);
        assert_eq!(inside.sessions[0], session(100_000, 105_000, 3));
        assert_eq!(told, [closed(0, 100_000, 105_000, 3)]);
        let (_, in_front, told) = each(&[100_000, 130_000, 99_999]);
        assert_eq!(in_front.sessions[0], session(99_999, 100_000, 2));
        assert_eq!(told, [closed(0, 99_999, 100_000, 2)]);
    }

    #[test]
    fn late_click_between_two_sessions_makes_them_one() {
        let merged = Placement::Continued { reopened: false, merged: 1 };
        let told = vec![open(0, 100_000), retracted(1, 112_000)];
        assert_eq!(each(&[100_000, 112_000, 105_000]), (merged, window(0, &[(100_000, 112_000, 3)]), told));
    }

    #[test]
    fn sessions_behind_a_merger_move_down_and_the_last_ordinal_is_retracted() {
        let (_, merged, told) = each(&[100_000, 112_000, 150_000, 105_000]);
        assert_eq!(merged, window(0, &[(100_000, 112_000, 3), (150_000, 150_000, 1)]));
        assert_eq!(told, [closed(0, 100_000, 112_000, 3), open(1, 150_000), retracted(2, 150_000)]);
    }

    #[test]
    fn session_in_the_middle_moves_those_behind_it_up() {
        let (placement, three, told) = each(&[100_000, 150_000, 110_000]);
        assert_eq!(placement, Placement::Started);
        assert_eq!(three, window(0, &[(100_000, 100_000, 1), (110_000, 110_000, 1), (150_000, 150_000, 1)]));
        assert_eq!(told, [closed(1, 110_000, 110_000, 1), open(2, 150_000)]);
    }

    #[test]
    fn session_in_front_moves_all_others_up() {
        let (_, three, told) = each(&[100_000, 150_000, 50_000]);
        assert_eq!(three, window(0, &[(50_000, 50_000, 1), (100_000, 100_000, 1), (150_000, 150_000, 1)]));
        assert_eq!(told, [closed(0, 50_000, 50_000, 1), closed(1, 100_000, 100_000, 1), open(2, 150_000)]);
    }

    #[test]
    fn late_clicks_of_one_commit_make_three_sessions_one() {
        let three = commit(SessionWindow::default(), &[100_000, 112_000, 124_000]).into_window();
        let one = commit(three, &[105_000, 118_000]);
        assert_eq!(one.window(), &window(0, &[(100_000, 124_000, 5)]));
        assert_eq!(one.touched(), [open(0, 100_000), retracted(1, 112_000), retracted(2, 124_000)]);
    }

    #[test]
    fn click_a_gap_beyond_the_lateness_is_late_unless_it_belongs_to_a_session() {
        let newest = window(0, &[(5_000_000, 5_000_000, 1)]);
        let edge = 5_000_000 - LATENESS_MS - GAP_MS;
        assert_eq!(one(newest.clone(), edge), (Placement::Late, newest.clone(), vec![]));
        assert_eq!(placement_of(&newest, edge + 1), Placement::Started);
        let with_a_session_there = window(0, &[(edge + 1, edge + 1, 1), (5_000_000, 5_000_000, 1)]);
        assert_eq!(placement_of(&with_a_session_there, edge - GAP_MS + 2), CONTINUED);
        assert_eq!(placement_of(&with_a_session_there, edge - GAP_MS + 1), Placement::Late);
    }

    #[test]
    fn without_lateness_a_click_can_still_reach_into_the_last_session() {
        let rule = WindowRule { lateness_ms: 0, ..RULE };
        let mut draft = WindowDraft::on(window(0, &[(100_000, 100_000, 1)]));
        assert_eq!(draft.apply(&click(90_000), rule), Placement::Late);
        assert_eq!(draft.apply(&click(90_001), rule), CONTINUED);
        assert_eq!(draft.apply(&click(110_000), rule), Placement::Started);
        assert_eq!(draft.window().sessions, [session(110_000, 110_000, 1)]);
    }

    #[test]
    fn click_ahead_by_a_quarter_of_the_lateness_leaves_three_quarters_to_the_others() {
        let now = 10_000_000;
        let (ahead, left) = (LATENESS_MS / 4, LATENESS_MS - LATENESS_MS / 4);
        let (_, window, _) = each(&[now, now + ahead]);
        assert_eq!(placement_of(&window, now - left), Placement::Started);
        assert_eq!(placement_of(&window, now - left - GAP_MS + 1), Placement::Started);
        assert_eq!(placement_of(&window, now - left - GAP_MS), Placement::Late);
    }

    #[test]
    fn no_time_makes_the_arithmetic_wrap() {
        let any = WindowRule { gap: SessionGap::from_ms(u64::MAX), lateness_ms: u64::MAX, ..RULE };
        let mut draft =
            WindowDraft::on(SessionWindow { left_behind_until_ms: Some(0), ..window(u64::MAX, &[(0, 0, u64::MAX)]) });
        assert_eq!(draft.apply(&click(253_402_300_799_999), any), CONTINUED);
        assert_eq!(draft.apply(&click(0), RULE), CONTINUED);
        assert_eq!((draft.window().last_ordinal(), draft.window().sessions[0].event_count), (Some(u64::MAX), u64::MAX));
    }

    #[test]
    fn clicks_of_one_millisecond_are_one_session_even_without_a_gap() {
        let rule = WindowRule { gap: SessionGap::from_ms(0), ..RULE };
        let mut draft = WindowDraft::on(SessionWindow::default());
        let placements = [5, 5, 6].map(|ms| draft.apply(&click(ms), rule));
        assert_eq!(placements, [Placement::Started, CONTINUED, Placement::Started]);
    }
}

mod leaving_behind {
    use super::*;

    /// A window of this many sessions, 20 s apart, and the start of the next.
    fn of_sessions(count: u64) -> (SessionWindow, u64) {
        let starts: Vec<_> = (0..count).map(|n| 1_000_000 + 20_000 * n).collect();
        (commit(SessionWindow::default(), &starts).into_window(), 1_000_000 + 20_000 * count)
    }

    fn with_attribute_of(bytes: usize, ms: u64) -> Click {
        named_click(ms, &"n".repeat(bytes))
    }

    #[test]
    fn session_whose_end_and_gap_are_the_lateness_behind_is_left_behind() {
        let end = 5_000_000 - LATENESS_MS - GAP_MS;
        let (_, left, told) = each(&[end, 5_000_000]);
        let expected =
            SessionWindow { left_behind_until_ms: Some(end + GAP_MS), ..window(1, &[(5_000_000, 5_000_000, 1)]) };
        assert_eq!(left, expected);
        assert_eq!(told, [closed(0, end, end, 1), open(1, 5_000_000)]);
        assert_eq!(each(&[end + 1, 5_000_000]).1.sessions.len(), 2);
    }

    #[test]
    fn sessions_are_left_behind_when_the_last_one_moves_on() {
        let end = 5_000_000 - LATENESS_MS - GAP_MS;
        let (placement, left, told) = each(&[end + 1, 5_000_000, 5_000_001]);
        assert_eq!(
            (placement, left.first_ordinal, left.sessions),
            (CONTINUED, 1, vec![session(5_000_000, 5_000_001, 2)])
        );
        assert_eq!(told, [], "the session left behind was told closed before");
    }

    #[test]
    fn click_before_the_end_and_gap_of_what_was_left_behind_is_late() {
        let end = 5_000_000 - LATENESS_MS - GAP_MS;
        let (_, left, _) = each(&[end, 5_000_000]);
        assert_eq!(one(left.clone(), end + GAP_MS - 1), (Placement::Late, left.clone(), vec![]));
        let (placement, placed, told) = one(left, end + GAP_MS);
        assert_eq!((placement, placed.first_ordinal), (Placement::Started, 1));
        assert_eq!(told, [closed(1, end + GAP_MS, end + GAP_MS, 1), open(2, 5_000_000)]);
    }

    #[test]
    fn what_was_left_behind_keeps_the_gap_of_that_moment() {
        let end = 5_000_000 - LATENESS_MS - GAP_MS;
        let (_, left, _) = each(&[end, 5_000_000]);
        for gap_ms in [1_000, 60_000] {
            let rule = WindowRule { gap: SessionGap::from_ms(gap_ms), ..RULE };
            assert_eq!(WindowDraft::on(left.clone()).apply(&click(end + GAP_MS - 1), rule), Placement::Late);
            assert_eq!(WindowDraft::on(left.clone()).apply(&click(end + GAP_MS), rule), Placement::Started);
            let mut draft = WindowDraft::on(left.clone());
            draft.apply(&click(5_000_000), rule);
            assert_eq!(draft.window().left_behind_until_ms, Some(end + GAP_MS), "nothing else was left behind");
        }
    }

    #[test]
    fn the_33rd_session_leaves_the_oldest_behind() {
        let (window, next) = of_sessions(32);
        assert_eq!((window.first_ordinal, window.sessions.len(), window.left_behind_until_ms), (0, 32, None));
        let (_, window, told) = one(window, next);
        assert_eq!((window.first_ordinal, window.sessions.len()), (1, 32));
        assert_eq!(window.left_behind_until_ms, Some(1_000_000 + GAP_MS));
        assert_eq!(told, [closed(31, next - 20_000, next - 20_000, 1), open(32, next)]);
    }

    #[test]
    fn session_that_starts_in_front_of_32_others_is_told_and_left_behind() {
        let (window, _) = of_sessions(32);
        let (placement, window, told) = one(window, 900_000);
        assert_eq!((placement, window.first_ordinal, window.sessions.len()), (Placement::Started, 1, 32));
        assert_eq!((told.len(), &told[0]), (33, &closed(0, 900_000, 900_000, 1)), "all others move up");
        assert_eq!(placement_of(&window, 909_999), Placement::Late);
    }

    #[test]
    fn more_than_4_kb_of_attributes_leave_the_oldest_behind() {
        let mut draft = WindowDraft::on(SessionWindow::default());
        for n in 0..16 {
            draft.apply(&with_attribute_of(256, 1_000_000 + 20_000 * n), RULE);
        }
        assert_eq!((draft.window().sessions.len(), draft.window().len_bytes()), (16, 4_096));
        draft.apply(&with_attribute_of(1, 2_000_000), RULE);
        assert_eq!((draft.window().first_ordinal, draft.window().len_bytes()), (1, 15 * 256 + 1));
        draft.apply(&with_attribute_of(256 + 255, 3_000_000), RULE);
        assert_eq!((draft.window().first_ordinal, draft.window().len_bytes()), (2, 14 * 256 + 256 + 256));
        assert_eq!(draft.window().left_behind_until_ms, Some(1_020_000 + GAP_MS));
    }

    #[test]
    fn longer_attributes_of_an_earlier_start_leave_the_oldest_behind() {
        let mut draft = WindowDraft::on(SessionWindow::default());
        draft.apply(&with_attribute_of(2_000, 1_000_000), RULE);
        draft.apply(&with_attribute_of(2_000, 1_020_000), RULE);
        let mut draft = WindowDraft::on(draft.into_window());
        draft.apply(&with_attribute_of(2_500, 1_019_000), RULE);
        let told = draft.touched();
        assert_eq!((draft.window().first_ordinal, draft.window().sessions.len()), (1, 1));
        assert_eq!(
            (told.len(), told[0].ordinal, told[0].status),
            (1, 1, Status::Open),
            "session 0 was told closed before"
        );
    }

    #[test]
    fn the_last_session_is_never_left_behind() {
        let mut draft = WindowDraft::on(window(0, &[(1_000_000, 1_000_000, 1), (1_020_000, 1_020_000, 1)]));
        draft.apply(&with_attribute_of(MAX_WINDOW_ATTRIBUTE_BYTES + 1, 2_000_000), RULE);
        assert_eq!((draft.window().first_ordinal, draft.window().sessions.len()), (2, 1));
        draft.apply(&with_attribute_of(MAX_WINDOW_ATTRIBUTE_BYTES + 1, 9_000_000), RULE);
        assert_eq!((draft.window().first_ordinal, draft.window().sessions.len()), (3, 1));
    }

    #[test]
    fn sessions_that_start_and_are_left_behind_in_one_commit_are_told_closed() {
        let draft = commit(window(7, &[(1_000_000, 1_000_000, 1)]), &[1_005_000, 2_000_000, 9_000_000]);
        let told = [closed(7, 1_000_000, 1_005_000, 2), closed(8, 2_000_000, 2_000_000, 1), open(9, 9_000_000)];
        assert_eq!(draft.touched(), told);
        assert_eq!(draft.window().left_behind_until_ms, Some(2_000_000 + GAP_MS));
    }

    #[test]
    fn session_left_behind_as_it_was_told_is_not_told_again() {
        let before = window(0, &[(1_000_000, 1_000_000, 1), (1_020_000, 1_020_000, 1)]);
        let told = [closed(1, 1_020_000, 1_020_000, 1), open(2, 9_000_000)];
        assert_eq!(commit(before, &[9_000_000]).touched(), told);
    }

    #[test]
    fn session_corrected_before_it_was_left_behind_is_told_again() {
        let before = window(0, &[(1_000_000, 1_000_000, 1), (1_020_000, 1_020_000, 1)]);
        let draft = commit(SessionWindow { told_closed: true, ..before }, &[1_001_000, 9_000_000]);
        assert_eq!(draft.touched(), [closed(0, 1_000_000, 1_001_000, 2), open(2, 9_000_000)]);
    }
}

mod changed_gaps {
    use super::*;

    fn with_gap(ms: u64) -> WindowRule {
        WindowRule { gap: SessionGap::from_ms(ms), ..RULE }
    }

    #[test]
    fn one_click_makes_all_sessions_nearer_than_a_larger_gap_one() {
        let mut draft =
            WindowDraft::on(window(0, &[(100_000, 100_000, 1), (112_000, 112_000, 1), (124_000, 124_000, 1)]));
        let merged = Placement::Continued { reopened: false, merged: 2 };
        assert_eq!(draft.apply(&click(113_000), with_gap(30_000)), merged);
        assert_eq!(draft.window(), &window(0, &[(100_000, 124_000, 4)]));
        assert_eq!(draft.touched(), [open(0, 100_000), retracted(1, 112_000), retracted(2, 124_000)]);
    }

    #[test]
    fn click_after_the_last_session_can_merge_and_reopen_it() {
        let told_closed =
            SessionWindow { told_closed: true, ..window(0, &[(100_000, 100_000, 1), (112_000, 112_000, 1)]) };
        let mut draft = WindowDraft::on(told_closed);
        let both = Placement::Continued { reopened: true, merged: 1 };
        assert_eq!(draft.apply(&click(121_000), with_gap(30_000)), both);
        assert_eq!(draft.window(), &window(0, &[(100_000, 121_000, 3)]));
        assert_eq!(draft.touched(), [open(0, 100_000), retracted(1, 112_000)]);
    }

    #[test]
    fn sessions_nearer_than_a_larger_gap_stay_apart_until_a_click_touches_them() {
        let mut draft = WindowDraft::on(window(0, &[(100_000, 100_000, 1), (112_000, 112_000, 1)]));
        assert_eq!(draft.apply(&click(150_000), with_gap(30_000)), Placement::Started);
        assert_eq!(draft.window().sessions.len(), 3);
    }

    #[test]
    fn click_inside_a_session_belongs_to_it_even_if_a_smaller_gap_would_have_cut_it() {
        let mut draft = WindowDraft::on(window(0, &[(100_000, 118_000, 3)]));
        assert_eq!(draft.apply(&click(109_000), with_gap(1_000)), CONTINUED);
        assert_eq!(draft.apply(&click(119_000), with_gap(1_000)), Placement::Started);
    }
}

mod telling {
    use super::*;

    const REOPENED: Placement = Placement::Continued { reopened: true, merged: 0 };

    /// The sessions, the last of them told closed.
    fn told_closed(sessions: &[(u64, u64, u64)]) -> SessionWindow {
        SessionWindow { told_closed: true, ..window(0, sessions) }
    }

    #[test]
    fn closing_tells_the_last_session_with_its_summary_once() {
        let mut draft = WindowDraft::on(window(0, &[(100_000, 101_000, 2), (120_000, 123_000, 4)]));
        draft.close();
        draft.close();
        assert_eq!(draft.touched(), [closed(1, 120_000, 123_000, 4)]);
        let mut again = WindowDraft::on(draft.into_window());
        again.close();
        assert_eq!(again.touched(), []);
    }

    #[test]
    fn user_without_a_click_has_nothing_to_close() {
        let mut draft = WindowDraft::on(SessionWindow::default());
        draft.close();
        assert_eq!((draft.touched(), draft.window().last_ordinal()), (vec![], None));
        assert_eq!(draft.into_window(), SessionWindow::default());
    }

    #[test]
    fn click_that_moves_the_end_of_a_session_told_closed_reopens_it() {
        let reopened = (REOPENED, window(0, &[(100_000, 105_001, 3)]), vec![open(0, 100_000)]);
        assert_eq!(one(told_closed(&[(100_000, 105_000, 2)]), 105_001), reopened);
    }

    #[test]
    fn late_click_corrects_a_session_told_closed_without_reopening_it() {
        for (ms, start) in [(105_000, 100_000), (103_000, 100_000), (99_000, 99_000)] {
            let corrected = (CONTINUED, told_closed(&[(start, 105_000, 3)]), vec![closed(0, start, 105_000, 3)]);
            assert_eq!(one(told_closed(&[(100_000, 105_000, 2)]), ms), corrected, "{ms}");
        }
    }

    #[test]
    fn new_last_session_is_open_after_one_told_closed() {
        let both = window(0, &[(100_000, 105_000, 2), (120_000, 120_000, 1)]);
        let started = (Placement::Started, both, vec![open(1, 120_000)]);
        assert_eq!(one(told_closed(&[(100_000, 105_000, 2)]), 120_000), started);
    }

    #[test]
    fn session_in_front_of_one_told_closed_leaves_it_closed() {
        let both = told_closed(&[(50_000, 50_000, 1), (100_000, 105_000, 2)]);
        let told = vec![closed(0, 50_000, 50_000, 1), closed(1, 100_000, 105_000, 2)];
        assert_eq!(one(told_closed(&[(100_000, 105_000, 2)]), 50_000), (Placement::Started, both, told));
    }

    #[test]
    fn merger_into_a_session_told_closed_leaves_it_closed() {
        let merged = Placement::Continued { reopened: false, merged: 1 };
        let told = vec![closed(0, 100_000, 112_000, 3), retracted(1, 112_000)];
        let before = told_closed(&[(100_000, 100_000, 1), (112_000, 112_000, 1)]);
        assert_eq!(one(before, 105_000), (merged, told_closed(&[(100_000, 112_000, 3)]), told));
    }

    #[test]
    fn session_reopened_and_closed_in_one_commit_is_told_once() {
        let mut draft = commit(told_closed(&[(100_000, 105_000, 2)]), &[106_000]);
        draft.close();
        assert_eq!(draft.touched(), [closed(0, 100_000, 106_000, 3)]);
    }

    #[test]
    fn sessions_that_end_up_as_they_were_told_are_not_told_again() {
        let late_only = commit(told_closed(&[(5_000_000, 5_000_000, 1)]), &[1_000, 2_000]);
        assert_eq!(late_only.touched(), []);
        let unseen = commit(window(0, &[(100_000, 100_000, 1)]), &[112_000, 105_000, 108_000]);
        assert_eq!(unseen.touched(), [], "session 1 came and went within the commit");
        assert_eq!(unseen.window(), &window(0, &[(100_000, 112_000, 4)]));
    }

    #[test]
    fn start_that_moves_is_told_even_if_all_clicks_are_alike() {
        let mut draft = WindowDraft::on(SessionWindow::default());
        draft.apply(&named_click(100_000, "same"), RULE);
        let mut draft = WindowDraft::on(draft.into_window());
        draft.apply(&named_click(99_000, "same"), RULE);
        let attributes = named_click(0, "same").attributes;
        assert_eq!(draft.touched(), [TouchedSession { attributes, ..open(0, 99_000) }]);
    }

    #[test]
    fn click_that_only_continues_an_open_last_session_copies_nothing() {
        let mut draft = WindowDraft::on(window(0, &[(100_000, 100_000, 1), (120_000, 120_000, 1)]));
        draft.apply(&click(125_000), RULE);
        draft.apply(&click(121_000), RULE);
        assert_eq!((&draft.before, draft.touched()), (&None, vec![]));
    }

    #[test]
    fn within_a_commit_only_how_a_session_ends_up_is_told() {
        let draft = commit(SessionWindow::default(), &[100_000, 90_001, 101_000, 120_000, 125_000]);
        assert_eq!(draft.touched(), [closed(0, 90_001, 101_000, 3), open(1, 120_000)]);
    }

    #[test]
    fn session_whose_ordinal_is_used_again_is_not_retracted() {
        let draft = commit(window(0, &[(100_000, 100_000, 1), (112_000, 112_000, 1)]), &[105_000, 150_000]);
        assert_eq!(draft.touched(), [closed(0, 100_000, 112_000, 3), open(1, 150_000)]);
    }

    #[test]
    fn retracted_session_is_as_it_was_told_before_the_commit() {
        let before = window(0, &[(100_000, 100_000, 1), (115_000, 115_000, 1)]);
        let draft = commit(before, &[111_000, 105_000]); // the start of session 1 moves first
        assert_eq!(draft.touched(), [open(0, 100_000), retracted(1, 115_000)]);
    }
}

mod with_columns {
    use super::*;
    use crate::columns::published::{PublishedColumn, PublishedValue};
    use crate::columns::values::{Seen, TextAt};

    /// A click with the columns `first(/page)`, `last(/page)` and `count()`.
    fn on_page(ms: u64, page: Option<&str>) -> Click {
        let text = || page.map(|page| TextAt { time: at(ms), text: page.into() });
        let columns = [Seen::First(text()), Seen::Last(text()), Seen::Count(1)].map(Into::into);
        Click { columns: columns.into_iter().collect(), ..named_click(ms, "view") }
    }

    /// The columns of a boundary.
    fn told(session: &TouchedSession) -> Vec<String> {
        let value = |column: &PublishedColumn| match &column.value {
            None => "-".to_owned(),
            Some(PublishedValue::Text(text)) => text.to_string(),
            Some(PublishedValue::Number(number)) => number.to_string(),
            Some(PublishedValue::Flag(flag)) => flag.to_string(),
        };
        session.columns.as_slice().iter().map(value).collect()
    }

    fn draft(clicks: &[Click]) -> WindowDraft {
        let mut draft = WindowDraft::on(SessionWindow::default());
        for click in clicks {
            draft.apply(click, RULE);
        }
        draft
    }

    /// What the last of these clicks tells if it is a commit of its own: the status and the columns of each session.
    fn after(clicks: &[Click]) -> Vec<(&'static str, Vec<String>)> {
        let (last, before) = clicks.split_last().expect("at least one click");
        let mut draft = WindowDraft::on(draft(before).into_window());
        draft.apply(last, RULE);
        draft.touched().iter().map(|session| (session.status.word(), told(session))).collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn open_session_tells_the_first_value_and_closed_ones_all() {
        let clicks = [on_page(100_000, Some("/a")), on_page(101_000, Some("/b")), on_page(120_000, Some("/c"))];
        let next = [("closed", texts(&["/a", "/b", "2"])), ("open", texts(&["/c", "-", "-"]))];
        assert_eq!(after(&clicks), next);
        assert_eq!(after(&clicks[..1]), [("open", texts(&["/a", "-", "-"]))]);
        assert_eq!(after(&[on_page(100_000, None)]), [("open", vec![])], "nothing to tell");
    }

    #[test]
    fn open_session_is_told_again_only_when_its_first_value_changes() {
        let begin = [on_page(100_000, None), on_page(105_000, Some("/a"))];
        assert_eq!(after(&begin), [("open", texts(&["/a", "-", "-"]))], "it has one now");
        let and_then = |click: Click| after(&[&begin[..], &[click]].concat());
        assert_eq!(and_then(on_page(106_000, Some("/b"))), []);
        assert_eq!(and_then(on_page(105_000, Some("/b"))), [], "it arrived later");
        assert_eq!(and_then(on_page(104_000, Some("/b"))), [("open", texts(&["/b", "-", "-"]))]);
        assert_eq!(and_then(on_page(104_000, Some("/a"))), [], "it is the same text");
        assert_eq!(and_then(on_page(104_000, None)), []);
    }

    #[test]
    fn late_click_that_merges_sessions_keeps_the_columns_of_both() {
        let clicks = [on_page(100_000, Some("/a")), on_page(112_000, Some("/c")), on_page(105_000, Some("/b"))];
        assert_eq!(after(&clicks), [("open", texts(&["/a", "-", "-"])), ("retracted", vec![])]);
        let mut merged = draft(&clicks);
        merged.close();
        assert_eq!(told(&merged.touched()[0]), ["/a", "/c", "3"]);
    }

    #[test]
    fn click_that_changes_only_what_is_told_at_the_end_copies_nothing() {
        let mut draft = WindowDraft::on(draft(&[on_page(100_000, Some("/a"))]).into_window());
        draft.apply(&on_page(105_000, Some("/b")), RULE);
        draft.apply(&on_page(105_000, None), RULE);
        assert_eq!((&draft.before, draft.touched()), (&None, vec![]));
    }

    #[test]
    fn columns_count_toward_the_4_kb_of_the_window() {
        let page = "p".repeat(256);
        let bytes = 2 * 256 + 8 + "view".len();
        let clicks: Vec<_> = (0..9).map(|n| on_page(1_000_000 + 20_000 * n, Some(&page))).collect();
        let (all_but_two, eight) = (draft(&clicks[..7]), draft(&clicks[..8]));
        assert_eq!((all_but_two.window().len_bytes(), all_but_two.window().first_ordinal), (7 * bytes, 0));
        assert_eq!((eight.window().len_bytes(), eight.window().first_ordinal), (7 * bytes, 1));
    }
}
