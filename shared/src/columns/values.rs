//! What a session has seen of its columns.
//!
//! Values are in the order of the declaration, and each knows how it merges: no declaration is needed for that.

use smol_str::SmolStr;
use thin_vec::ThinVec;

use crate::click::Click;
use crate::columns::number::Number;
use crate::columns::published::{PublishedColumn, PublishedColumns, PublishedValue};
use crate::event_time::EventTime;
use crate::merging::Merging;

/// The values of a session or a click, one for each declared column, in their order. Without columns it is one pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnValues(ThinVec<ColumnValue>);

/// The value of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnValue {
    /// What was seen.
    pub seen: Seen,
    /// Whether the session has clicks that were not looked at, because the column was declared later.
    pub is_partial: bool,
}

/// What one aggregate has seen of some clicks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The text of the click with the smallest event time; among equal times, of the one that arrived first.
    First(Option<TextAt>),
    /// The text of the click with the greatest event time; among equal times, of the one that arrived last.
    Last(Option<TextAt>),
    /// How many clicks match.
    Count(u64),
    /// The sum of the numbers.
    Sum(Option<Number>),
    /// The smallest of the numbers.
    Min(Option<Number>),
    /// The greatest of the numbers.
    Max(Option<Number>),
    /// Whether a click matches.
    Any(bool),
}

/// A text and the event time of its click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextAt {
    /// The event time.
    pub time: EventTime,
    /// The text, at most [`crate::limits::MAX_ATTRIBUTE_BYTES`] bytes.
    pub text: SmolStr,
}

impl Merging for ColumnValues {
    fn of(click: &Click) -> Self {
        click.columns.clone()
    }

    fn take(&mut self, click: &Click) {
        self.merge(&click.columns);
    }

    fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            mine.merge(theirs);
        }
        if self.0.len() == other.0.len() {
            return;
        }
        // Not of one declaration: a session was stored under another and not mapped to the present one.
        let common = self.0.len().min(other.0.len());
        self.0[common..].iter_mut().for_each(|mine| mine.is_partial = true);
        let added = other.0[common..].iter().map(|theirs| ColumnValue { is_partial: true, ..theirs.clone() });
        self.0.extend(added);
    }
}

impl ColumnValues {
    /// The values in the order of the declaration.
    #[must_use]
    pub fn as_slice(&self) -> &[ColumnValue] {
        &self.0
    }

    /// What a closed boundary has.
    #[must_use]
    pub fn in_closed(&self) -> PublishedColumns {
        self.published(|value| PublishedColumn { value: value.seen.published(), is_partial: value.is_partial })
    }

    /// What an open boundary has: only what `first` gives, which later clicks do not change.
    #[must_use]
    pub fn in_open(&self) -> PublishedColumns {
        self.published(|value| PublishedColumn { value: value.seen.published_in_open(), is_partial: false })
    }

    fn published(&self, column: impl Fn(&ColumnValue) -> PublishedColumn) -> PublishedColumns {
        let is_something = |value: &ColumnValue| column(value) != PublishedColumn::default();
        if self.0.iter().any(is_something) { self.0.iter().map(column).collect() } else { PublishedColumns::default() }
    }

    /// Whether closed boundaries with these values and with `other` are the same.
    pub(crate) fn is_same_in_closed(&self, other: &Self) -> bool {
        let published = |value: &ColumnValue| (value.seen.published(), value.is_partial);
        self.0.iter().map(published).eq(other.0.iter().map(published))
    }

    /// Whether open boundaries with these values and with `other` are the same.
    pub(crate) fn is_same_in_open(&self, other: &Self) -> bool {
        self.0.iter().map(|value| value.seen.first()).eq(other.0.iter().map(|value| value.seen.first()))
    }

