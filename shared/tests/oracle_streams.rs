//! Whole streams through the session rule alone, compared with sessions computed by sorting them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use shared::boundary::{Boundary, Version};
use shared::click::{Click, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::columns::declaration::SessionColumns;
use shared::limits::END_OF_EVENT_TIME_MS;
use shared::record_parts::for_each_part;
use shared::session::{SessionGap, Status};
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};
use shared::user_id::UserId;

const RULE: WindowRule = WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 3_600_000, cut: SessionCut::None };

fn testdata(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(name)).unwrap()
}

fn clicks(stream: &str) -> Vec<Click> {
    let any_time = LatestBelievable::after_arrival(END_OF_EVENT_TIME_MS, 0);
    let data = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata").join(stream)).unwrap();
    let lines = data.split(|byte| *byte == b'\n');
    let (format, mut clicks) = (ClickFormat::default(), Vec::new());
    for line in lines {
        for_each_part(line, &format, any_time, |_, decoded| {
            if let Ok(Decoded::Click(decoded)) = decoded {
                clicks.push(decoded.click);
            }
        });
    }
    clicks
}

#[derive(Debug, Default, PartialEq)]
struct Counts {
    late: usize,
    merged: usize,
    inserted: usize,
}

/// The sessions table after commits of this many clicks each, as text, and what became of the clicks.
fn sessions(clicks: &[Click], rule: WindowRule, clicks_per_commit: usize) -> (String, Counts) {
    let mut users: HashMap<UserId, SessionWindow> = HashMap::new();
    let mut table: BTreeMap<String, String> = BTreeMap::new();
    let mut counts = Counts::default();
    for batch in clicks.chunks(clicks_per_commit) {
        let mut drafts: HashMap<&UserId, WindowDraft> = HashMap::new();
        for click in batch {
            let window = || WindowDraft::on(users.get(&click.user_id).cloned().unwrap_or_default());
            let draft = drafts.entry(&click.user_id).or_insert_with(window);
            let newest = draft.window().last().map(|last| last.end);
            match draft.apply(click, rule) {
                Placement::Late => counts.late += 1,
                Placement::Started => counts.inserted += usize::from(Some(click.time) < newest),
                Placement::Continued { merged, .. } => counts.merged += merged,
            }
        }
        for (user, draft) in drafts {
            for session in draft.touched() {
                let retracted = session.status == Status::Retracted;
                let boundary = Boundary::of(user, session, &SessionColumns::default(), Version::NONE);
                if retracted {
                    assert!(table.remove(&boundary.session_id()).is_some(), "{boundary:?}");
                } else {
                    let row = serde_json::to_string(&boundary.to_row(None)).unwrap();
                    table.insert(boundary.session_id(), row);
                }
            }
            users.insert(user.clone(), draft.into_window());
        }
    }
    (table.into_values().map(|row| row + "\n").collect(), counts)
}

/// Compares line by line, so that a failure does not print whole files.
fn yields_its_sessions(stream: &str) -> Counts {
    yields_sessions_by(stream, RULE)
}

fn yields_sessions_by(stream: &str, rule: WindowRule) -> Counts {
    let clicks = clicks(&format!("{stream}.clicks.ndjson"));
    let expected = testdata(&format!("{stream}.sessions.ndjson"));
    let [counts, of_100, of_all] = [1, 100, usize::MAX].map(|size| {
        let (actual, counts) = sessions(&clicks, rule, size);
        for (line, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
            assert_eq!(actual, expected, "line {} in commits of {size}", line + 1);
        }
        assert!(actual == expected, "{} sessions in commits of {size}", actual.lines().count());
        counts
    });
    assert_eq!((&of_100, &of_all), (&counts, &counts));
    assert_eq!(counts.late, 0);
    counts
}

#[test]
fn walkthroughs_stream() {
    assert_eq!(yields_its_sessions("walk"), Counts::default(), "it is in order");
}

#[test]
fn many_clicks_in_one_second() {
    assert_eq!(yields_its_sessions("bursts"), Counts::default(), "it is in order");
}

#[test]
fn disorder_just_below_the_gap() {
    let counts = yields_its_sessions("disorder");
    assert!(counts.merged > 0, "{counts:?}");
}

#[test]
fn clicks_delivered_twice() {
    yields_its_sessions("duplicates");
}

#[test]
fn valid_clicks_among_records_that_are_rejected() {
    yields_its_sessions("hostile");
}

#[test]
fn disorder_just_below_an_hour() {
    let counts = yields_its_sessions("hourlate");
    assert!(counts.merged > 100 && counts.inserted > 100, "{counts:?}");
}

#[test]
fn clicks_on_both_sides_of_midnights_just_below_an_hour_late() {
    let counts = yields_sessions_by("midnights", WindowRule { cut: SessionCut::daily(120), ..RULE });
    assert!(counts.merged > 50 && counts.inserted > 50, "{counts:?}");
}
