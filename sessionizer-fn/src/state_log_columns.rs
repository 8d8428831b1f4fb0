//! The columns of a commit's sessions and boundaries, kept apart from everything else and column by column: what is alike
//! is next to one another, and compresses well.
//!
//! Nothing of this is stored if no columns are declared. Each column is stored with its aggregate, so that a reader that
//! declares others knows which ones go on ([`shared::columns::mapping`]).

use std::collections::HashMap;
use std::{mem, slice, vec};

use serde::{Deserialize, Serialize};
use shared::columns::declaration::SessionColumns;
use shared::columns::mapping::ColumnMapping;
use shared::columns::number::Number;
use shared::columns::published::{PublishedColumn, PublishedColumns, PublishedValue};
use shared::columns::values::{ColumnValue, ColumnValues, Seen, TextAt};
use shared::event_time::EventTime;
use smol_str::SmolStr;

use crate::state_log_codec::{CodecError, Fault};
use crate::state_log_weight::unsigned_bytes;
use crate::state_log_wire::{absolute, since};

/// Bytes of a tag.
const TAG_BYTES: usize = 1;

/// What a value is: the lower bits of its tag.
const LACKING: u8 = 0; // the session or boundary has no columns, or fewer than are declared
const FIRST: u8 = 1;
const LAST: u8 = 2;
const COUNT: u8 = 3;
const SUM: u8 = 4;
const MIN: u8 = 5;
const MAX: u8 = 6;
const ANY: u8 = 7;
const PUBLISHED_NOTHING: u8 = 8;
const PUBLISHED_TEXT: u8 = 9;
const PUBLISHED_NUMBER: u8 = 10;
const PUBLISHED_FLAG: u8 = 11;
const KIND: u8 = 15;

/// The other bits of a tag: something was seen that is not zero or false; some clicks were not looked at; the number is
/// in hundredths, or whole, instead of in billionths.
const IS_SET: u8 = 16;
const IS_PARTIAL: u8 = 32;
const HUNDREDTHS: u8 = 64;
const WHOLE: u8 = 128;

/// The units of numbers, in billionths.
const UNITS: [(u8, i64); 3] = [(WHOLE, 1_000_000_000), (HUNDREDTHS, 10_000_000), (0, 1)];

/// Columns as they are stored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WireColumns<'a> {
    /// Each text once. Values refer to them by their place.
    #[serde(borrow)]
    texts: Vec<&'a str>,
    #[serde(borrow)]
    columns: Vec<WireColumn<'a>>,
}

/// One column of all sessions and boundaries, in the order of the commit's entries.
#[derive(Debug, Serialize, Deserialize)]
struct WireColumn<'a> {
    /// Its aggregate, in its one spelling.
    aggregate: &'a str,
    /// One for each session or boundary.
    tags: &'a [u8],
    /// What the tags call for: of a session's text, the time since its start (`first`) or from its end (`last`), then the
    /// text's place; of another text its place; a count; of another number how many of its unit it is.
    numbers: Vec<i128>,
}

/// The columns of a commit that is being encoded.
#[derive(Debug, Default)]
pub(crate) struct ColumnsOut<'a> {
    texts: Texts<'a>,
    columns: Vec<ColumnOut<'a>>,
    /// Whether a session or boundary has more columns than there are.
    has_more: bool,
}

#[derive(Debug, Default)]
struct Texts<'a> {
    texts: Vec<&'a str>,
    places: HashMap<&'a str, i128>,
}

#[derive(Debug)]
struct ColumnOut<'a> {
    aggregate: &'a str,
    tags: Vec<u8>,
    numbers: Vec<i128>,
}

/// The columns of a commit that is being decoded.
#[derive(Debug)]
pub(crate) struct ColumnsIn<'a> {
    texts: Vec<SmolStr>,
    columns: Vec<ColumnIn<'a>>,
    /// How they go on under the present declaration. `None` if there are columns neither there nor here.
    mapping: Option<ColumnMapping>,
}

#[derive(Debug)]
struct ColumnIn<'a> {
    tags: slice::Iter<'a, u8>,
    numbers: vec::IntoIter<i128>,
}

impl WireColumns<'_> {
    /// The aggregates of the columns.
    pub(crate) fn aggregates(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.aggregate)
    }
}

impl<'a> ColumnsOut<'a> {
    /// No values yet of the `declared` columns.
    pub(crate) fn of(declared: &'a SessionColumns) -> Self {
        let column = |aggregate| ColumnOut { aggregate, tags: Vec::new(), numbers: Vec::new() };
        Self { columns: declared.canonical_texts().map(column).collect(), ..Self::default() }
    }

