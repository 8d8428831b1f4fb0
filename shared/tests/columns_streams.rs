//! Streams with columns of every aggregate through decoding, the session rule and boundaries, compared with columns
//! computed by plain code from the sorted clicks of each session.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use shared::boundary::{Boundary, Version};
use shared::click::{Click, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::columns::declaration::SessionColumns;
use shared::event_time::EventTime;
use shared::session::{SessionGap, Status};
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};
use shared::user_id::UserId;

const BEGIN_MS: u64 = 1_721_390_000_000;
const GAP_MS: u64 = 10_000;
const LATENESS_MS: u64 = 3_600_000;
const RULE: WindowRule =
    WindowRule { gap: SessionGap::from_ms(GAP_MS), lateness_ms: LATENESS_MS, cut: SessionCut::None };

const DECLARATION: &str = "
    entry_page = first(/page/path), exit_page = last(/page/path)
    clicks = count(), views = count(/event_name in ['view', 'search'])
    revenue = sum(/value) where /event_name = 'purchase'
    least = min(/value), most = max(/value)
    bought = any(/event_name = 'purchase')
";

/// A click as the test knows it.
#[derive(Clone, Debug)]
struct Event {
    ms: u64,
    name: Option<&'static str>,
    page: Option<String>,
    cents: Option<i64>,
}

impl Event {
    fn random(rng: &mut fastrand::Rng, ms: u64) -> Self {
        Self {
            ms,
            name: rng.choice([None, Some("view"), Some("search"), Some("purchase")]).unwrap(),
            page: rng.bool().then(|| format!("/{}", rng.u8(..20))),
            cents: rng.bool().then(|| rng.i64(-1_000..100_000)),
        }
    }

