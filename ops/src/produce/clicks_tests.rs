//! Tests of the records of a load: decoded as the sessionizer does, with the session rule over them.

use std::collections::{BTreeMap, BTreeSet};

use shared::click::{Click, LatestBelievable};
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::{Placement, SessionWindow, WindowDraft, WindowRule};
use shared::user_id::UserId;

use super::*;
use crate::produce::load::Options;
use crate::produce::load::tests::options;

const BEGIN_MS: u64 = 1_795_000_000_000;

/// 60 s of 200 records a second, with every kind among them.
fn mixed() -> Options {
    let share = |text: &str| text.parse().unwrap();
    let shares = Options { late: share("5"), duplicate: share("2.5"), broken: share("1"), ..options() };
    Options { rate: 200, users: 500, duration_seconds: 60, late_by_seconds: 3_600, ..shares }
}

/// All records at a steady rate, each with the time at which it is made.
fn all(options: Options) -> (Vec<(u64, Record)>, Seats) {
    let mut clicks = Clicks::of(&Load::new(options).unwrap());
    let time_ms = |number: u64| BEGIN_MS + number * 1_000 / u64::from(options.rate);
    let mut records = Vec::new();
    while let Some(record) = clicks.next(time_ms(records.len() as u64)) {
        records.push((time_ms(records.len() as u64), record));
    }
    assert_eq!(clicks.left(), 0);
    (records, clicks.seats)
}

fn decoded(record: &Record, now_ms: u64) -> Result<Click, String> {
    // With the largest clock skew that can be configured.
    let latest = LatestBelievable::after_arrival(now_ms, 43_200_000);
    Click::decode(&record.data, latest).map(|it| it.click).map_err(|rejection| rejection.reason.to_string())
}

#[test]
fn every_record_is_what_its_kind_says() {
    let (records, _) = all(mixed());
    let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
    let (mut on_time, mut reasons) = (Vec::new(), BTreeSet::new());
    for (now_ms, record) in &records {
        *counts.entry(record.kind).or_default() += 1;
        let click = decoded(record, *now_ms);
        if let Ok(click) = &click {
            assert_eq!(click.user_id.as_str(), record.partition_key);
        }
        match record.kind {
            Kind::OnTime => {
                assert_eq!(click.unwrap().time.ms(), *now_ms);
                on_time.push(&record.data);
            }
            Kind::Late => {
                let late_ms = now_ms - click.unwrap().time.ms();
                assert!((1_800_000..=3_600_000).contains(&late_ms), "{late_ms}");
            }
            Kind::Duplicate => assert!(on_time.iter().rev().take(RECENT).any(|data| **data == record.data)),
            Kind::Broken => {
                reasons.insert(click.unwrap_err());
            }
        }
    }
    let expected = [(Kind::OnTime, 10_980), (Kind::Late, 600), (Kind::Duplicate, 300), (Kind::Broken, 120)];
    assert_eq!(counts, expected.into());
    assert_eq!(reasons.len(), Fault::ALL.len(), "{reasons:?}");
}

#[test]
fn the_session_rule_finds_the_sessions_that_were_made() {
    let (records, seats) = all(Options { late: "0".parse().unwrap(), ..mixed() });
    let rule = WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 3_600_000, cut: SessionCut::None };
    let mut users: BTreeMap<UserId, WindowDraft> = BTreeMap::new();
    let mut started = 0;
    for (now_ms, record) in &records {
        let Ok(click) = decoded(record, *now_ms) else { continue };
        let draft = users.entry(click.user_id.clone());
        let draft = draft.or_insert_with(|| WindowDraft::on(SessionWindow::default()));
        started += u64::from(draft.apply(&click, rule) == Placement::Started);
    }
    assert_eq!((started, users.len() as u64), (seats.sessions(), seats.clicked()));
    assert!(seats.sessions() > seats.clicked(), "some users had a second session");
}

#[test]
fn a_seed_makes_the_same_records_again_and_another_seed_others() {
    assert_eq!(all(mixed()).0, all(mixed()).0);
    assert_ne!(all(mixed()).0, all(Options { seed: 8, ..mixed() }).0);
}