    /// Adds those of a session. Sessions and boundaries are decoded in the same order.
    pub(crate) fn push_session(&mut self, values: &'a ColumnValues, start: EventTime, end: EventTime) {
        self.push(values.as_slice(), |column, value, texts| column.push_value(value, start, end, texts));
    }

    /// Adds those of a boundary.
    pub(crate) fn push_published(&mut self, values: &'a PublishedColumns) {
        self.push(values.as_slice(), ColumnOut::push_published);
    }

    /// Adds the next value of each column, of which `push_value` returns the tag. [`next`] reads them again.
    fn push<T>(&mut self, values: &'a [T], push_value: impl Fn(&mut ColumnOut<'a>, &'a T, &mut Texts<'a>) -> u8) {
        self.has_more |= values.len() > self.columns.len();
        for (place, column) in self.columns.iter_mut().enumerate() {
            let tag = values.get(place).map_or(LACKING, |value| push_value(column, value, &mut self.texts));
            column.tags.push(tag);
        }
    }

    /// The bytes to store; `None` if no columns are declared.
    pub(crate) fn encode(mut self) -> Result<Option<Vec<u8>>, CodecError> {
        if self.has_more {
            return Err(CodecError::UndeclaredColumns(self.columns.len()));
        }
        if self.columns.is_empty() {
            return Ok(None);
        }
        let columns = self.columns.iter_mut().map(|ColumnOut { aggregate, tags, numbers }| WireColumn {
            aggregate,
            tags,
            numbers: mem::take(numbers),
        });
        let wire = WireColumns { texts: self.texts.texts, columns: columns.collect() };
        postcard::to_allocvec(&wire).map(Some).map_err(CodecError::Unencodable)
    }
}

impl<'a> Texts<'a> {
    fn place_of(&mut self, text: &'a str) -> i128 {
        *self.places.entry(text).or_insert_with(|| {
            self.texts.push(text);
            self.texts.len() as i128 - 1
        })
    }
}

impl<'a> ColumnOut<'a> {
    /// Returns the tag.
    fn push_value(&mut self, value: &'a ColumnValue, start: EventTime, end: EventTime, texts: &mut Texts<'a>) -> u8 {
        let mut text = |text: &'a Option<TextAt>, distance: fn(u64, u64) -> i64, base: EventTime| {
            let numbers = text
                .as_ref()
                .map(|TextAt { time, text }| [i128::from(distance(base.ms(), time.ms())), texts.place_of(text)]);
            self.numbers.extend(numbers.into_iter().flatten());
            set_if(text.is_some())
        };
        let (kind, bits) = match &value.seen {
            Seen::First(first) => (FIRST, text(first, since, start)),
            Seen::Last(last) => (LAST, text(last, until, end)),
            Seen::Count(count) => (COUNT, self.push((*count > 0).then_some((*count).into()))),
            Seen::Sum(number) => (SUM, self.push_number(*number)),
            Seen::Min(number) => (MIN, self.push_number(*number)),
            Seen::Max(number) => (MAX, self.push_number(*number)),
            Seen::Any(flag) => (ANY, set_if(*flag)),
        };
        kind | bits | partial_if(value.is_partial)
    }

    /// Returns the tag.
    fn push_published(&mut self, column: &'a PublishedColumn, texts: &mut Texts<'a>) -> u8 {
        let (kind, bits) = match &column.value {
            None => (PUBLISHED_NOTHING, 0),
            Some(PublishedValue::Text(text)) => (PUBLISHED_TEXT, self.push(Some(texts.place_of(text)))),
            // Zero without a number: a boundary takes no more than its session.
            Some(PublishedValue::Number(number)) => {
                (PUBLISHED_NUMBER, self.push_number(Some(*number).filter(|number| number.billionths() != 0)))
            }
            Some(PublishedValue::Flag(flag)) => (PUBLISHED_FLAG, set_if(*flag)),
        };
        kind | bits | partial_if(column.is_partial)
    }

    fn push(&mut self, number: Option<i128>) -> u8 {
        self.numbers.extend(number);
        set_if(number.is_some())
    }

    fn push_number(&mut self, number: Option<Number>) -> u8 {
        let Some(number) = number else { return 0 };
        let (unit, units) = in_units(number);
        self.numbers.push(units);
        IS_SET | unit
    }
}

fn set_if(is_set: bool) -> u8 {
    if is_set { IS_SET } else { 0 }
}

fn partial_if(is_partial: bool) -> u8 {
    if is_partial { IS_PARTIAL } else { 0 }
}

