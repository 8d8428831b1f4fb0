//! What one click adds to a column, as a closed session of that click alone tells it.
use super::*;
use crate::click::LatestBelievable;
use crate::click_format::{ClickFormat, Decoded};
use crate::columns::named::NamedColumns;
use crate::limits::END_OF_EVENT_TIME_MS;

/// The column's value as JSON, and how many values were adjusted. `fields` are those of the click.
fn published(aggregate: &str, fields: &str) -> (Option<String>, u64) {
    let columns = SessionColumns::parse(&format!("c = {aggregate}")).unwrap();
    let format = ClickFormat::default().with_columns(columns.clone());
    let json = format!(r#"{{"user_id":"u","event_timestamp":1721390000000,{fields},"z":0}}"#);
    let any_time = LatestBelievable::after_arrival(END_OF_EVENT_TIME_MS, 0);
    let one = format.decode_one(json.as_bytes(), any_time);
    let Ok(Decoded::Click(decoded)) = one.clone() else { panic!("{json}: {one:?}") };
    // As one of several values of a record it is the same.
    let of_record = format.values(json.as_bytes(), any_time).next().map(|value| value.decoded);
    assert_eq!(of_record, Some(one), "{json}");
    let told = NamedColumns::new(&columns, decoded.click.columns.in_closed());
    let mut value = told.values.into_iter().map(|(_, value)| serde_json::to_string(&value).unwrap());
    (value.next(), decoded.adjusted_columns)
}

#[test]
fn first_and_last_take_scalars_as_text() {
    let long = "é".repeat(200);
    for (fields, text, adjusted) in [
        (r#""page":"/a""#, Some(r#""/a""#), 0),
        (r#""page":"""#, Some(r#""""#), 0),
        (r#""page":"\u00e9\"""#, Some(r#""é\"""#), 0),
        (r#""page":null"#, None, 0),
        (r#""url":"/a""#, None, 0),
        (r#""page":12.50"#, Some(r#""12.50""#), 1),
        (r#""page":true"#, Some(r#""true""#), 1),
        (r#""page":NaN"#, Some(r#""NaN""#), 1),
        (r#""page":{"a":1}"#, None, 1),
        (r#""page":["a"]"#, None, 1),
        (r#""page":"\ud83d""#, Some("\"\u{fffd}\""), 1),
        (&format!(r#""page":"{long}""#), Some(&*format!("\"{}\"", "é".repeat(128))), 1),
        (r#""page":"/a","page":"/b""#, Some(r#""/b""#), 0),
    ] {
        for function in ["first", "last"] {
            let value = text.map(str::to_owned);
            assert_eq!(published(&format!("{function}(/page)"), fields), (value, adjusted), "{function}: {fields}");
        }
    }
    assert_eq!(published("first(/a/b/1)", r#""a":{"b":["x","y"]}"#).0.as_deref(), Some(r#""y""#));
}

#[test]
fn numbers_may_be_strings_and_what_is_none_is_left_out_and_counted() {
    for (fields, number, adjusted) in [
        (r#""value":59.97"#, Some("59.97"), 0),
        (r#""value":"59.97""#, Some("59.97"), 0),
        (r#""value":"1e2""#, Some("100"), 0),
        (r#""value":-0"#, Some("0"), 0),
        (r#""value":9999999999999.5"#, Some("9999999999999.5"), 0),
        (r#""value":10000000000000"#, None, 1),
        (r#""value":1e400"#, None, 1),
        (r#""value":NaN"#, None, 1),
        (r#""value":true"#, None, 1),
        (r#""value":"""#, None, 1),
        (r#""value":"59,97""#, None, 1),
        (r#""value":[59.97]"#, None, 1),
        (r#""value":{}"#, None, 1),
        (r#""value":null"#, None, 0),
        (r#""price":1"#, None, 0),
    ] {
        for function in ["sum", "min", "max"] {
            let value = number.map(str::to_owned);
            assert_eq!(published(&format!("{function}(/value)"), fields), (value, adjusted), "{function}: {fields}");
        }
    }
    let unmatched = published("sum(/value) where /event_name = 'purchase'", r#""event_name":"view","value":"much""#);
    assert_eq!(unmatched, (None, 0), "what a condition leaves out is not looked at");
    let matched = published("sum(/value) where /event_name = 'purchase'", r#""event_name":"purchase","value":5"#);
    assert_eq!(matched, (Some("5".to_owned()), 0));
}

#[test]
fn conditions_compare_values_of_one_type() {
    for (condition, fields, matches) in [
        ("/e = 'purchase'", r#""e":"purchase""#, true),
        ("/e = 'purchase'", r#""e":"purch\u0061se""#, true),
        ("/e = 'purchase'", r#""e":"Purchase""#, false),
        ("/e = 'purchase'", r#""e":"purchase ""#, false),
        ("/e = 'purchase'", r#""e":null"#, false),
        ("/e = 'purchase'", r#""f":"purchase""#, false),
        ("/e = ''", r#""e":"""#, true),
        ("/e = '1'", r#""e":1"#, false),
        ("/e = 1", r#""e":"1""#, false),
        ("/e = 1", r#""e":1"#, true),
        ("/e = 1", r#""e":1.0"#, true),
        ("/e = 10", r#""e":1e1"#, true),
        ("/e = 1.5", r#""e":15e-1"#, true),
        ("/e = 12345678901234567891", r#""e":12345678901234567890"#, false),
        ("/e = 0", r#""e":-0.0"#, true),
        ("/e = 1", r#""e":true"#, false),
        ("/e = true", r#""e":true"#, true),
        ("/e = true", r#""e":false"#, false),
        ("/e = true", r#""e":"true""#, false),
        ("/e = false", r#""e":false"#, true),
        ("/e = 'NaN'", r#""e":NaN"#, false),
        ("/e = 'x'", r#""e":["x"]"#, false),
        ("/e = '\u{fffd}'", r#""e":"\ud83d""#, false),
        ("/e in ['a', 2, true]", r#""e":"a""#, true),
        ("/e in ['a', 2, true]", r#""e":2"#, true),
        ("/e in ['a', 2, true]", r#""e":true"#, true),
        ("/e in ['a', 2, true]", r#""e":"b""#, false),
        ("/e/f = 'x'", r#""e":{"f":"x"}"#, true),
        ("'/a b' = 'x'", r#""a b":"x""#, true),
    ] {
        let (count, flag) = (u8::from(matches).to_string(), matches.to_string());
        assert_eq!(published(&format!("count({condition})"), fields), (Some(count), 0), "{condition}: {fields}");
        assert_eq!(published(&format!("any({condition})"), fields), (Some(flag), 0), "{condition}: {fields}");
    }
    assert_eq!(published("count()", r#""e":1"#), (Some("1".to_owned()), 0));
}

#[test]
fn fields_of_a_click_can_be_read_by_columns_too() {
    assert_eq!(published("last(/event_timestamp)", r#""event_name":"x""#).0.as_deref(), Some(r#""1721390000000""#));
    assert_eq!(published("first(/user_id)", r#""event_name":"x""#).0.as_deref(), Some(r#""u""#));
}

#[test]
fn sixteen_columns_read_thirty_two_fields() {
    let declaration: Vec<_> = (1..=16).map(|n| format!("c{n} = sum(/v{n}) where /k{n} = {n}")).collect();
    let columns = SessionColumns::parse(&declaration.join("\n")).unwrap();
    let fields: Vec<_> = (1..=16).map(|n| format!(r#""v{n}":{n}00,"k{n}":{n}"#)).collect();
    let json = format!(r#"{{"user_id":"u","event_timestamp":1721390000000,{}}}"#, fields.join(","));
    let any_time = LatestBelievable::after_arrival(END_OF_EVENT_TIME_MS, 0);
    let format = ClickFormat::default().with_columns(columns.clone());
    let Ok(Decoded::Click(decoded)) = format.decode_one(json.as_bytes(), any_time) else { panic!("{json}") };
    let told = NamedColumns::new(&columns, decoded.click.columns.in_closed());
    let values: Vec<_> = told.values.iter().map(|(_, value)| serde_json::to_string(value).unwrap()).collect();
    assert_eq!(values, (1..=16).map(|n| format!("{n}00")).collect::<Vec<_>>());
}
