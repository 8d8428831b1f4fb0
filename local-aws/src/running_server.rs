//! An HTTP server on a loopback port picked by the operating system, and its shutdown.
//!
//! Owns the listener's address and the task that serves it. Both emulators start and stop through it, so that both live
//! exactly as long as their value. It does not know what is served.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::LocalAwsError;

/// A server that runs until this value is dropped.
///
/// It needs no `Drop`: dropping the sender is the signal. The task then closes the listener and idle connections, and
/// answers requests in progress first.
#[derive(Debug)]
pub(crate) struct RunningServer {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl RunningServer {
    /// Binds a free loopback port and runs `serve(listener, shutdown)` in its own task.
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

    /// `http://127.0.0.1:PORT`, without a trailing slash.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops the server and waits until it has answered the requests in progress and released its port.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // An error means that the server's task panicked. The panic was already printed; there is nothing left to stop.
        let _ = self.task.await;
    }
}

/// Resolves when the [`RunningServer`] is dropped.
pub(crate) struct Shutdown(oneshot::Receiver<()>);

impl Shutdown {
    pub(crate) async fn wait(self) {
        // Nothing is ever sent: this resolves when the sender is dropped.
        let _ = self.0.await;
    }
}
