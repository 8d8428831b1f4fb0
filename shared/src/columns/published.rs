//! The values of a session's columns that a boundary has. [`super::named`] adds their names.

use smol_str::SmolStr;
use thin_vec::ThinVec;

use crate::columns::number::Number;

/// The columns of a boundary, in the order of the declaration. Empty if none of them has anything to publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedColumns(ThinVec<PublishedColumn>);

/// What a boundary has of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedColumn {
    /// The value; `None` if there is none.
    pub value: Option<PublishedValue>,
    /// Whether the session has clicks that were not looked at.
    pub is_partial: bool,
}

/// A value as boundaries and items have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedValue {
    /// Of `first` and `last`.
    Text(SmolStr),
    /// Of `count`, `sum`, `min` and `max`.
    Number(Number),
    /// Of `any`.
    Flag(bool),
}

impl PublishedColumns {
    /// Each column, in the order of the declaration; empty if none of them has anything to publish.
    #[must_use]
    pub fn as_slice(&self) -> &[PublishedColumn] {
        &self.0
    }
}

impl FromIterator<PublishedColumn> for PublishedColumns {
    fn from_iter<T: IntoIterator<Item = PublishedColumn>>(columns: T) -> Self {
        Self(columns.into_iter().collect())
    }
}

impl IntoIterator for PublishedColumns {
    type Item = PublishedColumn;
    type IntoIter = thin_vec::IntoIter<PublishedColumn>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
