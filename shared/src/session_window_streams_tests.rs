//! Random streams: what the table holds in the end depends neither on the order of the clicks nor on the commits.
use std::collections::BTreeMap;

use super::*;
use crate::attributes::Attributes;
use crate::columns::values::ColumnValues;
use crate::session::Status;
use crate::user_id::UserId;

const GAP_MS: u64 = 10;

/// The midnight that streams go past.
const MIDNIGHT_MS: u64 = 365 * 86_400_000;

#[derive(Clone)]
enum Step {
    Click(Click),
    Close,
}

/// Clicks at these times, named by their place in the stream.
fn clicks(times: impl IntoIterator<Item = u64>) -> Vec<Click> {
    let user_id = UserId::new("u").expect("a valid id");
    let named = |(place, ms): (usize, u64)| Click {
        user_id: user_id.clone(),
        time: EventTime::from_ms(ms).expect("a time before the year 10000"),
        attributes: Attributes { event_name: Some(place.to_string().into()), ..Attributes::default() },
        columns: ColumnValues::default(),
    };
    times.into_iter().enumerate().map(named).collect()
}

/// The sessions table of one user, which knows what it was told.
#[derive(Debug, Default, PartialEq)]
struct Table(BTreeMap<u64, TouchedSession>);

impl Table {
    /// Stores what a commit tells: each time something new, and retractions only of what is there.
    fn store(&mut self, touched: Vec<TouchedSession>) {
        for told in touched {
            if told.status == Status::Retracted {
                let gone = self.0.remove(&told.ordinal).expect("retracted: a session of the table");
                assert_eq!((gone.start, gone.attributes), (told.start, told.attributes));
            } else {
                let before = self.0.insert(told.ordinal, told.clone());
                assert_ne!(before, Some(told), "told twice");
            }
        }
    }
}

/// Runs the steps in commits of the sizes that `size` gives.
fn run(steps: &[Step], rule: WindowRule, mut size: impl FnMut() -> usize) -> (SessionWindow, Table) {
    let (mut window, mut table, mut left) = (SessionWindow::default(), Table::default(), steps);
    while !left.is_empty() {
        let (now, later) = left.split_at(size().clamp(1, left.len()));
        let mut draft = WindowDraft::on(window);
        for step in now {
            match step {
                Step::Click(click) => {
                    draft.apply(click, rule);
                }
                Step::Close => draft.close(),
            }
        }
        table.store(draft.touched());
        (window, left) = (draft.into_window(), later);
    }
    (window, table)
}

/// The clicks, and now and then the last session is told closed.
fn with_closes(rng: &mut fastrand::Rng, clicks: Vec<Click>) -> Vec<Step> {
    let mut steps = Vec::new();
    for click in clicks {
        steps.push(Step::Click(click));
        if rng.u8(..10) == 0 {
            steps.push(Step::Close);
        }
    }
    steps
}

/// Half of the rules cut at midnight.
fn cut(rng: &mut fastrand::Rng) -> SessionCut {
    if rng.bool() { SessionCut::daily(0) } else { SessionCut::None }
}

/// The table of the sorted stream, every session closed.
fn by_sorting(mut clicks: Vec<Click>, cut: SessionCut) -> Table {
    let is_cut = |earlier: EventTime, later: EventTime| {
        cut != SessionCut::None && earlier.ms() < MIDNIGHT_MS && later.ms() >= MIDNIGHT_MS
    };
    clicks.sort_by_key(|click| click.time); // stable: of equal times, the first to arrive begins the session
    let mut sessions: Vec<Session> = Vec::new();
    for click in clicks {
        match sessions.last_mut() {
            Some(last) if click.time.ms() - last.end.ms() < GAP_MS && !is_cut(last.end, click.time) => {
                (last.end, last.event_count) = (click.time, last.event_count + 1);
            }
            _ => sessions.push(Session::of(&click)),
        }
    }
    Table(sessions.iter().enumerate().map(|(n, session)| (n as u64, session.closed(n as u64))).collect())
}

