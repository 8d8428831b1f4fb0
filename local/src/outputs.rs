//! The outputs of a run, opened, emptied and finished together.

use std::path::PathBuf;

use local_aws::DynamoDbServer;
use same_file::Handle;

use crate::error::LocalError;
use crate::input::{INPUT_OPTION, Input};
use crate::output::Output;
use crate::run::Run;

/// A run's requested outputs.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) sessions: Option<Output>,
    pub(crate) boundaries: Option<Output>,
    pub(crate) rejected: Option<Output>,
}

impl Outputs {
    /// Opens the outputs of `run` and compares them with each other, the input and the database.
    ///
    /// # Errors
    /// If one is not writable or is the same file as another option's.
    pub(crate) fn open(run: &Run, input: &Input) -> Result<Self, LocalError> {
        let open = |option, path: &Option<PathBuf>| path.as_ref().map(|path| Output::open(option, path)).transpose();
        let outputs = Self {
            sessions: open("--sessions", &run.sessions)?,
            boundaries: open("--boundaries", &run.boundaries)?,
            rejected: open("--rejected", &run.rejected)?,
        };
        let each = [&outputs.sessions, &outputs.boundaries, &outputs.rejected].into_iter().flatten();
        let database = run.options.data_dir.as_deref().map(DynamoDbServer::database_file);
        // It may not exist yet.
        let database = database.and_then(|path| Handle::from_path(path).ok());
        let others = [(INPUT_OPTION, input.identity()), ("--data-dir", database.as_ref())];
        let others: Vec<_> = others.into_iter().filter_map(|(option, handle)| Some((option, handle?))).collect();
        Output::check_distinct(&others, each)?;
        Ok(outputs)
    }

    /// Empties all of them.
    ///
    /// # Errors
    /// If one cannot be emptied.
    pub(crate) fn start(&mut self) -> Result<(), LocalError> {
        [&mut self.sessions, &mut self.boundaries, &mut self.rejected].into_iter().flatten().try_for_each(Output::start)
    }

    /// Marks them as complete. Flushes all of them first, because only that can fail.
    ///
    /// # Errors
    /// If flushing one fails.
    pub(crate) fn finish(self) -> Result<(), LocalError> {
        let Self { sessions, boundaries, rejected } = self;
        let outputs: Vec<_> = [sessions, boundaries, rejected].into_iter().flatten().collect();
        outputs.iter().try_for_each(|output| output.writer().flush())?;
        outputs.into_iter().try_for_each(Output::finish)
    }
}
