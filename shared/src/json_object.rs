//! Finds fields of a JSON object in a single pass without building a tree of values.
//!
//! Strict about JSON's grammar, and about nothing else in skipped values: their strings may contain unpaired
//! surrogates. Skipping is not recursive, so deep nesting uses no stack; only objects and arrays that a path leads
//! through are entered. If a key appears twice, the last value wins.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::path_tree::{Node, PathTree, Slots};

/// The raw JSON of each field, by its slot.
pub(crate) type Values<'t, const N: usize> = [Option<&'t str>; N];

/// Finds the fields of the JSON object `text`. `None` if `text` is JSON but not an object.
pub(crate) fn object<'t, const N: usize>(text: &'t str, tree: &PathTree) -> serde_json::Result<Option<Values<'t, N>>> {
    if !text.trim_start().starts_with('{') {
        return serde_json::from_str::<IgnoredAny>(text).map(|_| None);
    }
    let mut values = [None; N];
    let mut json = serde_json::Deserializer::from_str(text);
    fields(&mut json, text, tree, &mut values)?;
    json.end()?;
    Ok(Some(values))
}

/// Finds the fields of the JSON object with which `text` begins. Returns the object's length in bytes.
pub(crate) fn leading_object<'t, const N: usize>(
    text: &'t str,
    tree: &PathTree,
    values: &mut Values<'t, N>,
) -> serde_json::Result<usize> {
    fields(&mut serde_json::Deserializer::from_str(text), text, tree, values)
}

fn fields<'t, const N: usize>(
    json: &mut serde_json::Deserializer<serde_json::de::StrRead<'t>>,
    text: &'t str,
    tree: &PathTree,
    values: &mut Values<'t, N>,
) -> serde_json::Result<usize> {
    let begin = skip_white_space(text, 0);
    json.deserialize_map(Fields { text, begin, tree, node: tree.root(), values })
}

/// The JSON value with which `text` begins. A scalar may go on in a way that is not JSON.
pub(crate) fn leading_value(text: &str) -> serde_json::Result<&str> {
    <&RawValue>::deserialize(&mut serde_json::Deserializer::from_str(text)).map(RawValue::get)
}

/// The first `max` keys of the JSON object `text` as raw JSON, and the total number of keys.
pub(crate) fn keys(text: &str, max: usize) -> (Vec<&str>, usize) {
    serde_json::Deserializer::from_str(text).deserialize_map(Keys { max }).unwrap_or_default()
}

/// The keys of the JSON object `text` that `tree` has no path to, as raw JSON, with their values, in order.
pub(crate) fn others<'t>(text: &'t str, tree: &PathTree) -> Vec<(&'t str, &'t str)> {
    let entries = serde_json::Deserializer::from_str(text).deserialize_map(Entries).unwrap_or_default();
    entries.into_iter().filter(|(key, _)| tree.behind_key(tree.root(), key).is_none()).collect()
}

/// Visits an object or array that paths lead through. The value is the offset of its end.
///
/// Offsets follow from the slices that serde_json returns: a deserializer does not tell where it is.
struct Fields<'t, 'v, const N: usize> {
    text: &'t str,
    /// The offset of the opening bracket.
    begin: usize,
    tree: &'v PathTree,
    node: &'v Node,
    values: &'v mut Values<'t, N>,
}

impl<'t, const N: usize> Fields<'t, '_, N> {
    /// A value within this one, which begins at `begin`.
    fn within<'w>(&'w mut self, begin: usize, node: &'w Node) -> Fields<'t, 'w, N> {
        Fields { text: self.text, begin, tree: self.tree, node, values: self.values }
    }

    /// The offset behind `part` of the text.
    fn end_of(&self, part: &str) -> usize {
        part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr()) + part.len()
    }

    /// The offset of the next token after `end` and one `separator`.
    fn behind(&self, end: usize, separator: u8) -> usize {
        let at = skip_white_space(self.text, end);
        let is_there = self.text.as_bytes().get(at) == Some(&separator);
        skip_white_space(self.text, at + usize::from(is_there))
    }

    fn set(&mut self, mut slots: Slots, value: Option<&'t str>) {
        while slots != 0 {
            if let Some(field) = self.values.get_mut(slots.trailing_zeros() as usize) {
                *field = value;
            }
            slots &= slots - 1;
        }
    }
}

impl<'t, const N: usize> Visitor<'t> for Fields<'t, '_, N> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'t>>(mut self, mut map: A) -> Result<usize, A::Error> {
        let mut end = self.begin + 1;
        // Keys are read as raw JSON: deserializing one with an unpaired surrogate as a `str` would fail the record.
        while let Some(key) = map.next_key::<&RawValue>()? {
            end = match self.tree.behind_key(self.node, key.get()) {
                None => {
                    let value = map.next_value::<&RawValue>()?.get();
                    self.set(self.node.others, Some(value));
                    self.end_of(value)
                }
                Some(node) if !node.has_branches() => {
                    let value = map.next_value::<&RawValue>()?.get();
                    self.set(node.ends, Some(value));
                    self.end_of(value)
                }
                Some(node) => {
                    let begin = self.behind(self.end_of(key.get()), b':');
                    map.next_value_seed(self.within(begin, node))?
                }
            };
        }
        Ok(skip_white_space(self.text, end) + 1)
    }

    fn visit_seq<A: SeqAccess<'t>>(mut self, mut seq: A) -> Result<usize, A::Error> {
        let mut end = self.begin + 1;
        for index in 0.. {
            let element = match self.tree.behind_index(self.node, index) {
                None => seq.next_element::<&RawValue>()?.map(|element| self.end_of(element.get())),
                Some(node) => {
                    let begin = self.behind(end, b',');
                    seq.next_element_seed(self.within(begin, node))?
                }
            };
            let Some(element) = element else { break };
            end = element;
        }
        Ok(skip_white_space(self.text, end) + 1)
    }
}

/// Reads the value of a key or element on a path.
impl<'t, const N: usize> DeserializeSeed<'t> for Fields<'t, '_, N> {
    type Value = usize;

    fn deserialize<D: Deserializer<'t>>(mut self, deserializer: D) -> Result<usize, D::Error> {
        let (text, begin, node) = (self.text, self.begin, self.node);
        if node.has_branches() {
            self.set(node.all, None); // what a first value of the same key contained
        }
        let end = match text.as_bytes().get(begin) {
            Some(b'{') if node.has_branches() => deserializer.deserialize_map(self.within(begin, node))?,
            Some(b'[') if node.has_branches() => deserializer.deserialize_seq(self.within(begin, node))?,
            _ => self.end_of(<&RawValue>::deserialize(deserializer)?.get()),
        };
        self.set(node.ends, text.get(begin..end));
        Ok(end)
    }
}

/// The offset of the first byte from `at` on that is not JSON's white space.
pub(crate) fn skip_white_space(text: &str, at: usize) -> usize {
    let is_white_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_white_space(byte)).count()
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

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(&'de str, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            entries.push((key.get(), value.get()));
        }
        Ok(entries)
    }
}
