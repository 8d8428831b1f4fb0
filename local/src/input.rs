//! The input of a run: a file or standard input, plain or gzip, read by a thread of its own.
//!
//! Whether it is gzip is told by its first bytes, never by its name. What a record is, `lines` decides.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::bufread::MultiGzDecoder;
use same_file::Handle;
use tokio::sync::mpsc;

use crate::error::LocalError;
use crate::lines::{Line, Lines};

/// The option that names the input.
pub const INPUT_OPTION: &str = "--input";

/// How many lines are read ahead of the stream: at most 64 MiB, as a line is held up to a record's limit only.
const LINES_AHEAD: usize = 64;

/// The first bytes of a gzip member: its magic number and the one compression method there is. Source: RFC 1952, 2.3.1.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Lines as they are read; a failure to read is the last item.
pub type LineReceiver = mpsc::Receiver<Result<Line, LocalError>>;

/// An input that was opened and of which nothing is read yet.
pub struct Input {
    path: PathBuf,
    source: Box<dyn Read + Send>,
    length: Option<u64>,
    identity: Option<Handle>,
    position: Position,
}

/// How many bytes of the input have been read, compressed ones if it is compressed; clones show the same number.
#[derive(Clone, Debug, Default)]
pub struct Position(Arc<AtomicU64>);

impl Input {
    /// Opens the file at `path`, or standard input when that is `-`.
    ///
    /// # Errors
    /// When it does not exist, must not be read or is a directory.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let position = Position::default();
        if path == Path::new("-") {
            let source = Box::new(Counted { source: io::stdin(), position: position.clone() });
            // Without a handle it cannot be compared with the outputs; it can be read all the same.
            let identity = Handle::stdin().ok().filter(|handle| is_regular(handle.as_file()));
            return Ok(Self { path: path.to_owned(), source, length: None, identity, position });
        }
        let failed =
            |source| LocalError::Open { option: INPUT_OPTION, path: path.to_owned(), purpose: "reading", source };
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(failed(ErrorKind::IsADirectory.into()));
        }
        let (length, identity) = if metadata.is_file() {
            (Some(metadata.len()), Some(file.try_clone().and_then(Handle::from_file).map_err(failed)?))
        } else {
            (None, None)
        };
        let source = Box::new(Counted { source: file, position: position.clone() });
        Ok(Self { path: path.to_owned(), source, length, identity, position })
    }

    /// Its length in bytes where it is known, as it is stored: compressed if it is compressed.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// How far it has been read.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position.clone()
    }

    /// Which file it is; `None` for a pipe, a terminal or a device.
    #[must_use]
    pub fn identity(&self) -> Option<&Handle> {
        self.identity.as_ref()
    }

    /// Starts to read.
    ///
    /// Dropping the receiver ends it. A thread that waits for standard input does not keep the process alive, which a
    /// blocking task of the runtime would.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn into_lines(self) -> Result<LineReceiver, LocalError> {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        let Self { path, source, .. } = self;
        let read = move || {
            let mut lines_read = 0;
            let (reader, is_gzip) = match decompressed(source) {
                Ok(opened) => opened,
                Err(source) => {
                    let _ = sender.blocking_send(Err(LocalError::Reading { path, lines_read, source })); // nobody listens
                    return;
                }
            };
            let mut lines = Lines::new(reader);
            while let Some(line) = lines.next_line().transpose() {
                lines_read = lines.lines_read();
                let line = line.map_err(|source| reading_failed(&path, is_gzip, lines_read, source));
                let failed = line.is_err();
                if sender.blocking_send(line).is_err() || failed {
                    return; // nobody listens any more, or there is nothing more to read
                }
            }
        };
        std::thread::Builder::new().name("input".to_owned()).spawn(read).map_err(LocalError::Thread)?;
        Ok(receiver)
    }
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("path", &self.path).field("length", &self.length).finish_non_exhaustive()
    }
}

impl Position {
    /// In bytes from the start.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Whether a file has content of its own, unlike a pipe, a terminal or a device.
pub(crate) fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn reading_failed(path: &Path, is_gzip: bool, lines_read: u64, source: io::Error) -> LocalError {
    let path = path.to_owned();
    // What flate2 says of data that are not what gzip writes, or end too early.
    let is_fault_of_data =
        matches!(source.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
    if is_gzip && is_fault_of_data {
        LocalError::Gzip { path, lines_read, source }
    } else {
        LocalError::Reading { path, lines_read, source }
    }
}

/// What `source` holds, decompressed if it begins as gzip does, and whether it does.
fn decompressed(mut source: Box<dyn Read + Send>) -> io::Result<(Box<dyn BufRead>, bool)> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    // A pipe may give fewer bytes at first than are asked for.
    source.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == GZIP_MAGIC;
    let whole = BufReader::new(Cursor::new(start).chain(source));
    // Of all members: `cat a.gz b.gz` and bgzip write several.
    let reader: Box<dyn BufRead> =
        if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
    Ok((reader, is_gzip))
}

/// A reader that counts.
struct Counted<R> {
    source: R,
    position: Position,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.position.0.fetch_add(bytes as u64, Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
