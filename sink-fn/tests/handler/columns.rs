//! Columns as attributes of a session's item.

use aws_sdk_dynamodb::types::AttributeValue;
use shared::boundary::Boundary;
use shared::columns::named::NamedColumns;
use shared::columns::number::Number;
use shared::columns::published::PublishedValue;

use crate::world::{OPEN, World, boundary, bytes, closed, invoke};

const DECLARATION: &str = "checkout = any(/a = 1), entry = first(/page), revenue = sum(/value)";

/// A boundary with these columns.
fn with(boundary: Boundary, values: &[(&str, PublishedValue)], partial: &[&str]) -> Boundary {
    let values = values.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
    let columns = NamedColumns { values, partial: partial.iter().map(|name| (*name).into()).collect() };
    Boundary { columns, ..boundary }
}

fn text(text: &str) -> PublishedValue {
    PublishedValue::Text(text.into())
}

fn number(digits: &str) -> PublishedValue {
    PublishedValue::Number(Number::parse_sum(digits).unwrap())
}

#[tokio::test]
async fn each_column_is_an_attribute_with_the_type_of_its_value() {
    let world = World::start().await;
    let large = "-12345678901234567890123456789.123456789"; // 38 digits, as many as DynamoDB keeps
    let values = [("checkout", PublishedValue::Flag(true)), ("entry", text("")), ("revenue", number(large))];
    let boundary = with(boundary(0, closed(103_000, 4), 7), &values, &["entry", "other"]);
    invoke(&world.sink(), &bytes(std::slice::from_ref(&boundary))).await;
    let item = world.item(0).await.unwrap();
    assert_eq!(item["checkout"], AttributeValue::Bool(true));
    assert_eq!(item["entry"], AttributeValue::S(String::new()));
    assert_eq!(item["revenue"], AttributeValue::N(large.to_owned()));
    let names = ["entry", "other"].map(|name| AttributeValue::S(name.to_owned()));
    assert_eq!(item["partial"], AttributeValue::L(names.to_vec()));
    assert_eq!(world.session(0).await, boundary, "an item is decoded as it was encoded");
}

#[tokio::test]
async fn newer_boundary_replaces_all_columns() {
    let world = World::start().await;
    let sink = world.sink_with_columns(DECLARATION);
    let values = [("checkout", PublishedValue::Flag(true)), ("entry", text("/a")), ("revenue", number("1.5"))];
    invoke(&sink, &bytes(&[with(boundary(0, closed(103_000, 4), 5), &values, &["revenue"])])).await;
    let reopened = with(boundary(0, OPEN, 6), &[("entry", text("/b"))], &[]);
    invoke(&sink, &bytes(std::slice::from_ref(&reopened))).await;
    assert_eq!(world.session(0).await, reopened, "what only closed sessions have is gone");
    let item = world.item(0).await.unwrap();
    assert!(["checkout", "revenue", "partial"].iter().all(|name| !item.contains_key(*name)), "{item:?}");
}

#[tokio::test]
async fn sink_without_a_declaration_stores_columns_all_the_same() {
    let world = World::start().await;
    let (first, second) = ([("n", number("1"))], [("n", number("2"))]);
    let boundaries =
        [with(boundary(0, closed(101_000, 1), 5), &first, &[]), with(boundary(0, closed(102_000, 2), 6), &second, &[])];
    for boundary in &boundaries {
        invoke(&world.sink(), &bytes(std::slice::from_ref(boundary))).await;
    }
    assert_eq!(world.session(0).await, boundaries[1]);
}
