//! One HTTP server on a loopback port of the system's choice, and how it ends.
//!
//! Owns the listener's address and the task that serves it. Both emulators are started and stopped through this, so
//! that they share their manners: a server lives as long as its value, and no longer. Knows nothing of what is served.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::LocalAwsError;

/// A server that runs until this value is dropped.
///
/// No `Drop` is written out: dropping the sender is the signal. The listener closes at the runtime's next turn, idle
/// connections are closed with it, a request under way is answered first.
#[derive(Debug)]
pub(crate) struct RunningServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// Binds a free loopback port and runs `serve(listener, shutdown)` on a task of its own.
    /// `serve` must return soon after `shutdown` resolves.
    pub(crate) async fn start<S, R>(service: &'static str, serve: S) -> Result<Self, LocalAwsError>
    where
        S: FnOnce(TcpListener, Shutdown) -> R,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        let bind_failed = |source| LocalAwsError::Listen { service, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(bind_failed)?;
        let address = listener.local_addr().map_err(bind_failed)?;

        let (stop, stopped) = oneshot::channel();
        let serving = serve(listener, Shutdown(stopped));
        let task = tokio::spawn(async move {
            if let Err(reason) = serving.await {
                tracing::error!(service, reason, "embedded server failed");
            }
        });
        Ok(Self { address, stop, task })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server and waits until it has answered what it had begun and let go of its port.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // A panic of the server's task has been reported by the runtime; there is nothing left to stop.
        let _ = self.task.await;
    }
}

/// Resolves when the [`RunningServer`] is dropped.
pub(crate) struct Shutdown(oneshot::Receiver<()>);

impl Shutdown {
    pub(crate) async fn wait(self) {
        // Nobody sends: the only news is that the sender is gone.
        let _ = self.0.await;
    }
}