    /// Numbers as JSON numbers or strings.
    fn json(&self, rng: &mut fastrand::Rng) -> String {
        let value = self
            .cents
            .map(|cents| if rng.bool() { format!("\"{}0\"", hundredths(cents)) } else { format!("{cents}e-2") });
        let value = value.unwrap_or_else(|| "null".to_owned());
        let name = self.name.map_or(String::new(), |name| format!(r#","event_name":"{name}""#));
        let page = self.page.as_ref().map_or(String::new(), |page| format!(r#","page":{{"path":"{page}"}}"#));
        format!(r#"{{"user_id":"u","event_timestamp":{}{name}{page},"value":{value}}}"#, self.ms)
    }
}

/// A number of hundredths with two digits behind the point.
fn hundredths(cents: i64) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// The same as the shortest JSON number.
fn decimal(cents: i64) -> String {
    hundredths(cents).trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The columns of a session's events, which are sorted, as they stand in a closed boundary.
fn columns_of(events: &[&Event]) -> String {
    let text = |name: &str, page: Option<&String>| page.map(|page| format!(r#","{name}":"{page}""#));
    let number = |name: &str, cents: Option<i64>| cents.map(|cents| format!(r#","{name}":{}"#, decimal(cents)));
    let pages: Vec<_> = events.iter().filter_map(|event| event.page.as_ref()).collect();
    let cents: Vec<_> = events.iter().filter_map(|event| event.cents).collect();
    let named = |names: &[&str]| events.iter().filter(|event| event.name.is_some_and(|it| names.contains(&it))).count();
    let purchases = events.iter().filter(|event| event.name == Some("purchase"));
    let revenue: Vec<_> = purchases.filter_map(|event| event.cents).collect();
    [
        text("entry_page", pages.first().copied()),
        text("exit_page", pages.last().copied()),
        Some(format!(r#","clicks":{}"#, events.len())),
        Some(format!(r#","views":{}"#, named(&["view", "search"]))),
        number("revenue", (!revenue.is_empty()).then(|| revenue.iter().sum())),
        number("least", cents.iter().min().copied()),
        number("most", cents.iter().max().copied()),
        Some(format!(r#","bought":{}"#, named(&["purchase"]) > 0)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The closed rows of the sorted stream.
fn by_sorting(mut events: Vec<Event>) -> BTreeMap<u64, String> {
    events.sort_by_key(|event| event.ms); // stable: of equal times, in the order of their arrival
    let sessions: Vec<_> = events.chunk_by(|event, next| next.ms - event.ms < GAP_MS).collect();
    let row = |(ordinal, events): (usize, &[Event])| {
        let (first, last) = (&events[0], &events[events.len() - 1]);
        let time = EventTime::from_ms(first.ms).unwrap().to_utc_text();
        let name = first.name.map_or("null".to_owned(), |name| format!("\"{name}\""));
        let (duration, count) = (last.ms - first.ms, events.len());
        let columns = columns_of(&events.iter().collect::<Vec<_>>());
        let row = format!(
            r#"{{"user_id":"u","session_timestamp":{},"session_time":"{time}","session_id":"u_{ordinal}","event_type":null,"device_type":null,"event_name":{name},"status":"closed","session_end":{},"duration_ms":{duration},"event_count":{count}{columns}}}"#,
            first.ms, last.ms
        );
        (ordinal as u64, row)
    };
    sessions.into_iter().enumerate().map(row).collect()
}

/// The sessions table, which knows what it was told.
#[derive(Default)]
struct Table {
    rows: BTreeMap<u64, String>,
    columns: SessionColumns,
    /// How many `open` boundaries were told that differ from the one before only in columns.
    opened_again_by_columns: usize,
    /// How many sessions became part of another.
    merged: usize,
}

impl Table {
    /// Stores what a commit tells: each time something new.
    fn store(&mut self, draft: &WindowDraft) {
        let user_id = UserId::new("u").unwrap();
        for session in draft.touched() {
            let (ordinal, status) = (session.ordinal, session.status);
            let boundary = Boundary::of(&user_id, session, &self.columns, Version::new(1));
            assert_eq!(Boundary::decode(&boundary.encode().unwrap()).as_ref(), Ok(&boundary));
            let row = serde_json::to_string(&boundary.to_row(None)).unwrap();
            if status == Status::Retracted {
                assert!(self.rows.remove(&ordinal).is_some(), "retracted: a session of the table");
                continue;
            }
            let before = self.rows.insert(ordinal, row.clone());
            assert_ne!(before.as_deref(), Some(&*row), "told twice");
            let until_status = |row: &str| row.split_once(r#""status":"open""#).map(|(begin, _)| begin.to_owned());
            let is_open_again = status == Status::Open && before.and_then(|it| until_status(&it)) == until_status(&row);
            self.opened_again_by_columns += usize::from(is_open_again);
        }
    }
}

/// The table after commits of the sizes that `size` gives, with closes in between.
fn run(clicks: &[Click], rng: &mut fastrand::Rng, mut size: impl FnMut() -> usize) -> Table {
    let columns = SessionColumns::parse(DECLARATION).unwrap();
    let (mut window, mut table, mut left) = (SessionWindow::default(), Table { columns, ..Table::default() }, clicks);
    while !left.is_empty() {
        let (now, later) = left.split_at(size().clamp(1, left.len()));
        let mut draft = WindowDraft::on(window);
        for click in now {
            match draft.apply(click, RULE) {
                Placement::Late => panic!("{click:?} is late"),
                Placement::Continued { merged, .. } => table.merged += merged,
                Placement::Started => {}
            }
        }
        if rng.u8(..5) == 0 || later.is_empty() {
            draft.close();
        }
        table.store(&draft);
        (window, left) = (draft.into_window(), later);
    }
    table
}

#[test]
fn columns_of_streams_up_to_an_hour_late_are_those_of_the_sorted_streams() {
    let columns = SessionColumns::parse(DECLARATION).unwrap();
    let format = ClickFormat::default().with_columns(columns);
    let any_time = LatestBelievable::after_arrival(2 * BEGIN_MS, 0);
    let mut rng = fastrand::Rng::with_seed(4);
    let (mut merged, mut opened_again) = (0, 0);
    for stream in 0..700 {
        let mut now = BEGIN_MS;
        let mut delayed: Vec<(u64, Event)> = (0..rng.u64(1..=40))
            .map(|_| {
                now += rng.choice([0, 0, 1, 3_000, 9_999, 10_000, 11_000, 60_000, 600_000]).unwrap();
                (now + rng.u64(..=LATENESS_MS), Event::random(&mut rng, now))
            })
            .collect();
        delayed.sort_by_key(|(arrival, _)| *arrival);
        let events: Vec<_> = delayed.into_iter().map(|(_, event)| event).collect();
        let decoded = |event: &Event| match format.decode_one(event.json(&mut rng).as_bytes(), any_time) {
            Ok(Decoded::Click(decoded)) => {
                assert_eq!(decoded.adjusted_columns, 0);
                decoded.click
            }
            other => panic!("{event:?}: {other:?}"),
        };
        let clicks: Vec<_> = events.iter().map(decoded).collect();
        let sorted = by_sorting(events);
        for most in [1, 8, usize::MAX] {
            let mut sizes = rng.fork();
            let table = run(&clicks, &mut rng, || sizes.usize(1..=most));
            assert_eq!(table.rows, sorted, "stream {stream} in commits of at most {most}");
            merged += table.merged;
            opened_again += table.opened_again_by_columns;
        }
    }
    assert!(merged > 500 && opened_again > 50, "{merged}, {opened_again}");
}
