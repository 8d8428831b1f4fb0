//! Splits an input into lines, one record each. A line longer than a Kinesis record is measured but not held in memory.
//!
//! A record's bytes are passed on unchanged, without the line feed. A carriage return before it stays: JSON allows
//! whitespace there, and rejected records are stored byte for byte.

use std::io::{self, BufRead, Read};

/// Maximum size of a record in bytes, including its partition key. Source: Kinesis, PutRecords, Data ("when the data
/// blob is added to the partition key size, the total size must not exceed the maximum record size"), with a stream's
/// default MaxRecordSizeInKiB of 1,024. The embedded Kinesis applies this limit to the data alone.
pub const MAX_RECORD_BYTES: usize = 1_024 * 1_024;

/// One non-blank line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the input, from 1.
    pub number: u64,
    /// Its content.
    pub content: Content,
}

/// The content of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// A record's bytes.
    Record(Vec<u8>),
    /// More than [`MAX_RECORD_BYTES`]: the line's length in bytes, without the line feed.
    TooLong(u64),
}

/// A reader's lines.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    lines_read: u64,
}

/// The part of a line that was not held.
struct Skipped {
    bytes: u64,
    is_blank: bool,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`, from its current position.
    pub fn new(reader: R) -> Self {
        Self { reader, lines_read: 0 }
    }

    /// Number of lines read completely, including blank ones.
    pub fn lines_read(&self) -> u64 {
        self.lines_read
    }

    /// The next non-blank line; `None` at the end.
    ///
    /// # Errors
    /// If the reader fails. The part of the line that was already read is lost.
    pub fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut record = Vec::new();
            let at_most = MAX_RECORD_BYTES as u64 + 1;
            if self.reader.by_ref().take(at_most).read_until(b'\n', &mut record)? == 0 {
                return Ok(None);
            }
            let is_whole = record.pop_if(|byte| *byte == b'\n').is_some();
            let content = if is_whole || record.len() <= MAX_RECORD_BYTES {
                (!is_blank(&record)).then_some(Content::Record(record))
            } else {
                let rest = self.skip_line()?;
                (!rest.is_blank || !is_blank(&record)).then(|| Content::TooLong(record.len() as u64 + rest.bytes))
            };
            self.lines_read += 1;
            if let Some(content) = content {
                return Ok(Some(Line { number: self.lines_read, content }));
            }
        }
    }

    /// Reads to the end of the line.
    fn skip_line(&mut self) -> io::Result<Skipped> {
        let mut skipped = Skipped { bytes: 0, is_blank: true };
        loop {
            let available = self.reader.fill_buf()?;
            let line_feed = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..line_feed.unwrap_or(available.len())];
            skipped.bytes += part.len() as u64;
            skipped.is_blank &= is_blank(part);
            let is_end = line_feed.is_some() || available.is_empty();
            let taken = part.len() + usize::from(line_feed.is_some());
            self.reader.consume(taken);
            if is_end {
                return Ok(skipped);
            }
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(7, bytes));
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    fn record(number: u64, bytes: &[u8]) -> Line {
        Line { number, content: Content::Record(bytes.to_vec()) }
    }

    #[test]
    fn blank_lines_are_skipped_and_all_other_bytes_are_preserved() {
        let expected = [record(1, b"a\r"), record(4, b" \xff"), record(6, b"z ")];
        assert_eq!(lines(b"a\r\n\n\r\n \xff\n \t\r\nz "), expected);
        assert_eq!(lines(b"\n\r\n\n \t"), []);
        assert_eq!(lines(b""), []);
    }

    #[test]
    fn oversized_line_is_measured_and_the_next_one_is_read() {
        let mut bytes = vec![b'x'; MAX_RECORD_BYTES + 10];
        bytes.extend_from_slice(b"\nnext\n");
        let long = Line { number: 1, content: Content::TooLong(MAX_RECORD_BYTES as u64 + 10) };
        assert_eq!(lines(&bytes), [long, record(2, b"next")]);
        let just_too_long = vec![b'x'; MAX_RECORD_BYTES + 1];
        assert_eq!(lines(&just_too_long), [Line { number: 1, content: Content::TooLong(MAX_RECORD_BYTES as u64 + 1) }]);
        let longest = vec![b'x'; MAX_RECORD_BYTES];
        assert_eq!(lines(&longest), [record(1, &longest)]);
        assert_eq!(lines(&[&longest[..], b"\n"].concat()), [record(1, &longest)]);
        assert_eq!(lines(&[&vec![b' '; MAX_RECORD_BYTES * 2], &b"\r\nnext"[..]].concat()), [record(2, b"next")]);
    }
}