#[test]
fn disorder_up_to_the_lateness_gives_the_table_of_the_sorted_stream() {
    let mut rng = fastrand::Rng::with_seed(1);
    for stream in 0..10_000 {
        let lateness_ms = rng.choice([0, 5, 10, 30, 100, 300]).expect("a lateness");
        let rule = WindowRule { gap: SessionGap::from_ms(GAP_MS), lateness_ms, cut: cut(&mut rng) };
        let mut now = MIDNIGHT_MS - rng.u64(..200);
        let mut delayed: Vec<(u64, u64)> = (0..rng.u64(1..=40))
            .map(|_| {
                now += rng.choice([0, 1, 3, 9, 10, 11, 15, 30, 80]).expect("a step");
                (now + rng.u64(..=lateness_ms), now)
            })
            .collect();
        delayed.sort_by_key(|(arrival, _)| *arrival);
        let clicks = clicks(delayed.into_iter().map(|(_, time)| time));
        let sorted = by_sorting(clicks.clone(), rule.cut);
        let mut steps = with_closes(&mut rng, clicks);
        steps.push(Step::Close);
        let (_, table) = run(&steps, rule, || rng.usize(1..=8));
        assert_eq!(table, sorted, "stream {stream}");
    }
}

/// Clicks in any order over so long a time that some are late, and sessions are left behind by time, number and bytes.
fn in_any_order(rng: &mut fastrand::Rng) -> Vec<Click> {
    let span = rng.choice([100, 1_000, 10_000]).expect("a span");
    let times: Vec<_> = (0..rng.u64(1..=100)).map(|_| MIDNIGHT_MS - span / 2 + rng.u64(..span)).collect();
    let mut clicks = clicks(times);
    if rng.bool() {
        for click in &mut clicks {
            click.attributes.device_type = Some("d".repeat(rng.usize(..300)).into());
        }
    }
    clicks
}

#[test]
fn commits_cut_anywhere_give_the_same_window_and_table() {
    let mut rng = fastrand::Rng::with_seed(2);
    for stream in 0..1_000 {
        let lateness_ms = rng.choice([0, 30, 300, 3_000]).expect("a lateness");
        let rule = WindowRule { gap: SessionGap::from_ms(GAP_MS), lateness_ms, cut: cut(&mut rng) };
        let clicks = in_any_order(&mut rng);
        let steps = with_closes(&mut rng, clicks);
        let one_by_one = run(&steps, rule, || 1);
        assert_eq!(run(&steps, rule, || rng.usize(1..=20)), one_by_one, "stream {stream}");
        assert_eq!(run(&steps, rule, || usize::MAX), one_by_one, "stream {stream}");
    }
}

#[test]
fn whatever_the_gaps_sessions_never_overlap_and_no_click_is_lost() {
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut late, mut left_behind, mut merged_by_gap) = (0, 0, 0);
    for _ in 0..1_000 {
        let lateness_ms = rng.choice([30, 300, 3_000]).expect("a lateness");
        let mut draft = WindowDraft::on(SessionWindow::default());
        let (mut newest, mut placed) = (None, 0);
        for click in in_any_order(&mut rng) {
            let gap = SessionGap::from_ms(rng.choice([1, 10, 100]).expect("a gap"));
            match draft.apply(&click, WindowRule { gap, lateness_ms, cut: cut(&mut rng) }) {
                Placement::Late => late += 1,
                placement => {
                    (newest, placed) = (newest.max(Some(click.time)), placed + 1);
                    merged_by_gap += u64::from(matches!(placement, Placement::Continued { merged: 2.., .. }));
                }
            }
            let window = draft.window();
            assert!(window.sessions.iter().all(|session| session.start <= session.end));
            assert!(window.sessions.is_sorted_by(|session, next| session.end < next.start));
            assert_eq!(window.last().map(|last| last.end), newest, "the last end is the greatest event time");
            assert!(window.sessions.len() <= MAX_WINDOW_SESSIONS);
            assert!(window.len_bytes() <= MAX_WINDOW_ATTRIBUTE_BYTES);
            assert_eq!(window.first_ordinal, draft.left_behind.len() as u64);
            let sessions = draft.left_behind.iter().chain(&window.sessions);
            assert_eq!(sessions.map(|session| session.event_count).sum::<u64>(), placed);
        }
        left_behind += draft.left_behind.len();
    }
    assert!(late > 100 && left_behind > 100 && merged_by_gap > 100, "{late}, {left_behind}, {merged_by_gap}");
}
