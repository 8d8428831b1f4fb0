//! An HTTP client for the SDK that shows calls to an observer once the service has answered them.
//!
//! For tests: it sits below [`crate::faults`], so that it sees what has really happened. A call that has been sent
//! takes effect whether or not its caller still waits: it goes on when the caller drops it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::faults::operation;

/// How often [`CallsUnderWay::none`] looks.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Gets the operation and the body of each call that has succeeded.
type Observer = dyn Fn(&str, &[u8]) + Send + Sync;

/// The number of calls that were sent and not answered yet. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct CallsUnderWay(Arc<AtomicUsize>);

impl CallsUnderWay {
    /// Waits until there are none.
    pub async fn none(&self) {
        while self.0.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// The observing client: pass it to an SDK configuration instead of the HTTP client that it wraps.
#[derive(Clone)]
pub struct ObservedHttpClient {
    inner: SharedHttpClient,
    observer: Arc<Observer>,
    under_way: CallsUnderWay,
}

impl ObservedHttpClient {
    /// Makes calls through `inner` and counts them in `under_way`. `observer` gets the operation and the body of each
    /// call that has succeeded, before its caller gets the answer.
    pub fn new(
        inner: SharedHttpClient,
        under_way: CallsUnderWay,
        observer: impl Fn(&str, &[u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { inner, observer: Arc::new(observer), under_way }
    }
}

impl fmt::Debug for ObservedHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedHttpClient").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpClient for ObservedHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ObservedConnector {
            inner: self.inner.http_connector(settings, components),
            observer: Arc::clone(&self.observer),
            under_way: self.under_way.clone(),
        })
    }
}

struct ObservedConnector {
    inner: SharedHttpConnector,
    observer: Arc<Observer>,
    under_way: CallsUnderWay,
}

impl fmt::Debug for ObservedConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedConnector").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Counts a call for as long as it lives.
struct UnderWay(CallsUnderWay);

impl UnderWay {
    fn begin(calls: &CallsUnderWay) -> Self {
        calls.0.fetch_add(1, Ordering::AcqRel);
        Self(calls.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl HttpConnector for ObservedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation = operation(&request).to_owned();
        let body = request.body().bytes().map(<[u8]>::to_vec).unwrap_or_default();
        let (inner, observer, under_way) =
            (self.inner.clone(), Arc::clone(&self.observer), UnderWay::begin(&self.under_way));
        let sent = tokio::spawn(async move {
            let answer = inner.call(request).await;
            if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
                observer(&operation, &body);
            }
            drop(under_way);
            answer
        });
        HttpConnectorFuture::new(async move {
            sent.await.unwrap_or_else(|error| Err(ConnectorError::other(error.into(), None)))
        })
    }
}
