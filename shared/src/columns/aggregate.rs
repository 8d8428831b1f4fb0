//! What a column computes of a session's clicks.

use std::fmt;

use crate::field_path::FieldPath;
use crate::fields::Field;
use crate::whole_number::is_same_number;

/// An aggregate with its arguments. It is written in one spelling, whatever the declaration's, which is its identity:
/// a column that is declared anew goes on if its aggregate is written the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aggregate {
    pub(crate) function: Function,
    /// The field that it reads. `None` for [`Function::Count`] and [`Function::Any`].
    pub(crate) path: Option<FieldPath>,
    /// Which clicks it takes. `None`: all.
    pub(crate) condition: Option<Condition>,
}

/// The function of an aggregate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    First,
    Last,
    Count,
    Sum,
    Min,
    Max,
    Any,
}

/// What a click has to have: a field that is one of these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) path: FieldPath,
    values: Vec<Value>,
}

/// A value that conditions compare with, of the same type in JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(String),
    /// In the spelling of [`crate::whole_number::canonical_number`].
    Number(String),
    Flag(bool),
}

impl Function {
    pub(crate) const ALL: [Self; 7] =
        [Self::First, Self::Last, Self::Count, Self::Sum, Self::Min, Self::Max, Self::Any];

    /// Its name in a declaration.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Min => "min",
            Self::Max => "max",
            Self::Any => "any",
        }
    }
}

impl Condition {
    /// The condition that the field at `path` is one of `values`.
    pub(crate) fn new(path: FieldPath, mut values: Vec<Value>) -> Self {
        values.sort_unstable();
        values.dedup();
        Self { path, values }
    }

    /// Whether `field`, which is the one at the path, is one of the values.
    pub(crate) fn matches(&self, field: &Field<'_>) -> bool {
        self.values.iter().any(|value| match (value, field) {
            (Value::Text(value), Field::Text(text)) => value == text,
            (Value::Number(value), Field::Integer(raw) | Field::Scalar(raw)) => is_same_number(value, raw),
            (Value::Flag(value), Field::Scalar(raw)) => *raw == if *value { "true" } else { "false" },
            _ => false,
        })
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.function.word();
        match (&self.path, &self.condition) {
            (None, None) => write!(f, "{word}()"),
            (None, Some(condition)) => write!(f, "{word}({condition})"),
            (Some(path), None) => write!(f, "{word}({})", Spelled(path)),
            (Some(path), Some(condition)) => write!(f, "{word}({}) where {condition}", Spelled(path)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", Spelled(&self.path))?;
        match &*self.values {
            [value] => write!(f, "= {value}"),
            values => {
                f.write_str("in [")?;
                for (place, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if place == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => json_string(text, f),
            Self::Number(number) => f.write_str(number),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

/// A path as declarations spell it: quoted if something in it would end it.
struct Spelled<'p>(&'p FieldPath);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.as_str();
        if path.contains(ends_path) { json_string(path, f) } else { f.write_str(path) }
    }
}

/// Whether `char` ends a path that is not quoted.
pub(crate) fn ends_path(char: char) -> bool {
    char.is_whitespace() || matches!(char, ',' | '(' | ')' | '[' | ']' | '=' | '"' | '\'')
}

fn json_string(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}
