//! Writes boundaries as they land, on a thread of its own: a terminal, a pipe or a disk that stalls must hold up no task.

use std::io;

use tokio::sync::oneshot;

use crate::error::LocalError;
use crate::output::OutputWriter;
use crate::pipeline::Pipeline;
use crate::tap::{Batches, BoundaryTap};

/// Every boundary of a pipeline on its way into an output.
#[derive(Debug)]
pub struct BoundaryWriter {
    tap: BoundaryTap,
    thread: Thread,
}

/// Resolves with what a thread that writes boundaries has ended with.
pub type Ended = oneshot::Receiver<Result<(), LocalError>>;

#[derive(Debug)]
enum Thread {
    Writing(Ended),
    /// Nothing is left to write.
    Done,
}

impl BoundaryWriter {
    /// Begins to write what `pipeline` publishes to `output`, one boundary a line.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(pipeline: &Pipeline, output: OutputWriter) -> Result<Self, LocalError> {
        let (tap, batches) = pipeline.tap_boundaries()?;
        let write = move |batch: Vec<Vec<u8>>| {
            batch.iter().try_for_each(|boundary| output.write_line(boundary))?;
            output.flush()
        };
        Ok(Self { tap, thread: Thread::Writing(on_a_thread(batches, write)?) })
    }

    /// Resolves when the output can no longer be written, and only then.
    pub async fn failure(&mut self) -> LocalError {
        if let Thread::Writing(ended) = &mut self.thread {
            let ended = outcome(ended).await;
            self.thread = Thread::Done;
            if let Err(error) = ended {
                return error;
            }
        }
        std::future::pending().await // the tap has ended: `finish` says why
    }

    /// Waits until `boundaries` of them are written.
    ///
    /// # Errors
    /// When the output cannot be written or the tap has ended before.
    pub async fn finish(self, boundaries: u64) -> Result<(), LocalError> {
        self.tap.finish(boundaries).await?;
        match self.thread {
            Thread::Writing(mut ended) => outcome(&mut ended).await,
            Thread::Done => Ok(()),
        }
    }
}

/// Has a new thread `write` each of `batches`. It ends when there are no more, or with the first error.
///
/// # Errors
/// When the system has no thread left.
pub fn on_a_thread(
    mut batches: Batches,
    write: impl Fn(Vec<Vec<u8>>) -> Result<(), LocalError> + Send + 'static,
) -> Result<Ended, LocalError> {
    let (sender, receiver) = oneshot::channel();
    let work = move || {
        let mut written = Ok(());
        while written.is_ok()
            && let Some(batch) = batches.blocking_recv()
        {
            written = write(batch);
        }
        drop(batches); // nothing may wait for room that will not be
        let _ = sender.send(written); // an error says that nobody waits for the outcome
    };
    std::thread::Builder::new().name("boundaries".to_owned()).spawn(work).map_err(LocalError::Thread)?;
    Ok(receiver)
}

/// What a thread that writes boundaries has ended with.
///
/// # Errors
/// The error that ended it.
pub async fn outcome(ended: &mut Ended) -> Result<(), LocalError> {
    let lost = |_| LocalError::Thread(io::Error::other("the one that writes boundaries has ended"));
    ended.await.map_err(lost).flatten()
}
