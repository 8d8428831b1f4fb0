//! Extracts named fields from a record, and rejects records that are not JSON objects.
//!
//! Callers decide which fields matter and what they must contain.

use std::borrow::Cow;
use std::fmt;

use serde::de::IgnoredAny;
use smol_str::SmolStr;

use crate::format_hint::format_hint;
use crate::json_object::{Values, keys, object, others};
use crate::json_string::{unescaped, unescaped_lossy};
use crate::limits::{MAX_ATTRIBUTE_BYTES, MAX_KEY_IN_MESSAGE_CHARS, MAX_KEYS_IN_MESSAGE};
use crate::path_tree::PathTree;
use crate::python_constants::without_python_constants;
use crate::rejection::{FieldFault, Reason, Rejection};
use crate::shown;

/// First bytes of a record aggregated by the Kinesis Producer Library. Source: its aggregation format.
const AGGREGATION_MAGIC: [u8; 4] = [0xF3, 0x89, 0x9A, 0xC2];

/// A field's name in the contract, and the path at which it is looked up: the same, unless configured otherwise.
#[derive(Clone, Copy)]
pub(crate) struct FieldName<'p> {
    /// What reason codes contain.
    pub(crate) name: &'static str,
    /// What messages contain.
    pub(crate) path: &'p str,
}

impl From<&'static str> for FieldName<'static> {
    fn from(name: &'static str) -> Self {
        Self { name, path: name }
    }
}

impl FieldName<'_> {
    /// A rejection because of this field.
    pub(crate) fn rejection(self, fault: FieldFault, message: impl Into<String>) -> Rejection {
        Rejection::of_field(self.name, fault, message)
    }
}

impl fmt::Display for FieldName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)
    }
}

/// The JSON object in a record, and the requested fields.
pub(crate) struct Object<'a, const N: usize> {
    /// The raw JSON of each field, by its slot.
    pub(crate) values: Values<'a, N>,
    /// The whole object.
    pub(crate) json: ObjectJson<'a>,
}

/// An object's JSON, with Python's constants replaced by numbers.
pub(crate) struct ObjectJson<'a> {
    json: Cow<'a, str>,
    wording: Wording,
}

impl<'a> ObjectJson<'a> {
    /// The object `json`.
    pub(crate) fn new(json: &'a str, wording: Wording) -> Self {
        Self { json: Cow::Borrowed(json), wording }
    }
}

/// How messages speak of what was read.
#[derive(Clone, Copy)]
pub(crate) struct Wording {
    noun: &'static str,
    if_array: &'static str,
}

impl Wording {
    /// A record that must be one object.
    pub(crate) const ONE_OBJECT: Self = Self { noun: "the record", if_array: "send one click per record" };
    /// A record that may contain several values.
    pub(crate) const RECORD: Self = Self { noun: "the record", if_array: "an array of clicks must contain objects" };
    /// A value among others in a record.
    pub(crate) const VALUE: Self = Self { noun: "the value", ..Self::RECORD };
}

/// A field's value, as far as the contract distinguishes values.
pub(crate) enum Field<'a> {
    Missing,
    Null,
    Text(Cow<'a, str>),
    /// The raw JSON of a string with an unpaired surrogate.
    NotUnicode(&'a str),
    /// The digits of a JSON integer, including its sign.
    Integer(&'a str),
    /// The raw text of any other number, a boolean or one of Python's constants.
    Scalar(&'a str),
    /// The raw JSON of an array or object.
    Composite(&'a str),
}

impl<'a, const N: usize> Object<'a, N> {
    /// Reads the fields of `tree` from the JSON object `data`.
    pub(crate) fn read(data: &'a [u8], tree: &PathTree, wording: Wording) -> Result<Self, Rejection> {
        if data.starts_with(&AGGREGATION_MAGIC) {
            let message = "the record was aggregated by the Kinesis Producer Library; \
                           turn aggregation off in the producer (AggregationEnabled=false)";
            return Err(Rejection::of_record(Reason::AggregatedRecord, message));
        }
        let text = std::str::from_utf8(data).map_err(|error| not_utf8(data, error.valid_up_to(), wording))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text); // RFC 8259 allows ignoring a byte order mark

        let (values, json) = match object(text, tree) {
            Ok(values) => (values, Cow::Borrowed(text)),
            Err(error) => {
                let Some(json) = without_python_constants(text) else {
                    return Err(not_json(text, text, &error, wording));
                };
                let values = object(&json, tree).map_err(|error| not_json(text, &json, &error, wording))?;
                let values = values.map(|values| values.map(|value| Some(same_place(text, &json, value?))));
                (values, Cow::Owned(json))
            }
        };
        let Some(values) = values else { return Err(not_an_object(text, wording)) };
        Ok(Self { values, json: ObjectJson { json, wording } })
    }
}

/// The slice of `text` at the position of `part` within `json`. Both texts have the same length.
pub(crate) fn same_place<'a>(text: &'a str, json: &str, part: &str) -> &'a str {
    let begin = part.as_ptr().addr().saturating_sub(json.as_ptr().addr());
    text.get(begin..begin + part.len()).unwrap_or_default()
}

impl ObjectJson<'_> {
    /// The keys that `tree` has no path to, as raw JSON, with their values.
    pub(crate) fn others(&self, tree: &PathTree) -> Vec<(&str, &str)> {
        others(&self.json, tree)
    }

    /// The rejection for a missing field `name`. It lists the object's keys, which reveal an envelope or another
    /// spelling.
    pub(crate) fn without(&self, name: FieldName<'_>) -> Rejection {
        let noun = self.wording.noun;
        let (first, count) = keys(&self.json, MAX_KEYS_IN_MESSAGE);
        let shown: Vec<_> =
            first.into_iter().map(|raw| shown::key(&unescaped_lossy(raw), MAX_KEY_IN_MESSAGE_CHARS)).collect();
        let keys = match count - shown.len() {
            0 if count == 0 => format!("{noun} has no keys"),
            0 => format!("{noun}'s keys are {}", shown.join(", ")),
            more => format!("{noun}'s keys are {} and {more} more", shown.join(", ")),
        };
        let message = format!("{name} is required but missing; {keys}");
        name.rejection(FieldFault::Missing, message)
    }
}

