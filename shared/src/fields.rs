//! Takes the fields it is asked for out of one JSON object, without building what is thrown away.
//!
//! Strict about JSON, lenient about the object: other fields are skipped, of a field given twice the last one counts.
//! Skipping is not recursive, so nesting of any depth costs no stack. Which fields matter is the callers' business.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use crate::limits::MAX_ATTRIBUTE_BYTES;
use crate::rejection::{FieldFault, Reason, Rejection, shown};

/// How records begin that the Kinesis Producer Library packed together. Source: its aggregation format.
const AGGREGATION_MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// What a field holds, as far as the contract cares.
pub(crate) enum Field<'a> {
    Missing,
    Null,
    Text(Cow<'a, str>),
    /// The digits of a JSON integer, with its sign.
    Integer(&'a str),
    /// Anything else, as it stands in the record.
    Other(&'a str),
}

/// The fields called `names` in the JSON object `data`, in that order.
pub(crate) fn fields_of<'a, const N: usize>(
    data: &'a [u8],
    names: [&'static str; N],
) -> Result<[Field<'a>; N], Rejection> {
    if data.starts_with(&AGGREGATION_MAGIC) {
        let message = "the record holds many records packed by the Kinesis Producer Library; \
                       switch its aggregation off (AggregationEnabled=false)";
        return Err(Rejection::of_record(Reason::AggregatedRecord, message));
    }
    let text = std::str::from_utf8(data)
        .map_err(|error| Rejection::of_record(Reason::NotUtf8, format!("the record is not UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text); // a byte order mark is no part of the JSON text

    let mut json = serde_json::Deserializer::from_str(text);
    if text.trim_start().starts_with('{') {
        let raw = NamedFields { names }.deserialize(&mut json).and_then(|raw| json.end().map(|()| raw));
        let raw = raw.map_err(|error| not_json(&error))?;
        let mut fields = [const { Field::Missing }; N];
        for ((field, raw), name) in fields.iter_mut().zip(raw).zip(names) {
            *field = Field::of(name, raw)?;
        }
        Ok(fields)
    } else {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
        let message = format!("the record is {}, not a JSON object", shown(text));
        Err(Rejection::of_record(Reason::NotAnObject, message))
    }
}

fn not_json(error: &serde_json::Error) -> Rejection {
    Rejection::of_record(Reason::NotJson, format!("the record is not JSON: {error}"))
}

impl<'a> Field<'a> {
    fn of(name: &'static str, raw: Option<&'a RawValue>) -> Result<Self, Rejection> {
        let Some(raw) = raw.map(RawValue::get) else { return Ok(Self::Missing) };
        Ok(match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b'"') => Self::Text(text_of(name, raw)?),
            Some(b'-' | b'0'..=b'9') if !raw.contains(['.', 'e', 'E']) => Self::Integer(raw),
            _ => Self::Other(raw),
        })
    }

    /// An optional text of at most [`MAX_ATTRIBUTE_BYTES`] bytes.
    pub(crate) fn into_attribute(self, name: &'static str) -> Result<Option<SmolStr>, Rejection> {
        match self {
            Self::Missing | Self::Null => Ok(None),
            Self::Text(text) if text.len() > MAX_ATTRIBUTE_BYTES => {
                let message =
                    format!("{name} has {} bytes, the limit is {MAX_ATTRIBUTE_BYTES}: {}", text.len(), shown(&text));
                Err(Rejection::of_field(name, FieldFault::TooLong, message))
            }
            Self::Text(text) => Ok(Some(text.into())),
            Self::Integer(raw) | Self::Other(raw) => Err(mistyped(name, raw, "a string or null")),
        }
    }
}

/// The rejection of field `name`, whose JSON is `raw`, where `expected` was wanted.
pub(crate) fn mistyped(name: &'static str, raw: &str, expected: &str) -> Rejection {
    let message = format!("{name} is {}, expected {expected}", shown(raw));
    Rejection::of_field(name, FieldFault::Mistyped, message)
}

/// The rejection of field `name`, which is not there (`Missing`) or null (`Null`).
pub(crate) fn absent(name: &'static str, fault: FieldFault) -> Rejection {
    let what = if fault == FieldFault::Null { "null" } else { "missing" };
    Rejection::of_field(name, fault, format!("{name} is {what}, and it is required"))
}

/// Fails for what JSON's grammar allows and Unicode does not: half of a surrogate pair.
fn text_of<'a>(name: &str, raw: &'a str) -> Result<Cow<'a, str>, Rejection> {
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    match serde_json::from_str::<Text<'a>>(raw) {
        Ok(Text(text)) => Ok(text),
        Err(error) => {
            Err(Rejection::of_record(Reason::NotJson, format!("{name} is not a text: {error}: {}", shown(raw))))
        }
    }
}

/// Reads an object and keeps the JSON of the fields called `names`.
struct NamedFields<const N: usize> {
    names: [&'static str; N],
}

impl<'de, const N: usize> DeserializeSeed<'de> for NamedFields<N> {
    type Value = [Option<&'de RawValue>; N];

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for NamedFields<N> {
    type Value = [Option<&'de RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = [None; N];
        while let Some(index) = map.next_key_seed(IndexOfName { names: &self.names })? {
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

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for IndexOfName<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.names.iter().position(|name| *name == key))
    }
}
