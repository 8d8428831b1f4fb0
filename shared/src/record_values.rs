//! Takes a record apart into its values: objects one behind the other, or in an array.
//!
//! White space and commas may separate the objects, but need not. Each stands for itself: one that cannot be read costs
//! the others nothing. Broken JSON costs what remains of its line; the next value is the next line that begins with `{`.
//! So does a number or word that other text follows, as in CSV, and a byte that is not UTF-8 costs its line. Arrays
//! within an array are not taken apart. A record without any value, such as an empty array, is one rejected value.
//!
//! Each byte is parsed a bounded number of times, whatever the record contains: as part of the record and, once that
//! has failed somewhere, as part of its line; each time perhaps again without Python's constants.

use std::iter::FusedIterator;
use std::ops::Range;

use crate::click::LatestBelievable;
use crate::click_format::{ClickFormat, Decoded, SLOTS, SLOTS_WITH_COLUMNS};
use crate::fields::{Object, ObjectJson, Wording, same_place};
use crate::json_object::{leading_object, leading_value};
use crate::python_constants::without_python_constants;
use crate::record_text::{begins_like_json, is_array_of_objects, line_length, separators, without_separators};
use crate::rejection::{Reason, Rejection};

/// One value of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordValue {
    /// Where it is within the record, in bytes. The whole record if it contains nothing else.
    pub bytes: Range<usize>,
    /// What it is.
    pub decoded: Result<Decoded, Rejection>,
}

/// The values of a record in their order, at least one. See [`ClickFormat::values`].
#[derive(Clone, Debug)]
pub struct RecordValues<'r> {
    format: &'r ClickFormat,
    data: &'r [u8],
    latest: LatestBelievable,
    stretch: Stretch<'r>,
    /// Whether JSON was broken, or characters were, so that lines are read on their own.
    by_line: bool,
    /// Whether an array has begun and not ended.
    in_array: bool,
    /// Whether a value has been returned.
    has_returned: bool,
    is_done: bool,
}

/// A part of the record that is read in one go: all of it, or a line.
#[derive(Clone, Debug)]
struct Stretch<'r> {
    /// Where it begins within the record.
    begin: usize,
    text: &'r str,
    /// How much of the text has been read.
    read: usize,
    /// The text from an offset on without Python's constants, if it could not be read with them.
    rewritten: Option<(usize, String)>,
}

/// What comes next.
enum Next {
    /// A value, and how much of the stretch it takes.
    Value(usize, RecordValue),
    ArrayBegin,
    /// Not JSON, or a scalar that could be part of something else, such as CSV.
    Broken,
}

impl<'r> RecordValues<'r> {
    pub(crate) fn new(format: &'r ClickFormat, data: &'r [u8], latest: LatestBelievable) -> Self {
        let (stretch, by_line) = match std::str::from_utf8(data) {
            Ok(text) => (Stretch::new(0, text), false),
            // A line with invalid characters costs the others nothing; but what is not JSON has no lines.
            Err(_) if begins_like_json(data) => (Stretch::new(0, ""), true),
            Err(_) => (Stretch::new(data.len(), ""), true),
        };
        Self { format, data, latest, stretch, by_line, in_array: false, has_returned: false, is_done: false }
    }

    /// Reads what comes next in the stretch, which is not at its end.
    fn read(&self) -> Next {
        let (_, json) = self.stretch.rest();
        let begin = self.stretch.position();
        match json.as_bytes().first() {
            Some(b'{') if self.format.has_columns() => self.read_object::<SLOTS_WITH_COLUMNS>(),
            Some(b'{') => self.read_object::<SLOTS>(),
            Some(b'[') if !self.in_array && is_array_of_objects(json) => Next::ArrayBegin,
            _ => match leading_value(json) {
                Ok(value) if value.starts_with('[') || self.ends_before_value(begin + value.len()) => {
                    Next::Value(value.len(), self.rejected(begin..begin + value.len()))
                }
                _ => Next::Broken,
            },
        }
    }

    /// Reads the object that comes next.
    fn read_object<const N: usize>(&self) -> Next {
        let (text, json) = self.stretch.rest();
        let begin = self.stretch.position();
        let mut values = [None; N];
        let Ok(length) = leading_object(json, self.format.tree(), &mut values) else { return Next::Broken };
        if self.stretch.rewritten.is_some() {
            values = values.map(|value| Some(same_place(text, json, value?)));
        }
        let (bytes, wording) = self.part(begin..begin + length);
        let object = ObjectJson::new(&json[..length], wording);
        let decoded = self.format.decode_object(&values, &object, self.latest);
        Next::Value(length, RecordValue { bytes, decoded })
    }

    /// Passes over what stands between values. An array's closing bracket ends it.
    fn skip_separators(&mut self) {
        let (text, _) = self.stretch.rest();
        let skipped = separators(text.as_bytes(), self.skips_brackets());
        self.in_array &= !text[..skipped].contains(']');
        self.stretch.read += skipped;
    }

