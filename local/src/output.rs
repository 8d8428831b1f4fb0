//! The files a command writes: opened and checked before it starts, emptied when it starts, complete when it succeeds.
//!
//! A command that fails its checks leaves them unchanged. One that fails later leaves them empty, so that a partial
//! file is never mistaken for a result. Standard output cannot be taken back; there, the exit status is the only
//! indication.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use same_file::Handle;

use crate::error::LocalError;
use crate::input::is_regular;

/// An opened output. If it is dropped before it is [finished](Output::finish), the file is empty or unchanged.
#[derive(Debug)]
pub struct Output {
    writer: OutputWriter,
    /// Which file it is; `None` for a pipe, a terminal or a device.
    identity: Option<Handle>,
    state: State,
}

/// Writes to an [`Output`], if necessary from another thread. Once the output is dropped, every write fails.
#[derive(Clone, Debug)]
pub struct OutputWriter {
    option: &'static str,
    path: PathBuf,
    /// `None` once the output is dropped.
    sink: Arc<Mutex<Option<BufWriter<Sink>>>>,
}

#[derive(Debug)]
enum Sink {
    File(File),
    Stdout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Opened; its content is unchanged.
    Untouched,
    /// Created by opening it.
    Created,
    /// Emptied and being written.
    Started,
    Finished,
}

impl Output {
    /// Opens the value of `option` on the command line: the file at `path`, or standard output if `path` is `-`. An
    /// existing file keeps its content until [`Output::start`].
    ///
    /// # Errors
    /// If the file cannot be created or is not writable.
    pub fn open(option: &'static str, path: &Path) -> Result<Self, LocalError> {
        let output = |sink, identity, state| {
            let sink = Arc::new(Mutex::new(Some(BufWriter::new(sink))));
            Self { writer: OutputWriter { option, path: path.to_owned(), sink }, identity, state }
        };
        if path == Path::new("-") {
            // Without a handle it cannot be compared with other files, but it can still be written.
            let identity = Handle::stdout().ok().filter(|handle| is_regular(handle.as_file()));
            return Ok(output(Sink::Stdout, identity, State::Untouched));
        }
        let failed = |source| LocalError::Open { option, path: path.to_owned(), purpose: "writing", source };
        let (file, state) = match File::options().write(true).create_new(true).open(path) {
            Ok(file) => (file, State::Created),
            // It exists, or it is a symbolic link to a file that does not exist yet.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
                (file, State::Untouched)
            }
            Err(error) => return Err(failed(error)),
        };
        let copy = if is_regular(&file) { file.try_clone().map(Some) } else { Ok(None) };
        let mut opened = output(Sink::File(file), None, state);
        // On failure from here on, dropping `opened` removes a file that was created.
        opened.identity = copy.and_then(|copy| copy.map(Handle::from_file).transpose()).map_err(failed)?;
        Ok(opened)
    }

    /// Fails if two of `outputs` are the same file, whatever their paths, or if one of them is among `others`, the
    /// files of further options.
    ///
    /// # Errors
    /// [`LocalError::SameFile`] with both options.
    pub fn check_distinct<'o>(
        others: &[(&'static str, &Handle)],
        outputs: impl IntoIterator<Item = &'o Self>,
    ) -> Result<(), LocalError> {
        let mut seen: Vec<_> = others.iter().map(|(option, handle)| (*option, None, Some(*handle))).collect();
        for output in outputs {
            let OutputWriter { option, path, .. } = &output.writer;
            let this = (*option, Some(path.as_path()), output.identity.as_ref());
            let is_same = |other: &&(&'static str, Option<&Path>, Option<&Handle>)| {
                let are_stdout = [other.1, this.1].iter().all(|path| *path == Some(Path::new("-")));
                are_stdout || (this.2.is_some() && other.2 == this.2)
            };
            if let Some((other, ..)) = seen.iter().find(is_same) {
                return Err(LocalError::SameFile { option, path: path.clone(), other });
            }
            seen.push(this);
        }
        Ok(())
    }

    /// Empties the file: from here on its previous content is lost.
    ///
    /// # Errors
    /// If the file cannot be emptied.
    pub fn start(&mut self) -> Result<(), LocalError> {
        // Standard output may also be a file, but its other content is not ours.
        if self.identity.is_some()
            && let Some(Sink::File(file)) = self.writer.lock().as_ref().map(BufWriter::get_ref)
        {
            file.set_len(0).map_err(|source| self.writer.failed(source))?;
        }
        self.state = State::Started;
        Ok(())
    }

    /// Its writer.
    #[must_use]
    pub fn writer(&self) -> &OutputWriter {
        &self.writer
    }

    /// Flushes it and marks it as complete: dropping it no longer empties it.
    ///
    /// # Errors
    /// If flushing fails.
    pub fn finish(mut self) -> Result<(), LocalError> {
        self.writer.flush()?;
        self.state = State::Finished;
        Ok(())
    }

    /// Whether it is a terminal.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        match self.writer.lock().as_ref().map(BufWriter::get_ref) {
            Some(Sink::File(file)) => file.is_terminal(),
            Some(Sink::Stdout) => io::stdout().is_terminal(),
            None => false,
        }
    }
}

impl Drop for Output {
    /// Errors are ignored: the error that led here is reported.
    fn drop(&mut self) {
        match self.state {
            State::Untouched | State::Finished => {}
            State::Created => drop(fs::remove_file(&self.writer.path)),
            // Only a regular file can be emptied. A pipe may also block a writing thread that holds the lock.
            State::Started if self.identity.is_some() => {
                // Take the buffer first: its content, and anything a thread still writes, must not reach the file.
                let taken = self.writer.lock().take().map(BufWriter::into_parts);
                if let Some((Sink::File(file), _)) = taken {
                    let _ = file.set_len(0);
                }
            }
            State::Started => {}
        }
    }
}

impl OutputWriter {
    /// Writes `line` and a line feed.
    ///
    /// # Errors
    /// If writing fails.
    pub fn write_line(&self, line: &[u8]) -> Result<(), LocalError> {
        self.with(|sink| sink.write_all(line).and_then(|()| sink.write_all(b"\n")))
    }

    /// Flushes the buffer, for a reader that follows along.
    ///
    /// # Errors
    /// If writing fails.
    pub fn flush(&self) -> Result<(), LocalError> {
        self.with(BufWriter::flush)
    }

    fn with(&self, write: impl FnOnce(&mut BufWriter<Sink>) -> io::Result<()>) -> Result<(), LocalError> {
        let abandoned = || Err(ErrorKind::BrokenPipe.into());
        self.lock().as_mut().map_or_else(abandoned, write).map_err(|source| self.failed(source))
    }

    fn lock(&self) -> MutexGuard<'_, Option<BufWriter<Sink>>> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, source: io::Error) -> LocalError {
        LocalError::Writing { option: self.option, path: self.path.clone(), source }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Stdout => io::stdout().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Stdout => io::stdout().flush(),
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