/// The number in the largest unit of which it is a multiple, and that unit's bit.
fn in_units(number: Number) -> (u8, i128) {
    let billionths = number.billionths();
    // Nearly all numbers fit into 64 bits, whose divisions take half the time.
    if let Ok(billionths) = i64::try_from(billionths) {
        let unit = UNITS.into_iter().find(|(_, unit)| billionths % unit == 0);
        return unit.map_or((0, billionths.into()), |(bit, unit)| (bit, (billionths / unit).into()));
    }
    let unit = UNITS.into_iter().find(|(_, unit)| billionths % i128::from(*unit) == 0);
    unit.map_or((0, billionths), |(bit, unit)| (bit, billionths / i128::from(unit)))
}

/// Bytes of a value of a session from `start` to `end`, except that each text is counted as if it were the only one, at
/// a place of `place_bytes` bytes.
pub(crate) fn value_bytes(value: &ColumnValue, start: EventTime, end: EventTime, place_bytes: usize) -> usize {
    let text = |text: &Option<TextAt>, distance: &dyn Fn(u64) -> i64| {
        let bytes = |at: &TextAt| number_bytes(distance(at.time.ms()).into()) + text_bytes(&at.text, place_bytes);
        text.as_ref().map_or(0, bytes)
    };
    TAG_BYTES
        + match &value.seen {
            Seen::First(first) => text(first, &|ms| since(start.ms(), ms)),
            Seen::Last(last) => text(last, &|ms| until(end.ms(), ms)),
            Seen::Count(0) | Seen::Any(_) => 0,
            Seen::Count(count) => number_bytes((*count).into()),
            Seen::Sum(number) | Seen::Min(number) | Seen::Max(number) => {
                number.map_or(0, |number| number_bytes(in_units(number).1))
            }
        }
}

/// Bytes of a boundary's value, counted like those of [`value_bytes`].
pub(crate) fn published_bytes(column: &PublishedColumn, place_bytes: usize) -> usize {
    TAG_BYTES
        + match &column.value {
            None | Some(PublishedValue::Flag(_)) => 0,
            Some(PublishedValue::Text(text)) => text_bytes(text, place_bytes),
            Some(PublishedValue::Number(number)) => match in_units(*number).1 {
                0 => 0,
                units => number_bytes(units),
            },
        }
}

/// Seven bits to a byte; the sign takes a bit.
fn number_bytes(number: i128) -> usize {
    let zigzag = (number << 1) ^ (number >> 127);
    (128 - (zigzag.cast_unsigned() | 1).leading_zeros()).div_ceil(7) as usize
}

fn text_bytes(text: &str, place_bytes: usize) -> usize {
    place_bytes + unsigned_bytes(text.len() as u64) + text.len()
}

/// How long `ms` is before `end_ms`. [`before`] undoes it, whatever the two are.
fn until(end_ms: u64, ms: u64) -> i64 {
    since(ms, end_ms)
}

fn before(end_ms: u64, until: i64) -> u64 {
    end_ms.wrapping_sub(until.cast_unsigned())
}

impl<'a> ColumnsIn<'a> {
    /// The columns as stored, `None` if there are none, for a reader that has `declared` others or the same.
    pub(crate) fn of(wire: Option<WireColumns<'a>>, declared: &SessionColumns) -> Self {
        if wire.is_none() && declared.is_empty() {
            return Self { texts: Vec::new(), columns: Vec::new(), mapping: None };
        }
        let WireColumns { texts, columns } = wire.unwrap_or_default();
        let mapping = declared.mapping_from(columns.iter().map(|column| column.aggregate));
        let column =
            |column: WireColumn<'a>| ColumnIn { tags: column.tags.iter(), numbers: column.numbers.into_iter() };
        Self {
            texts: texts.into_iter().map(SmolStr::from).collect(),
            columns: columns.into_iter().map(column).collect(),
            mapping: Some(mapping),
        }
    }

    /// Those of the next session, which lasts from `start` to `end`.
    pub(crate) fn next_session(&mut self, start: EventTime, end: EventTime) -> Result<ColumnValues, Fault> {
        let Some(mapping) = &self.mapping else { return Ok(ColumnValues::default()) };
        let texts = &self.texts;
        let values = next(&mut self.columns, |column, tag| column.value(tag, start, end, texts))?;
        Ok(mapping.values(values))
    }

    /// Those of the next boundary.
    pub(crate) fn next_published(&mut self) -> Result<PublishedColumns, Fault> {
        let Some(mapping) = &self.mapping else { return Ok(PublishedColumns::default()) };
        let texts = &self.texts;
        let values = next(&mut self.columns, |column, tag| column.published(tag, texts))?;
        Ok(mapping.published(values))
    }

    /// Fails if there are values of more sessions and boundaries than were asked for.
    pub(crate) fn check_nothing_left(&self) -> Result<(), CodecError> {
        let left = self.columns.iter().map(|column| column.tags.len().max(column.numbers.len())).max();
        match left.unwrap_or_default() {
            0 => Ok(()),
            left => Err(CodecError::LeftOverColumns(left)),
        }
    }
}

