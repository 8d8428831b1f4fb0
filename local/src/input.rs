//! The input of a run: a file or standard input, plain or gzip, read by a dedicated thread.
//!
//! Gzip is recognized by its first bytes, never by the file name. `lines` decides what a record is.

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

/// How many lines are read ahead of the stream: at most 64 MiB, because a line is held only up to the limit of a
/// record.
const LINES_AHEAD: usize = 64;

/// The first bytes of a gzip member: the magic number and the only compression method. Source: RFC 1952, 2.3.1.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];

/// Lines as they are read. After an error there are no more.
pub type LineReceiver = mpsc::Receiver<Result<Line, LocalError>>;

/// An opened input that has not been read yet.
pub struct Input {
    path: PathBuf,
    source: Box<dyn Read + Send>,
    length: Option<u64>,
    identity: Option<Handle>,
    position: Position,
}

/// How many bytes of the input have been read, compressed bytes if it is compressed. Clones share the number.
#[derive(Clone, Debug, Default)]
pub struct Position(Arc<AtomicU64>);

impl Input {
    /// Opens the file at `path`, or standard input if `path` is `-`.
    ///
    /// # Errors
    /// If it does not exist, is not readable or is a directory.
    pub fn open(path: &Path) -> Result<Self, LocalError> {
        let position = Position::default();
        if path == Path::new("-") {
            let source = Box::new(Counted { source: io::stdin(), position: position.clone() });
            // Without a handle it cannot be compared with the outputs, but it can still be read.
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

    /// Its length in bytes, if known: the compressed length if it is compressed.
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

    /// Starts a thread that reads the input. It ends when the receiver is dropped.
    ///
    /// A thread, because a blocking task of the runtime that waits for standard input would keep the process alive.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn into_lines(self) -> Result<LineReceiver, LocalError> {
        let (sender, receiver) = mpsc::channel(LINES_AHEAD);
        let Self { path, source, .. } = self;
        let read = move || {
            let mut lines_read = 0;
            let (reader, is_gzip) = match decompressed(source) {
                Ok(opened) => opened,
                Err(source) => {
                    let failed = LocalError::Reading { path, lines_read, source };
                    let _ = sender.blocking_send(Err(failed)); // fails only if the receiver is gone
                    return;
                }
            };
            let mut lines = Lines::new(reader);
            while let Some(line) = lines.next_line().transpose() {
                lines_read = lines.lines_read();
                let line = line.map_err(|source| reading_failed(&path, is_gzip, lines_read, source));
                let failed = line.is_err();
                if sender.blocking_send(line).is_err() || failed {
                    return; // the receiver is gone, or reading failed
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

/// Whether a file is a regular one, unlike a pipe, a terminal or a device.
pub(crate) fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn reading_failed(path: &Path, is_gzip: bool, lines_read: u64, source: io::Error) -> LocalError {
    let path = path.to_owned();
    // The kinds that flate2 returns for invalid or truncated data.
    let is_fault_of_data =
        matches!(source.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof);
    if is_gzip && is_fault_of_data {
        LocalError::Gzip { path, lines_read, source }
    } else {
        LocalError::Reading { path, lines_read, source }
    }
}

/// The content of `source`, decompressed if it is gzip, and whether it is.
fn decompressed(mut source: Box<dyn Read + Send>) -> io::Result<(Box<dyn BufRead>, bool)> {
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    // A pipe's first read may return fewer bytes than requested.
    source.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    let is_gzip = start == GZIP_MAGIC;
    let whole = BufReader::new(Cursor::new(start).chain(source));
    // All members: `cat a.gz b.gz` and bgzip write several.
    let reader: Box<dyn BufRead> =
        if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(whole))) } else { Box::new(whole) };
    Ok((reader, is_gzip))
}

/// A reader that counts its bytes.
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
