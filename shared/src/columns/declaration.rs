//! The columns of a deployment: their names and what they compute.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::columns::aggregate::{Aggregate, Function};
use crate::columns::faults::{ColumnFault, DeclarationFault};
use crate::columns::parser::{parse_aggregate, split};
use crate::columns::values::{ColumnValue, ColumnValues, Seen};
use crate::limits::{MAX_COLUMN_DECLARATION_BYTES, MAX_COLUMN_NAME_CHARS, MAX_COLUMNS, MAX_VALUE_IN_MESSAGE_CHARS};
use crate::shown;

/// The boundary's key under which a closed session lists its partial columns.
pub const PARTIAL: &str = "partial";

/// An attribute that no session's item has, for statements that must change nothing.
pub const NEVER_IN_AN_ITEM: &str = "confirmed";

/// Names of a boundary's or an item's fields, and one that is free of them: no column can have these.
const RESERVED: [&str; 16] = [
    "user_id",
    "session_timestamp",
    "session_time",
    "session_id",
    "event_type",
    "device_type",
    "event_name",
    "status",
    "session_end",
    "duration_ms",
    "event_count",
    PARTIAL,
    "version",
    "ordinal",
    "expires_at",
    NEVER_IN_AN_ITEM,
];

/// The columns of a deployment, in the order in which boundaries show them. Cheap to clone. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionColumns(Arc<[Column]>);

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    name: SmolStr,
    pub(crate) aggregate: Aggregate,
    /// The aggregate in its one spelling.
    canonical: String,
}

impl SessionColumns {
    /// The columns that `declaration` spells: `name = aggregate`, separated by commas or new lines. `docs/columns.md`
    /// has the grammar.
    ///
    /// # Errors
    /// All faults of the declaration: of each column, at most one of its name and one of its aggregate.
    pub fn parse(declaration: &str) -> Result<Self, Vec<DeclarationFault>> {
        if declaration.len() > MAX_COLUMN_DECLARATION_BYTES {
            return Err(vec![DeclarationFault::TooLong(declaration.len())]);
        }
        let texts = split(declaration);
        let (mut columns, mut faults): (Vec<Column>, Vec<DeclarationFault>) = Default::default();
        if texts.len() > MAX_COLUMNS {
            faults.push(DeclarationFault::TooMany(texts.len()));
        }
        let mut names = Vec::with_capacity(texts.len());
        for text in texts {
            let mut report = |name: &str, fault: ColumnFault| {
                let column = shown::key(name, MAX_VALUE_IN_MESSAGE_CHARS);
                faults.push(DeclarationFault::Column { column, fault });
            };
            let Some((name, aggregate)) = text.split_once('=') else {
                report(text, ColumnFault::NoAggregate);
                continue;
            };
            let name = name.trim_end();
            if let Err(fault) = check_name(name, &names) {
                report(name, fault);
            }
            match parse_aggregate(aggregate) {
                Ok(aggregate) => columns.push(Column::new(name, aggregate)),
                Err(fault) => report(name, fault),
            }
            names.push(name);
        }
        let stored_bytes = columns.iter().map(|column| column.canonical.len()).sum();
        if stored_bytes > MAX_COLUMN_DECLARATION_BYTES {
            faults.push(DeclarationFault::TooLongInOneSpelling(stored_bytes));
        }
        if faults.is_empty() { Ok(Self(columns.into())) } else { Err(faults) }
    }

    /// The columns with these [`Self::canonical_texts`], called `column_1` and so on, for a reader of stored values that
    /// does not know the declaration.
    ///
    /// # Errors
    /// If one of them is not an aggregate.
    pub fn of_canonical_texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Result<Self, DeclarationFault> {
        let column = |(number, text): (usize, &str)| {
            let name = format!("column_{number}");
            match parse_aggregate(text) {
                Ok(aggregate) => Ok(Column::new(&name, aggregate)),
                Err(fault) => Err(DeclarationFault::Column { column: name, fault }),
            }
        };
        (1..).zip(texts).map(column).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the columns.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|column| column.name.as_str())
    }

    /// What identifies each column in stored state: its aggregate in one spelling. Values stored under one text mean
    /// the same under every declaration that has it, whatever the column's name.
    pub fn canonical_texts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(|column| column.canonical.as_str())
    }

    /// The values of no clicks at all.
    #[must_use]
    pub fn nothing_seen(&self) -> ColumnValues {
        self.0.iter().map(|column| ColumnValue::from(column.nothing_seen())).collect()
    }

    pub(crate) fn as_slice(&self) -> &[Column] {
        &self.0
    }
}

impl Column {
    fn new(name: &str, aggregate: Aggregate) -> Self {
        Self { name: name.into(), canonical: aggregate.to_string(), aggregate }
    }

    pub(crate) fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The value of no clicks at all.
    pub(crate) fn nothing_seen(&self) -> Seen {
        match self.aggregate.function {
            Function::First => Seen::First(None),
            Function::Last => Seen::Last(None),
            Function::Count => Seen::Count(0),
            Function::Sum => Seen::Sum(None),
            Function::Min => Seen::Min(None),
            Function::Max => Seen::Max(None),
            Function::Any => Seen::Any(false),
        }
    }
}

/// Whether a column can have this name.
#[must_use]
pub fn is_column_name(name: &str) -> bool {
    check_name(name, &[]).is_ok()
}

/// Case does not distinguish names, because it does not in the query engines that read what the stream delivers.
fn check_name(name: &str, earlier: &[&str]) -> Result<(), ColumnFault> {
    let is_valid = !name.is_empty()
        && name.len() <= MAX_COLUMN_NAME_CHARS
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_among = |names: &[&str]| names.iter().any(|other| other.eq_ignore_ascii_case(name));
    if !is_valid {
        Err(ColumnFault::BadName)
    } else if is_among(&RESERVED) {
        Err(ColumnFault::Reserved)
    } else if is_among(earlier) {
        Err(ColumnFault::Twice)
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "declaration_tests.rs"]
mod tests;
