//! Sessions that were stored under another declaration.
use super::*;
use crate::click::Click;
use crate::columns::named::NamedColumns;
use crate::columns::number::Number;
use crate::columns::published::PublishedValue;
use crate::event_time::EventTime;
use crate::merging::Merging;
use crate::session::Session;
use crate::user_id::UserId;

fn columns(declaration: &str) -> SessionColumns {
    SessionColumns::parse(declaration).unwrap()
}

/// The mapping from one declaration to another.
fn mapping(from: &str, to: &str) -> ColumnMapping {
    columns(to).mapping_from(columns(from).canonical_texts())
}

fn values(seen: &[Seen]) -> ColumnValues {
    seen.iter().cloned().map(ColumnValue::from).collect()
}

fn seen(values: &ColumnValues) -> Vec<(Seen, bool)> {
    values.as_slice().iter().map(|value| (value.seen.clone(), value.is_partial)).collect()
}

#[test]
fn columns_go_on_by_what_they_compute_whatever_their_names_and_order() {
    let mapping = mapping(
        "a = count(), b = any(/e = 'x'), c = sum(/v)",
        "sum = sum(/v), renamed = any( /e in [\"x\"] ), again = any(/e = 'x')",
    );
    let sum = Some(Number::from(7));
    let stored = values(&[Seen::Count(3), Seen::Any(true), Seen::Sum(sum)]);
    let mapped = [(Seen::Sum(sum), false), (Seen::Any(true), false), (Seen::Any(true), false)];
    assert_eq!(seen(&mapping.values(stored)), mapped);
}

#[test]
fn new_column_starts_empty_and_partial_and_stays_so() {
    let mapping = mapping("a = count()", "a = count(), b = count(/e = 'x'), c = sum(/v), d = first(/p)");
    let mut mapped = mapping.values(values(&[Seen::Count(3)]));
    let empty = [(Seen::Count(3), false), (Seen::Count(0), true), (Seen::Sum(None), true), (Seen::First(None), true)];
    assert_eq!(seen(&mapped), empty);
    let click = values(&[Seen::Count(1), Seen::Count(1), Seen::Sum(None), Seen::First(None)]);
    let mut later = click.clone();
    later.merge(&mapped);
    assert_eq!(seen(&later)[..2], [(Seen::Count(4), false), (Seen::Count(1), true)], "merged with a session before");
    mapped.merge(&click);
    assert_eq!(seen(&mapped)[..2], [(Seen::Count(4), false), (Seen::Count(1), true)]);
    let stored_again = columns("b = count(/e = 'x')")
        .mapping_from(columns("a = count(), b = count(/e = 'x')").canonical_texts())
        .values(mapped);
    assert_eq!(seen(&stored_again), [(Seen::Count(1), true)], "it remains partial");
}

#[test]
fn changed_aggregate_is_a_new_column() {
    let mapping = mapping("a = count(/e = 'x')", "a = count(/e = 'y')");
    assert_eq!(seen(&mapping.values(values(&[Seen::Count(3)]))), [(Seen::Count(0), true)]);
}

#[test]
fn same_declaration_changes_nothing_and_none_drops_everything() {
    let declaration = "a = count(), b = any(/e = 'x')";
    let stored = values(&[Seen::Count(3), Seen::Any(true)]);
    assert_eq!(mapping(declaration, declaration).values(stored.clone()), stored);
    assert_eq!(mapping(declaration, "").values(stored.clone()), ColumnValues::default());
    assert_eq!(mapping("", "").values(ColumnValues::default()), ColumnValues::default());
    let new = mapping("", declaration).values(ColumnValues::default());
    assert_eq!(seen(&new), [(Seen::Count(0), true), (Seen::Any(false), true)]);
}

#[test]
fn value_of_another_kind_or_none_at_all_is_taken_as_not_stored() {
    let declaration = "a = count(), b = any(/e = 'x')";
    let mapping = mapping(declaration, declaration);
    let expected = [(Seen::Count(3), false), (Seen::Any(false), true)];
    assert_eq!(seen(&mapping.values(values(&[Seen::Count(3), Seen::Sum(None)]))), expected);
    assert_eq!(seen(&mapping.values(values(&[Seen::Count(3)]))), expected);
}

#[test]
fn boundary_still_to_be_published_tells_what_was_declared_before_and_is_declared_now() {
    let mapping = mapping("a = count(), b = any(/e = 'x')", "b = any(/e = 'x'), c = count(/e = 'y')");
    let told = values(&[Seen::Count(3), Seen::Any(true)]).in_closed();
    let named = NamedColumns::new(&columns("b = any(/e = 'x'), c = count(/e = 'y')"), mapping.published(told));
    assert_eq!(named.values, [("b".into(), PublishedValue::Flag(true))]);
    assert_eq!(named.partial, Vec::<smol_str::SmolStr>::new());
}

#[test]
fn clicks_with_columns_make_a_session_stored_without_them_partial_in_all() {
    let click = Click {
        user_id: UserId::new("u").unwrap(),
        time: EventTime::from_ms(5).unwrap(),
        attributes: Default::default(),
        columns: values(&[Seen::Count(1)]),
    };
    let mut session = Session::of(&Click { columns: ColumnValues::default(), ..click.clone() });
    session.take(&click);
    assert_eq!(seen(&session.columns), [(Seen::Count(1), true)]);
    session.take(&Click { columns: values(&[Seen::Any(true)]), ..click.clone() });
    assert_eq!(seen(&session.columns), [(Seen::Count(1), true)], "values of another kind change nothing");
}
