//! Writes boundaries as they land, on a thread of its own: a terminal, a pipe or a disk that stalls must hold up no task.

use std::io;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::LocalError;
use crate::output::Output;
use crate::pipeline::Pipeline;
use crate::tap::{Batches, BoundaryTap};

/// How long an abandoned writer is waited for. One that is stuck, in a pipe that nobody reads, is left behind.
const TIME_TO_ABANDON: Duration = Duration::from_secs(1);

/// Every boundary of a pipeline on its way into an output.
#[derive(Debug)]
pub struct BoundaryWriter {
    tap: BoundaryTap,
    thread: Thread,
}

#[derive(Debug)]
enum Thread {
    Writing(oneshot::Receiver<Result<Output, LocalError>>),
    /// It was given no further batch.
    Done(Output),
    /// The error was taken.
    Failed,
}

impl BoundaryWriter {
    /// Begins to write what `pipeline` publishes to `output`, one boundary a line.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(pipeline: &Pipeline, output: Output) -> Result<Self, LocalError> {
        let (tap, batches) = pipeline.tap_boundaries()?;
        let write = |output: &mut Output, batch: Vec<Vec<u8>>| {
            batch.iter().try_for_each(|boundary| output.write_line(boundary))?;
            output.flush()
        };
        Ok(Self { tap, thread: Thread::Writing(on_a_thread(batches, output, write)?) })
    }

    /// Resolves when the output can no longer be written, and only then.
    pub async fn failure(&mut self) -> LocalError {
        if let Thread::Writing(writing) = &mut self.thread {
            match outcome(writing).await {
                Ok(output) => self.thread = Thread::Done(output), // the tap has ended: `finish` says why
                Err(error) => {
                    self.thread = Thread::Failed;
                    return error;
                }
            }
        }
        std::future::pending().await
    }

    /// Waits until `boundaries` of them are written, and gives the output back.
    ///
    /// # Errors
    /// When the output cannot be written or the tap has ended before.
    pub async fn finish(self, boundaries: u64) -> Result<Output, LocalError> {
        self.tap.finish(boundaries).await?;
        match self.thread {
            Thread::Writing(mut writing) => outcome(&mut writing).await,
            Thread::Done(output) => Ok(output),
            Thread::Failed => Err(lost()),
        }
    }

    /// Ends the writing wherever it is; the output is left unfinished.
    pub async fn abandon(self) {
        drop(self.tap);
        if let Thread::Writing(mut writing) = self.thread {
            // So that the output is emptied before the process ends. After the time-out it is not.
            let _ = timeout(TIME_TO_ABANDON, outcome(&mut writing)).await;
        }
    }
}

/// Has a new thread `write` each of `batches` to `writer`. What comes back is the writer, once there are no more batches,
/// or the error that ended the thread.
///
/// # Errors
/// When the system has no thread left.
pub fn on_a_thread<W: Send + 'static>(
    mut batches: Batches,
    mut writer: W,
    write: impl Fn(&mut W, Vec<Vec<u8>>) -> Result<(), LocalError> + Send + 'static,
) -> Result<oneshot::Receiver<Result<W, LocalError>>, LocalError> {
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let mut written = Ok(());
        while written.is_ok()
            && let Some(batch) = batches.blocking_recv()
        {
            written = write(&mut writer, batch);
        }
        drop(batches); // nothing may wait for room that will not be
        let _ = sender.send(written.map(|()| writer)); // an error says that nobody waits for the outcome
    };
    std::thread::Builder::new().name("boundaries".to_owned()).spawn(work).map_err(LocalError::Thread)?;
    Ok(receiver)
}

/// What a thread that writes boundaries has ended with.
///
/// # Errors
/// The error that ended it.
pub async fn outcome<W>(writing: &mut oneshot::Receiver<Result<W, LocalError>>) -> Result<W, LocalError> {
    writing.await.map_err(|_| lost()).flatten()
}

fn lost() -> LocalError {
    LocalError::Thread(io::Error::other("the one that writes boundaries has ended"))
}
