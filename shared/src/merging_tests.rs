//! The laws of merging, for sessions with columns of every aggregate.
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::click::LatestBelievable;
use crate::click_format::{ClickFormat, Decoded};
use crate::columns::declaration::SessionColumns;
use crate::columns::values::ColumnValues;
use crate::limits::{MAX_SAFE_INTEGER, MIN_CLICK_TIME_MS};
use crate::session::Session;

const COLUMNS: &str = "
    entry = first(/page), exit = last(/page), clicks = count(), purchases = count(/event_name = 'purchase')
    revenue = sum(/value) where /event_name = 'purchase', total = sum(/value), least = min(/value), most = max(/value)
    bought = any(/event_name = 'purchase')
";

/// Few times, so that many clicks have the same one.
fn click() -> impl Strategy<Value = Click> {
    let page = option::of("[a-c]{1,2}");
    let value = option::of(prop_oneof![-300..300_i64, Just(0), 9_999_999_999_990..=9_999_999_999_999_i64]);
    (0..8_u64, page, value, any::<bool>(), 0..3_u8).prop_map(|(ms, page, value, is_purchase, cents)| {
        let mut json = serde_json::json!({"user_id": "u", "event_timestamp": MIN_CLICK_TIME_MS + ms});
        json["event_name"] = if is_purchase { "purchase" } else { "view" }.into();
        json["event_type"] = ms.to_string().into();
        json["page"] = page.into();
        json["value"] = value.map(|value| format!("{value}.{cents}7")).into();
        decoded(&json.to_string())
    })
}

fn decoded(json: &str) -> Click {
    let format = ClickFormat::default().with_columns(SessionColumns::parse(COLUMNS).unwrap());
    match format.decode_one(json.as_bytes(), LatestBelievable::after_arrival(MIN_CLICK_TIME_MS, MAX_SAFE_INTEGER)) {
        Ok(Decoded::Click(decoded)) => decoded.click,
        other => panic!("{json}: {other:?}"),
    }
}

fn clicks() -> impl Strategy<Value = Vec<Click>> {
    vec(click(), 1..10)
}

/// The summary of clicks that arrived in this order.
fn taken<T: Merging>(clicks: &[Click]) -> T {
    let (first, others) = clicks.split_first().expect("at least one click");
    let mut summary = T::of(first);
    others.iter().for_each(|click| summary.take(click));
    summary
}

fn merged<T: Merging>(mut a: T, b: &T) -> T {
    a.merge(b);
    a
}

/// By time; clicks of one time stay in the order in which they arrived.
fn sorted(mut clicks: Vec<Click>) -> Vec<Click> {
    clicks.sort_by_key(|click| click.time);
    clicks
}

/// Whatever the times of `a`, `b` and `c`.
fn is_associative<T: Merging + Clone + PartialEq>(a: &T, b: &T, c: &T) -> bool {
    merged(merged(a.clone(), b), c) == merged(a.clone(), &merged(b.clone(), c))
}

proptest! {
    #[test]
    fn merging_is_associative(a in clicks(), b in clicks(), c in clicks()) {
        let [session_a, session_b, session_c] = [&a, &b, &c].map(|it| taken::<Session>(it));
        prop_assert!(is_associative(&session_a, &session_b, &session_c));
        let [columns_a, columns_b, columns_c] = [&a, &b, &c].map(|it| taken::<ColumnValues>(it));
        prop_assert!(is_associative(&columns_a, &columns_b, &columns_c));
    }

    #[test]
    fn taking_a_click_is_merging_with_it(a in clicks(), click in click()) {
        let mut session: Session = taken(&a);
        let merged = merged(session.clone(), &Session::of(&click));
        session.take(&click);
        prop_assert_eq!(session, merged);
    }

    #[test]
    fn clicks_taken_in_any_order_give_what_the_sorted_ones_give(clicks in vec(click(), 1..20)) {
        prop_assert_eq!(taken::<Session>(&clicks), taken(&sorted(clicks)));
    }

    #[test]
    fn sessions_cut_at_any_time_and_merged_give_what_the_sorted_clicks_give(clicks in vec(click(), 2..20), cut in 1..8_u64) {
        let is_before = |click: &Click| click.time.ms() < MIN_CLICK_TIME_MS + cut;
        let (before, after): (Vec<_>, Vec<_>) = clicks.iter().cloned().partition(is_before);
        prop_assume!(!before.is_empty() && !after.is_empty());
        let whole: Session = taken(&sorted(clicks));
        let [before, after] = [before, after].map(|part| taken::<Session>(&part));
        prop_assert_eq!(&merged(before.clone(), &after), &whole);
        prop_assert_eq!(&merged(after, &before), &whole);
    }

    #[test]
    fn nothing_seen_changes_nothing(a in clicks()) {
        let nothing = SessionColumns::parse(COLUMNS).unwrap().nothing_seen();
        let columns: ColumnValues = taken(&a);
        prop_assert_eq!(&merged(nothing.clone(), &columns), &columns);
        prop_assert_eq!(&merged(columns.clone(), &nothing), &columns);
    }
}

#[test]
fn among_clicks_of_one_time_the_first_to_arrive_is_first_and_the_last_is_last() {
    let click = |page: &str, ms: u64| {
        let time = MIN_CLICK_TIME_MS + ms;
        decoded(&format!(r#"{{"user_id":"u","event_timestamp":{time},"event_name":"{page}","page":"{page}"}}"#))
    };
    let mut session: Session = taken(&[click("b", 5), click("c", 5), click("z", 9)]);
    session.take(&click("d", 5));
    session.take(&click("y", 9));
    let told = session.closed(0);
    assert_eq!(told.attributes.event_name.as_deref(), Some("b"));
    let texts: Vec<_> = told.columns.into_iter().take(2).map(|told| told.value).collect();
    assert_eq!(texts, ["b", "y"].map(|text| Some(crate::columns::published::PublishedValue::Text(text.into()))));
}

/// What the state keeps costs nothing where no column is declared.
#[test]
fn session_without_columns_takes_one_pointer_more() {
    assert_eq!(size_of::<ColumnValues>(), size_of::<usize>());
    assert_eq!(size_of::<Session>(), 12 * 8 + size_of::<usize>());
    assert_eq!(size_of::<crate::columns::values::ColumnValue>(), 48);
}
