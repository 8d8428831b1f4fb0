//! Finds members of a JSON object in a single pass without building a tree.
//!
//! Strict about JSON's grammar, and about nothing else in skipped values: their strings may contain unpaired
//! surrogates. Skipping is not recursive, so deep nesting uses no stack. If a key appears twice, the last value wins.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json_string::unescaped;

/// The raw JSON of the members called `names`, in that order. `None` if `text` is JSON but not an object.
pub(crate) fn members<'t, const N: usize>(
    text: &'t str,
    names: [&'static str; N],
) -> serde_json::Result<Option<[Option<&'t str>; N]>> {
    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<IgnoredAny>(text).map(|_| None);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let values = json.deserialize_map(Members { names: &names })?;
    json.end()?;
    Ok(Some(values.map(|value| value.map(RawValue::get))))
}

/// The first `max` keys of the JSON object `text` as raw JSON, and the total number of keys.
pub(crate) fn keys(text: &str, max: usize) -> (Vec<&str>, usize) {
    serde_json::Deserializer::from_str(text).deserialize_map(Keys { max }).unwrap_or_default()
}

struct Members<'n, const N: usize> {
    names: &'n [&'static str; N],
}

impl<'de, const N: usize> Visitor<'de> for Members<'_, N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        while let Some(index) = map.next_key_seed(IndexOfName { names: self.names })? {
            match index {
                Some(index) => values[index] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(values)
    }
}

/// Finds a key among `names` without copying it.
struct IndexOfName<'n> {
    names: &'n [&'static str],
}

impl<'de> DeserializeSeed<'de> for IndexOfName<'_> {
    type Value = Option<usize>;

    // Read as raw JSON: deserializing a key with an unpaired surrogate as a `str` would fail the record.
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        let key = unescaped(raw);
        Ok(self.names.iter().position(|name| key.as_deref() == Some(*name)))
    }
}

struct Keys {
    max: usize,
}

impl<'de> Visitor<'de> for Keys {
    type Value = (Vec<&'de str>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut first, mut count) = (Vec::new(), 0);
        while let Some((key, _)) = map.next_entry::<&RawValue, IgnoredAny>()? {
            count += 1;
            if first.len() < self.max {
                first.push(key.get());
            }
        }
        Ok((first, count))
    }
}
