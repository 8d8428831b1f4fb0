//! Writes boundaries as they are published, on a dedicated thread: a stalled terminal, pipe or disk must not block a
//! task.

use std::io;

use tokio::sync::oneshot;

use crate::error::LocalError;
use crate::output::OutputWriter;
use crate::pipeline::Pipeline;
use crate::tap::{Batches, Tap};

/// Writes every boundary of a pipeline to an output.
#[derive(Debug)]
pub struct BoundaryWriter {
    tap: Tap,
    thread: Thread,
}

/// Resolves with the result of a thread that writes boundaries.
pub type Ended = oneshot::Receiver<Result<(), LocalError>>;

#[derive(Debug)]
enum Thread {
    Writing(Ended),
    /// The thread has ended.
    Done,
}

impl BoundaryWriter {
    /// Starts to write the boundaries that `pipeline` publishes to `output`, one per line.
    ///
    /// # Errors
    /// If the operating system cannot start a thread.
    pub fn start(pipeline: &Pipeline, output: OutputWriter) -> Result<Self, LocalError> {
        let (tap, batches) = pipeline.tap_boundaries()?;
        let write = move |batch: Vec<Vec<u8>>| {
            batch.iter().try_for_each(|boundary| output.write_line(boundary))?;
            output.flush()
        };
        Ok(Self { tap, thread: Thread::Writing(on_a_thread(batches, write)?) })
    }

    /// Resolves only if writing to the output fails.
    pub async fn failure(&mut self) -> LocalError {
        if let Thread::Writing(ended) = &mut self.thread {
            let ended = outcome(ended).await;
            self.thread = Thread::Done;
            if let Err(error) = ended {
                return error;
            }
        }
        std::future::pending().await // the tap has ended: `finish` returns the reason
    }

    /// Waits until `boundaries` boundaries are written.
    ///
    /// # Errors
    /// If the output cannot be written or the tap ends early.
    pub async fn finish(self, boundaries: u64) -> Result<(), LocalError> {
        self.tap.finish(boundaries).await?;
        match self.thread {
            Thread::Writing(mut ended) => outcome(&mut ended).await,
            Thread::Done => Ok(()),
        }
    }
}

/// Starts a thread that calls `write` with each of `batches`. It ends after the last one or at the first error.
///
/// # Errors
/// If the operating system cannot start a thread.
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
        drop(batches); // after an error, so that the sender does not wait for capacity forever
        let _ = sender.send(written); // fails only if nothing waits for the outcome
    };
    std::thread::Builder::new().name("boundaries".to_owned()).spawn(work).map_err(LocalError::Thread)?;
    Ok(receiver)
}

/// Waits for a thread that writes boundaries to end.
///
/// # Errors
/// The error that ended it.
pub async fn outcome(ended: &mut Ended) -> Result<(), LocalError> {
    let lost = |_| LocalError::Thread(io::Error::other("the thread that writes boundaries ended without a result"));
    ended.await.map_err(lost).flatten()
}