impl<'a> Field<'a> {
    /// The field whose raw JSON is `raw`, if it is there.
    pub(crate) fn of(raw: Option<&'a str>) -> Self {
        let Some(raw) = raw else { return Self::Missing };
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b'"') => unescaped(raw).map_or(Self::NotUnicode(raw), Self::Text),
            Some(b'{' | b'[') => Self::Composite(raw),
            Some(b'-' | b'0'..=b'9') if !raw.contains(['.', 'e', 'E', 'I']) => Self::Integer(raw),
            _ => Self::Scalar(raw),
        }
    }

    /// The field as JSON, for a message.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Missing => "missing".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Text(text) => shown::string(text),
            Self::NotUnicode(raw) | Self::Integer(raw) | Self::Scalar(raw) | Self::Composite(raw) => shown::json(raw),
        }
    }

    /// The field as text; `None` if it is absent, null, an array or an object.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing | Self::Null | Self::Composite(_) => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::NotUnicode(raw) => Some(unescaped_lossy(raw).into()),
            Self::Integer("-0") => Some("0".into()), // zero is the only integer with two spellings
            Self::Integer(raw) | Self::Scalar(raw) => Some((*raw).into()),
        }
    }

    /// The field as an optional string of at most [`MAX_ATTRIBUTE_BYTES`] bytes. Any other value is adjusted to fit,
    /// which adds one to `adjusted`.
    pub(crate) fn into_attribute(self, adjusted: &mut u64) -> Option<SmolStr> {
        match &self {
            Self::Missing | Self::Null => return None,
            Self::Text(text) if text.len() <= MAX_ATTRIBUTE_BYTES => return Some(text.as_ref().into()),
            _ => *adjusted += 1,
        }
        let text = self.text()?;
        Some(text[..text.floor_char_boundary(MAX_ATTRIBUTE_BYTES)].into())
    }
}

/// The rejection of field `name`, whose value `field` is not `expected`.
pub(crate) fn mistyped(name: FieldName<'_>, field: &Field<'_>, expected: &str) -> Rejection {
    name.rejection(FieldFault::Mistyped, format!("{name} is {}, expected {expected}", field.shown()))
}

/// The rejection of field `name`, whose value `raw` is a string with an unpaired surrogate.
pub(crate) fn not_unicode(name: FieldName<'_>, raw: &str) -> Rejection {
    let message = format!("{name} is {}, which contains an unpaired surrogate", shown::json(raw));
    name.rejection(FieldFault::NotUnicode, message)
}

/// The rejection of the required field `name`, which is absent (`Missing`) or null (`Null`).
pub(crate) fn absent(name: FieldName<'_>, fault: FieldFault) -> Rejection {
    let what = if fault == FieldFault::Null { "null" } else { "missing" };
    name.rejection(fault, format!("{name} is required but {what}"))
}

fn not_utf8(data: &[u8], offset: usize, Wording { noun, .. }: Wording) -> Rejection {
    let hint = format_hint(data).map(|hint| format!("; {hint}")).unwrap_or_default();
    Rejection::of_record(Reason::NotUtf8, format!("{noun} is not valid UTF-8 at byte {offset}{hint}"))
}

/// The rejection of `text`, which failed to parse with `error`; `json` is `text` without Python's constants.
fn not_json(text: &str, json: &str, error: &serde_json::Error, Wording { noun, .. }: Wording) -> Rejection {
    let message = if let Some(offset) = second_value(json) {
        format!("{noun} contains several JSON values, the second at byte {offset}; send one click per record")
    } else {
        let hint = format_hint(text.as_bytes()).map(|hint| format!("; {hint}")).unwrap_or_default();
        let near = match text {
            "" => String::new(),
            _ => format!(", near: {}", shown::excerpt(text, offset_of(text, error))),
        };
        format!("{noun} is not JSON{hint}; {error}{near}")
    };
    Rejection::of_record(Reason::NotJson, message)
}

/// The byte offset of `error` in `text`.
fn offset_of(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    lines.map(str::len).sum::<usize>() + error.column().saturating_sub(1)
}

/// The byte offset in `text` of a second object or array, after a complete JSON value and an optional comma.
fn second_value(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let rest = text.get(values.byte_offset()..)?.trim_start();
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    rest.starts_with(['{', '[']).then_some(text.len() - rest.len())
}

/// The rejection of `text`, which is JSON but not an object.
fn not_an_object(text: &str, Wording { noun, if_array }: Wording) -> Rejection {
    let value = text.trim();
    let hint = match value.as_bytes().first() {
        Some(b'[') => Some(if_array),
        Some(b'"') if is_object_begin(value) => Some("it looks like JSON encoded twice; send the object itself"),
        Some(b'"') => format_hint(unescaped_lossy(value).as_bytes()),
        _ => None,
    };
    let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    Rejection::of_record(Reason::NotAnObject, format!("{noun} is {}, not a JSON object{hint}", shown::json(value)))
}

/// Whether the content of the JSON string `raw` begins like an object.
fn is_object_begin(raw: &str) -> bool {
    unescaped_lossy(raw).trim_start().starts_with('{')
}
