//! The columns of a boundary: their values, under the names of the present declaration.
//!
//! They are read without a declaration: any key that has the form of a column's name is one. So the sink needs no
//! declaration, and stores what a boundary has also while functions with different declarations are at work.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::columns::declaration::{PARTIAL, SessionColumns, is_column_name};
use crate::columns::number::Number;
use crate::columns::published::{PublishedColumns, PublishedValue};
use crate::fields::Field;
use crate::json_string::unescaped;
use crate::limits::MAX_COLUMNS;

/// The columns of a boundary, at most [`MAX_COLUMNS`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedColumns {
    /// The columns that have a value, in the order of their declaration.
    pub values: Vec<(SmolStr, PublishedValue)>,
    /// The names of the columns that were declared after the session began, whether they have a value or not.
    pub partial: Vec<SmolStr>,
}

impl NamedColumns {
    /// The values, under the names of `columns`.
    #[must_use]
    pub fn new(columns: &SessionColumns, values: PublishedColumns) -> Self {
        let mut named = Self::default();
        for (name, column) in columns.names().zip(values) {
            if column.is_partial {
                named.partial.push(name.into());
            }
            named.values.extend(column.value.map(|value| (name.into(), value)));
        }
        named
    }

    /// The columns among `entries`, the raw keys and values of an object. Anything that is not one is left out: such a
    /// key never rejects a boundary. If a key appears twice, the last value wins.
    pub(crate) fn decode<'t>(entries: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut named = Self::default();
        for (key, raw) in entries {
            let Some(name) = unescaped(key) else { continue };
            if name == PARTIAL {
                named.partial = decode_partial(raw);
            } else if is_column_name(&name) {
                named.values.retain(|(other, _)| *other != *name);
                let value = decode_value(raw).filter(|_| named.values.len() < MAX_COLUMNS);
                named.values.extend(value.map(|value| (SmolStr::from(name), value)));
            }
        }
        named
    }
}

fn decode_value(raw: &str) -> Option<PublishedValue> {
    match Field::of(Some(raw)) {
        Field::Scalar("true") => Some(PublishedValue::Flag(true)),
        Field::Scalar("false") => Some(PublishedValue::Flag(false)),
        Field::Integer(raw) | Field::Scalar(raw) => Number::parse_sum(raw).map(PublishedValue::Number),
        field @ (Field::Text(_) | Field::NotUnicode(_)) => field.into_attribute(&mut 0).map(PublishedValue::Text),
        Field::Missing | Field::Null | Field::Composite(_) => None,
    }
}

fn decode_partial(raw: &str) -> Vec<SmolStr> {
    let names: Vec<Cow<'_, str>> = serde_json::from_str(raw).unwrap_or_default();
    names.into_iter().filter(|name| is_column_name(name)).take(MAX_COLUMNS).map(SmolStr::from).collect()
}

/// As entries of the boundary's object.
impl Serialize for NamedColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.values {
            map.serialize_entry(name.as_str(), value)?;
        }
        if !self.partial.is_empty() {
            let names: Vec<_> = self.partial.iter().map(SmolStr::as_str).collect();
            map.serialize_entry(PARTIAL, &names)?;
        }
        map.end()
    }
}

/// As a JSON value. Numbers have all their digits.
impl Serialize for PublishedValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => {
                let digits = RawValue::from_string(number.to_string()).map_err(serde::ser::Error::custom)?;
                digits.serialize(serializer)
            }
        }
    }
}
