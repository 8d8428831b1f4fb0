//! What can be wrong with a declaration of columns.

use crate::field_path::PathError;
use crate::limits::{
    MAX_ATTRIBUTE_BYTES, MAX_COLUMN_DECLARATION_BYTES, MAX_COLUMN_NAME_CHARS, MAX_COLUMNS, MAX_CONDITION_VALUES,
};

/// A fault of a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeclarationFault {
    /// It is longer than [`MAX_COLUMN_DECLARATION_BYTES`]. It is not looked at any further.
    #[error("{0} bytes, more than the limit of {MAX_COLUMN_DECLARATION_BYTES}")]
    TooLong(usize),
    /// Its aggregates are longer than that in the one spelling that is stored, whose strings may need escapes.
    #[error("{0} bytes as they are stored, with escapes, more than the limit of {MAX_COLUMN_DECLARATION_BYTES}")]
    TooLongInOneSpelling(usize),
    /// It has more than [`MAX_COLUMNS`] columns.
    #[error("{0} columns, more than the limit of {MAX_COLUMNS}")]
    TooMany(usize),
    /// One column is wrong.
    #[error("column {column}: {fault}")]
    Column {
        /// The column's name, or what is in its place, as JSON.
        column: String,
        /// What is wrong with it.
        fault: ColumnFault,
    },
}

/// What is wrong with a column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnFault {
    /// There is no `=`.
    #[error("expected name = aggregate, such as entry_page = first(/page)")]
    NoAggregate,
    /// The name has other characters than letters, digits and underscores of ASCII, begins with a digit, is empty or
    /// has more than [`MAX_COLUMN_NAME_CHARS`] characters.
    #[error(
        "a name is 1 to {MAX_COLUMN_NAME_CHARS} letters, digits and underscores of ASCII, and does not begin with a digit"
    )]
    BadName,
    /// The contract uses the name.
    #[error("the name is reserved for a field of every session")]
    Reserved,
    /// An earlier column has the name. Upper and lower case are the same.
    #[error("the name is declared twice")]
    Twice,
    /// There is no such aggregate.
    #[error("{0} is not an aggregate, expected first, last, count, sum, min, max or any")]
    UnknownAggregate(String),
    /// Something else should be in this place.
    #[error("expected {expected} but found {found}")]
    Expected {
        /// What should be there.
        expected: &'static str,
        /// What is there, as JSON.
        found: String,
    },
    /// A path is not a JSON Pointer.
    #[error("path {0} does not begin with /, expected a JSON Pointer such as /page")]
    PathWithoutSlash(String),
    /// A path is not a JSON Pointer that can be looked up.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A string does not end.
    #[error("string {0} has no closing quote")]
    UnterminatedString(String),
    /// A string in double quotes is not a JSON string.
    #[error("{0} is not a JSON string: check what follows each backslash")]
    InvalidString(String),
    /// A string to compare with is longer than [`MAX_ATTRIBUTE_BYTES`].
    #[error("string {0} has {1} bytes, more than the limit of {MAX_ATTRIBUTE_BYTES}")]
    StringTooLong(String, usize),
    /// A number to compare with is not one.
    #[error("{0} is not a value to compare with, expected a string in quotes, a number, true or false")]
    NotAValue(String),
    /// There are more values to compare with than [`MAX_CONDITION_VALUES`].
    #[error("{0} values to compare with, more than the limit of {MAX_CONDITION_VALUES}")]
    TooManyValues(usize),
    /// The aggregate has no `where`.
    #[error("{0} takes no where, which only sum, min and max do")]
    NoWhere(&'static str),
    /// The aggregate has no `where`, but a condition in its parentheses.
    #[error("{0} takes no where: put the condition in its parentheses")]
    WhereOutside(&'static str),
}
