//! Lines of a file or of standard input, one record each, read a piece at a time.
//!
//! Bytes are passed on as they are; only the line feed is taken off. A line that no stream would take is not held.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use crate::error::LocalError;

/// Largest record, in bytes, its partition key included. Source: Kinesis quotas (1 MiB).
pub const MAX_RECORD_BYTES: usize = 1_024 * 1_024;

/// How many lines are read ahead of the stream.
const LINES_AHEAD: usize = 1_000;

/// One line that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// Where the next line begins, in bytes from the start of the file.
    pub end: u64,
    /// What it holds.
    pub content: Content,
}

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Content {
    /// A record's bytes.
    Record(Vec<u8>),
    /// More than [`MAX_RECORD_BYTES`]; so many.
    TooLong(u64),
}

/// Lines as they are read; what cannot be read is the last item.
pub type LineReceiver = mpsc::Receiver<Result<Line, LocalError>>;

/// The lines of `input` (`-` for standard input) as a stream, and the input's length in bytes where it is known.
///
/// # Errors
/// When the file cannot be opened. What cannot be read later comes as the stream's last item.
pub fn lines_of(input: &Path) -> Result<(LineReceiver, Option<u64>), LocalError> {
    let (source, length): (Box<dyn Read + Send>, _) = if input == Path::new("-") {
        (Box::new(io::stdin()), None)
    } else {
        let file = File::open(input).map_err(LocalError::file("opening", input))?;
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        (Box::new(file), length)
    };
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let path = PathBuf::from(input);
    tokio::task::spawn_blocking(move || {
        let mut reader = Lines::new(BufReader::new(source));
        while let Some(line) = reader.next_line().map_err(LocalError::file("reading", path.clone())).transpose() {
            let failed = line.is_err();
            if sender.blocking_send(line).is_err() || failed {
                return; // nobody reads any more, or there is nothing more to read
            }
        }
    });
    Ok((receiver, length))
}

struct Lines<R> {
    reader: R,
    number: u64,
    end: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, number: 0, end: 0 }
    }

    /// The next line that is not empty; `None` at the end.
    fn next_line(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut record = Vec::new();
            let at_most = MAX_RECORD_BYTES as u64 + 1;
            let mut length = self.reader.by_ref().take(at_most).read_until(b'\n', &mut record)? as u64;
            if length == 0 {
                return Ok(None);
            }
            let whole = record.last() == Some(&b'\n');
            if !whole && length == at_most {
                length += self.skip_line()?;
            }
            self.number += 1;
            self.end += length;
            if whole {
                record.pop();
            }
            let content =
                if record.len() > MAX_RECORD_BYTES { Content::TooLong(length) } else { Content::Record(record) };
            if content != Content::Record(Vec::new()) {
                return Ok(Some(Line { number: self.number, end: self.end, content }));
            }
        }
    }

    /// Reads to the end of the line; says how many bytes that were.
    fn skip_line(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            let available = self.reader.fill_buf()?;
            let (bytes, found) = match available.iter().position(|byte| *byte == b'\n') {
                Some(place) => (place + 1, true),
                None => (available.len(), available.is_empty()),
            };
            self.reader.consume(bytes);
            skipped += bytes as u64;
            if found {
                return Ok(skipped);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(bytes: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(BufReader::with_capacity(7, bytes));
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    fn record(number: u64, end: u64, bytes: &[u8]) -> Line {
        Line { number, end, content: Content::Record(bytes.to_vec()) }
    }

    #[test]
    fn empty_lines_are_no_records_and_all_other_bytes_are_kept() {
        let expected = [record(1, 3, b"a\r"), record(3, 7, b" \xff"), record(4, 8, b"z")];
        assert_eq!(lines(b"a\r\n\n \xff\nz"), expected);
        assert_eq!(lines(b"\n\n"), []);
    }

    #[test]
    fn line_that_no_stream_would_take_is_measured_and_the_next_one_read() {
        let mut bytes = vec![b'x'; MAX_RECORD_BYTES + 10];
        bytes.extend_from_slice(b"\nnext\n");
        let long = Line { number: 1, end: 1_048_587, content: Content::TooLong(1_048_587) };
        assert_eq!(lines(&bytes), [long, record(2, 1_048_592, b"next")]);
        assert_eq!(lines(&vec![b'x'; MAX_RECORD_BYTES]), [record(1, 1_048_576, &vec![b'x'; MAX_RECORD_BYTES])]);
    }
}
