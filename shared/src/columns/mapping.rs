//! Stored values under another declaration than the one they were stored under.
//!
//! A change of the declaration counts from then on: a column whose aggregate was declared before goes on, whatever its
//! name was; a new one starts empty and is partial in every session that it finds; others are dropped.

use crate::columns::declaration::{Column, SessionColumns};
use crate::columns::published::{PublishedColumn, PublishedColumns};
use crate::columns::values::{ColumnValue, ColumnValues, Seen};

/// Where the columns of a declaration are among stored ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMapping {
    /// Of each declared column, its place among the stored ones, and the value of no clicks.
    columns: Vec<(Option<usize>, Seen)>,
    is_identity: bool,
}

impl SessionColumns {
    /// How values that were stored under these texts ([`Self::canonical_texts`]) continue under this declaration.
    #[must_use]
    pub fn mapping_from<'t>(&self, stored: impl IntoIterator<Item = &'t str>) -> ColumnMapping {
        let stored: Vec<_> = stored.into_iter().collect();
        let place = |column: &Column| {
            let place = stored.iter().position(|text| *text == column.canonical());
            (place, column.nothing_seen())
        };
        let is_identity = self.canonical_texts().eq(stored.iter().copied());
        ColumnMapping { columns: self.as_slice().iter().map(place).collect(), is_identity }
    }
}

impl ColumnMapping {
    /// The values of a session. A column is empty and partial if it was not stored, or its value is not of its kind.
    #[must_use]
    pub fn values(&self, stored: ColumnValues) -> ColumnValues {
        if self.is_identity && self.fits(&stored) {
            return stored;
        }
        let value = |(place, nothing_seen): &(Option<usize>, Seen)| {
            let value = place.and_then(|place| stored.as_slice().get(place));
            let value = value.filter(|value| is_same_kind(&value.seen, nothing_seen));
            value.cloned().unwrap_or(ColumnValue { seen: nothing_seen.clone(), is_partial: true })
        };
        self.columns.iter().map(value).collect()
    }

    /// The columns of a boundary that is still to be published. One that was not stored has no value.
    #[must_use]
    pub fn published(&self, stored: PublishedColumns) -> PublishedColumns {
        if self.is_identity || stored.as_slice().is_empty() {
            return stored;
        }
        let column = |(place, _): &(Option<usize>, Seen)| -> PublishedColumn {
            place.and_then(|place| stored.as_slice().get(place)).cloned().unwrap_or_default()
        };
        self.columns.iter().map(column).collect()
    }

    fn fits(&self, stored: &ColumnValues) -> bool {
        let stored = stored.as_slice();
        stored.len() == self.columns.len()
            && stored.iter().zip(&self.columns).all(|(value, (_, seen))| is_same_kind(&value.seen, seen))
    }
}

fn is_same_kind(a: &Seen, b: &Seen) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