    /// Whether the scalar that ends at `position` stands for itself: an object, an array or nothing follows.
    fn ends_before_value(&self, position: usize) -> bool {
        let rest = self.data.get(position..).unwrap_or_default();
        matches!(rest.get(separators(rest, self.skips_brackets())..), Some([] | [b'{' | b'[', ..]))
    }

    /// Whether closing brackets end no value.
    fn skips_brackets(&self) -> bool {
        self.in_array || self.by_line
    }

    /// The bytes of a value at `range`, and what messages call it.
    fn part(&self, range: Range<usize>) -> (Range<usize>, Wording) {
        let behind = self.data.get(range.end..).unwrap_or_default();
        if !self.has_returned && separators(behind, true) == behind.len() {
            return (0..self.data.len(), Wording::RECORD);
        }
        (range, Wording::VALUE)
    }

    /// The rejection of what is at `range`: no object, or no JSON at all.
    fn rejected(&self, range: Range<usize>) -> RecordValue {
        let (bytes, wording) = self.part(without_separators(self.data, range));
        let data = self.data.get(bytes.clone()).unwrap_or_default();
        let rejection = match Object::<SLOTS>::read(data, self.format.tree(), wording) {
            Err(rejection) => rejection,
            Ok(_) => Rejection::of_record(Reason::NotJson, "the value has no clear end"),
        };
        RecordValue { bytes, decoded: Err(rejection) }
    }

    /// Begins the next line. Returns its bytes if they are not UTF-8.
    fn begin_line(&mut self, begin: usize) -> Option<Range<usize>> {
        let rest = self.data.get(begin..).unwrap_or_default();
        let line = &rest[..line_length(rest)];
        let end = begin + line.len();
        let text = std::str::from_utf8(line);
        self.stretch = text.map_or(Stretch::new(end, ""), |text| Stretch::new(begin, text));
        text.is_err().then_some(begin..end)
    }

    /// Passes over broken JSON: to the end of its line, once everything else has been tried.
    fn pass_broken(&mut self) -> Option<RecordValue> {
        if self.stretch.rewrite() {
            return None;
        }
        let (text, _) = self.stretch.rest();
        let begin = self.stretch.position();
        if !self.by_line && line_length(text.as_bytes()) < text.len() {
            self.by_line = true;
            return self.begin_line(begin).map(|line| self.rejected(line));
        }
        self.stretch.read = self.stretch.text.len();
        Some(self.rejected(begin..begin + text.len()))
    }

    /// Notes that `value` is returned, and adds its place to a message.
    fn note(&mut self, value: &mut RecordValue) {
        self.has_returned = true;
        self.is_done = value.bytes.len() == self.data.len();
        if let Err(rejection) = &mut value.decoded
            && !self.is_done
        {
            rejection.message.insert_str(0, &format!("at byte {}: ", value.bytes.start));
        }
    }

    /// The next value; `None` if it takes another step to get there.
    fn step(&mut self) -> Option<RecordValue> {
        let line_end = self.stretch.begin + self.stretch.text.len();
        self.skip_separators();
        if self.stretch.position() < line_end {
            return match self.read() {
                Next::Value(length, value) => {
                    self.stretch.read += length;
                    Some(value)
                }
                Next::ArrayBegin => {
                    self.in_array = true;
                    self.stretch.read += 1;
                    None
                }
                Next::Broken => self.pass_broken(),
            };
        }
        if line_end < self.data.len() {
            return self.begin_line(line_end).map(|line| self.rejected(line));
        }
        self.is_done = true;
        (!self.has_returned).then(|| self.rejected(0..self.data.len()))
    }
}

impl Iterator for RecordValues<'_> {
    type Item = RecordValue;

    fn next(&mut self) -> Option<RecordValue> {
        while !self.is_done {
            let mut value = self.step();
            if let Some(value) = &mut value {
                self.note(value);
            }
            if value.is_some() {
                return value;
            }
        }
        None
    }
}

impl FusedIterator for RecordValues<'_> {}

impl<'r> Stretch<'r> {
    fn new(begin: usize, text: &'r str) -> Self {
        Self { begin, text, read: 0, rewritten: None }
    }

    /// The offset within the record of what is read next.
    fn position(&self) -> usize {
        self.begin + self.read
    }

    /// What has not been read, as it is and as JSON.
    fn rest(&self) -> (&'r str, &str) {
        let text = self.text.get(self.read..).unwrap_or_default();
        let json = match &self.rewritten {
            Some((from, json)) => json.get(self.read - from..).unwrap_or_default(),
            None => text,
        };
        (text, json)
    }

    /// Rewrites Python's constants in what has not been read. Returns whether that was new.
    fn rewrite(&mut self) -> bool {
        if self.rewritten.is_some() {
            return false;
        }
        let rewritten = without_python_constants(self.rest().0);
        self.rewritten = rewritten.map(|json| (self.read, json));
        self.rewritten.is_some()
    }
}

#[cfg(test)]
#[path = "record_values_tests.rs"]
mod tests;
