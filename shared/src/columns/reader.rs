//! What a click adds to each column, from the fields that were found in its one pass of decoding.

use crate::columns::aggregate::{Condition, Function};
use crate::columns::declaration::{Column, SessionColumns};
use crate::columns::number::Number;
use crate::columns::values::{ColumnValue, ColumnValues, Seen, TextAt};
use crate::event_time::EventTime;
use crate::field_path::FieldPath;
use crate::fields::Field;
use crate::limits::MAX_COLUMNS;

/// Most fields that columns read: one for the value, one for the condition.
pub(crate) const COLUMN_SLOTS: usize = 2 * MAX_COLUMNS;

/// Reads the declared columns of clicks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ColumnReader {
    columns: SessionColumns,
    /// The fields that the columns read, each once; at most [`COLUMN_SLOTS`].
    paths: Vec<FieldPath>,
    /// Of each column, the places of its fields among these.
    slots: Vec<ColumnSlots>,
}

/// Where the fields of a column are. 0 if it does not read such a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ColumnSlots {
    value: usize,
    condition: usize,
}

impl ColumnReader {
    pub(crate) fn new(columns: SessionColumns) -> Self {
        let mut paths: Vec<FieldPath> = Vec::new();
        let mut slot = |path: Option<&FieldPath>| match path {
            None => 0,
            Some(path) => paths.iter().position(|other| other == path).unwrap_or_else(|| {
                paths.push(path.clone());
                paths.len() - 1
            }),
        };
        let slots = |Column { aggregate, .. }: &Column| ColumnSlots {
            value: slot(aggregate.path.as_ref()),
            condition: slot(aggregate.condition.as_ref().map(|condition| &condition.path)),
        };
        let slots = columns.as_slice().iter().map(slots).collect();
        Self { columns, paths, slots }
    }

    pub(crate) fn declared(&self) -> &SessionColumns {
        &self.columns
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The fields to find, in the order of their slots.
    pub(crate) fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    /// What a click at `time` with these `fields`, by their slots, adds to each column. Adds the number of values that
    /// were cut or left out to `adjusted`.
    pub(crate) fn read(&self, fields: &[Option<&str>], time: EventTime, adjusted: &mut u64) -> ColumnValues {
        let field = |slot: usize| Field::of(fields.get(slot).copied().flatten());
        let value = |(column, slots): (&Column, &ColumnSlots)| {
            let matches = |condition: &Condition| condition.matches(&field(slots.condition));
            let seen = if column.aggregate.condition.as_ref().is_none_or(matches) {
                seen(column.aggregate.function, || field(slots.value), time, adjusted)
            } else {
                column.nothing_seen()
            };
            ColumnValue::from(seen)
        };
        self.columns.as_slice().iter().zip(&self.slots).map(value).collect()
    }
}

/// What a matching click at `time` adds.
fn seen<'r>(function: Function, field: impl FnOnce() -> Field<'r>, time: EventTime, adjusted: &mut u64) -> Seen {
    match function {
        Function::First => Seen::First(text(field(), time, adjusted)),
        Function::Last => Seen::Last(text(field(), time, adjusted)),
        Function::Count => Seen::Count(1),
        Function::Sum => Seen::Sum(number(&field(), adjusted)),
        Function::Min => Seen::Min(number(&field(), adjusted)),
        Function::Max => Seen::Max(number(&field(), adjusted)),
        Function::Any => Seen::Any(true),
    }
}

fn text(field: Field<'_>, time: EventTime, adjusted: &mut u64) -> Option<TextAt> {
    field.into_attribute(adjusted).map(|text| TextAt { time, text })
}

/// The field's number: a JSON number, or a string with one, as many producers write money.
fn number(field: &Field<'_>, adjusted: &mut u64) -> Option<Number> {
    let number = match field {
        Field::Missing | Field::Null => return None,
        Field::Text(text) => Number::parse(text),
        Field::Integer(raw) | Field::Scalar(raw) | Field::NotUnicode(raw) | Field::Composite(raw) => Number::parse(raw),
    };
    *adjusted += u64::from(number.is_err());
    number.ok()
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
