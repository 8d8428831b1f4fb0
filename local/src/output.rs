//! The files a command writes: opened and checked before it starts, emptied when it starts, complete when it succeeds.
//!
//! A command that is refused leaves them as they were. One that fails leaves them empty, so nothing half-written passes
//! for a result. Standard output cannot be taken back: there the exit status tells.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use same_file::Handle;

use crate::error::LocalError;
use crate::input::is_regular;

/// An output that was opened. Dropped before it is [finished](Output::finish), it is empty or as it was.
#[derive(Debug)]
pub struct Output {
    writer: OutputWriter,
    /// Which file it is; `None` for a pipe, a terminal or a device.
    identity: Option<Handle>,
    state: State,
}

/// What writes to an [`Output`], from another thread if need be. Once the output is dropped, every write fails.
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
    /// Opened, and as it was before.
    Untouched,
    /// Opened, and made by that.
    Created,
    /// Emptied, and written to.
    Started,
    Finished,
}

impl Output {
    /// Opens what `option` of the command line names: the file at `path`, or standard output when that is `-`. A file
    /// that is there already keeps its content until [`Output::start`].
    ///
    /// # Errors
    /// When the file cannot be made or must not be written.
    pub fn open(option: &'static str, path: &Path) -> Result<Self, LocalError> {
        let output = |sink, identity, state| {
            let sink = Arc::new(Mutex::new(Some(BufWriter::new(sink))));
            Self { writer: OutputWriter { option, path: path.to_owned(), sink }, identity, state }
        };
        if path == Path::new("-") {
            // Without a handle it cannot be compared with other files; it can be written all the same.
            let identity = Handle::stdout().ok().filter(|handle| is_regular(handle.as_file()));
            return Ok(output(Sink::Stdout, identity, State::Untouched));
        }
        let failed = |source| LocalError::Open { option, path: path.to_owned(), purpose: "writing", source };
        let (file, state) = match File::options().write(true).create_new(true).open(path) {
            Ok(file) => (file, State::Created),
            // There already, or a symbolic link to a file that is yet to be made.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let file = File::options().write(true).create(true).truncate(false).open(path).map_err(failed)?;
                (file, State::Untouched)
            }
            Err(error) => return Err(failed(error)),
        };
        let copy = if is_regular(&file) { file.try_clone().map(Some) } else { Ok(None) };
        let mut opened = output(Sink::File(file), None, state);
        // A failure from here on removes a file that was made.
        opened.identity = copy.and_then(|copy| copy.map(Handle::from_file).transpose()).map_err(failed)?;
        Ok(opened)
    }

    /// Fails if two of `outputs` are one file, by whatever paths, or one of them is among `others`, the files that further
    /// options name.
    ///
    /// # Errors
    /// [`LocalError::SameFile`], naming the two options.
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

    /// Empties it: from here on what it had is gone.
    ///
    /// # Errors
    /// When the file cannot be emptied.
    pub fn start(&mut self) -> Result<(), LocalError> {
        // Standard output may be a file too, but what else is in it is not ours.
        if self.identity.is_some()
            && let Some(Sink::File(file)) = self.writer.lock().as_ref().map(BufWriter::get_ref)
        {
            file.set_len(0).map_err(|source| self.writer.failed(source))?;
        }
        self.state = State::Started;
        Ok(())
    }

    /// What writes to it.
    #[must_use]
    pub fn writer(&self) -> &OutputWriter {
        &self.writer
    }

    /// Declares it complete: it stays as it is.
    ///
    /// # Errors
    /// When the last of it cannot be written.
    pub fn finish(mut self) -> Result<(), LocalError> {
        self.writer.flush()?;
        self.state = State::Finished;
        Ok(())
    }

    /// Whether a person sees it as it is written.
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
    /// Errors are ignored: the one that led here is reported.
    fn drop(&mut self) {
        match self.state {
            State::Untouched | State::Finished => {}
            State::Created => drop(fs::remove_file(&self.writer.path)),
            // Only a regular file can be emptied, and only there is nobody stuck with the lock.
            State::Started if self.identity.is_some() => {
                // Taken first: what the buffer still holds, or a thread still brings, belongs to a result that will not be.
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
    /// When the system refuses.
    pub fn write_line(&self, line: &[u8]) -> Result<(), LocalError> {
        self.with(|sink| sink.write_all(line).and_then(|()| sink.write_all(b"\n")))
    }

    /// Passes on what was written so far, for a reader that follows.
    ///
    /// # Errors
    /// When the system refuses.
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