/// The next value of each column, up to the first that is lacking.
fn next<'a, T, C: FromIterator<T>>(
    columns: &mut [ColumnIn<'a>],
    mut value: impl FnMut(&mut ColumnIn<'a>, u8) -> Result<T, Fault>,
) -> Result<C, Fault> {
    let mut is_lacking = false;
    let next = |column: &mut ColumnIn<'a>| {
        let Some(tag) = column.tags.next().copied() else {
            return Some(Err(Fault::of("number of column values", "smaller", "one for each session and boundary")));
        };
        if tag == LACKING {
            is_lacking = true;
            return None;
        }
        if is_lacking {
            return Some(Err(unexpected(tag, "0 behind a column that is lacking")));
        }
        Some(value(column, tag))
    };
    columns.iter_mut().filter_map(next).collect()
}

impl ColumnIn<'_> {
    fn value(&mut self, tag: u8, start: EventTime, end: EventTime, texts: &[SmolStr]) -> Result<ColumnValue, Fault> {
        let is_set = tag & IS_SET != 0;
        let seen = match tag & KIND {
            FIRST if is_set => Seen::First(Some(self.text_at(|since| absolute(start.ms(), since), texts)?)),
            LAST if is_set => Seen::Last(Some(self.text_at(|until| before(end.ms(), until), texts)?)),
            FIRST => Seen::First(None),
            LAST => Seen::Last(None),
            COUNT => Seen::Count(if is_set { self.count()? } else { 0 }),
            SUM => Seen::Sum(is_set.then(|| self.number(tag)).transpose()?),
            MIN => Seen::Min(is_set.then(|| self.number(tag)).transpose()?),
            MAX => Seen::Max(is_set.then(|| self.number(tag)).transpose()?),
            ANY => Seen::Any(is_set),
            _ => return Err(unexpected(tag, "1 to 7 in its lower four bits for a session")),
        };
        Ok(ColumnValue { seen, is_partial: tag & IS_PARTIAL != 0 })
    }

    fn published(&mut self, tag: u8, texts: &[SmolStr]) -> Result<PublishedColumn, Fault> {
        let is_set = tag & IS_SET != 0;
        let value = match tag & KIND {
            PUBLISHED_NOTHING => None,
            PUBLISHED_TEXT => Some(PublishedValue::Text(self.text(texts)?)),
            PUBLISHED_NUMBER if is_set => Some(PublishedValue::Number(self.number(tag)?)),
            PUBLISHED_NUMBER => Some(PublishedValue::Number(Number::from(0))),
            PUBLISHED_FLAG => Some(PublishedValue::Flag(is_set)),
            _ => return Err(unexpected(tag, "8 to 11 in its lower four bits for a boundary")),
        };
        Ok(PublishedColumn { value, is_partial: tag & IS_PARTIAL != 0 })
    }

    fn text_at(&mut self, ms: impl FnOnce(i64) -> u64, texts: &[SmolStr]) -> Result<TextAt, Fault> {
        let distance = self.next()?;
        let time = i64::try_from(distance).ok().and_then(|distance| EventTime::from_ms(ms(distance)));
        let time =
            time.ok_or_else(|| Fault::of("time of a text", distance, "one that gives a time from 1970 to 9999"))?;
        Ok(TextAt { time, text: self.text(texts)? })
    }

    fn text(&mut self, texts: &[SmolStr]) -> Result<SmolStr, Fault> {
        let place = self.next()?;
        let text = usize::try_from(place).ok().and_then(|place| texts.get(place));
        text.cloned().ok_or_else(|| Fault::of("place of a text", place, "one that the columns have"))
    }

    fn count(&mut self) -> Result<u64, Fault> {
        let count = self.next()?;
        u64::try_from(count).map_err(|_| Fault::of("count", count, "0 to 2^64 - 1"))
    }

    fn number(&mut self, tag: u8) -> Result<Number, Fault> {
        let units = self.next()?;
        let unit = UNITS.into_iter().find(|(bit, _)| *bit == tag & (WHOLE | HUNDREDTHS));
        let (_, unit) = unit.ok_or_else(|| unexpected(tag, "one unit at most"))?;
        let number = units.checked_mul(unit.into()).and_then(Number::from_billionths);
        number.ok_or_else(|| Fault::of("number of a column", units, "less than 10^38 billionths"))
    }

    fn next(&mut self) -> Result<i128, Fault> {
        self.numbers
            .next()
            .ok_or_else(|| Fault::of("number of column values", "smaller", "as many as the tags call for"))
    }
}

fn unexpected(tag: u8, expected: &'static str) -> Fault {
    Fault::of("tag of a column value", tag, expected)
}

#[cfg(test)]
#[path = "state_log_columns_tests.rs"]
mod tests;