    /// Whether an open boundary would be another after `click`.
    pub(crate) fn changes_in_open_after(&self, click: &Click) -> bool {
        let changes = |(mine, theirs): (&ColumnValue, &ColumnValue)| {
            mine.seen.is_replaced_by(&theirs.seen) && mine.seen.first() != theirs.seen.first()
        };
        let others = click.columns.0.get(self.0.len()..).unwrap_or_default();
        self.0.iter().zip(&click.columns.0).any(changes) || others.iter().any(|value| value.seen.first().is_some())
    }

    /// How much the values weigh in the state, in bytes: texts by their length, other values by their size.
    pub(crate) fn len_bytes(&self) -> usize {
        self.0.iter().map(|value| value.seen.len_bytes()).sum()
    }
}

impl FromIterator<ColumnValue> for ColumnValues {
    fn from_iter<T: IntoIterator<Item = ColumnValue>>(values: T) -> Self {
        Self(values.into_iter().collect())
    }
}

impl From<Seen> for ColumnValue {
    fn from(seen: Seen) -> Self {
        Self { seen, is_partial: false }
    }
}

impl ColumnValue {
    fn merge(&mut self, other: &Self) {
        self.is_partial |= other.is_partial;
        let sum = |mine: Number, theirs: Number| mine.plus(theirs);
        match (&mut self.seen, &other.seen) {
            (mine @ Seen::First(_), theirs @ Seen::First(_)) | (mine @ Seen::Last(_), theirs @ Seen::Last(_)) => {
                if mine.is_replaced_by(theirs) {
                    mine.clone_from(theirs);
                }
            }
            (Seen::Count(mine), Seen::Count(theirs)) => *mine = mine.saturating_add(*theirs),
            (Seen::Sum(mine), Seen::Sum(theirs)) => *mine = either(*mine, *theirs, sum),
            (Seen::Min(mine), Seen::Min(theirs)) => *mine = either(*mine, *theirs, Number::min),
            (Seen::Max(mine), Seen::Max(theirs)) => *mine = either(*mine, *theirs, Number::max),
            (Seen::Any(mine), Seen::Any(theirs)) => *mine |= theirs,
            _ => self.is_partial = true, // a value of another declaration, which was not mapped to this one
        }
    }
}

/// The two together; if one is missing, the other.
fn either(a: Option<Number>, b: Option<Number>, both: impl Fn(Number, Number) -> Number) -> Option<Number> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (one, other) => one.or(other),
    }
}

impl Seen {
    /// Whether the text of `other`, whose click arrived later if the times are equal, takes the place of this one.
    fn is_replaced_by(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::First(mine), Self::First(Some(theirs))) => mine.as_ref().is_none_or(|it| theirs.time < it.time),
            (Self::Last(mine), Self::Last(Some(theirs))) => mine.as_ref().is_none_or(|it| theirs.time >= it.time),
            _ => false,
        }
    }

    fn first(&self) -> Option<&SmolStr> {
        if let Self::First(Some(TextAt { text, .. })) = self { Some(text) } else { None }
    }

    fn published(&self) -> Option<PublishedValue> {
        match self {
            Self::First(text) | Self::Last(text) => text.as_ref().map(|it| PublishedValue::Text(it.text.clone())),
            Self::Count(count) => Some(PublishedValue::Number(Number::from(*count))),
            Self::Sum(number) | Self::Min(number) | Self::Max(number) => number.map(PublishedValue::Number),
            Self::Any(flag) => Some(PublishedValue::Flag(*flag)),
        }
    }

    fn published_in_open(&self) -> Option<PublishedValue> {
        self.first().map(|text| PublishedValue::Text(text.clone()))
    }

    fn len_bytes(&self) -> usize {
        match self {
            Self::First(text) | Self::Last(text) => text.as_ref().map_or(0, |it| it.text.len()),
            Self::Count(_) => size_of::<u64>(),
            Self::Sum(number) | Self::Min(number) | Self::Max(number) => number.map_or(0, |_| size_of::<Number>()),
            Self::Any(_) => size_of::<bool>(),
        }
    }
}
