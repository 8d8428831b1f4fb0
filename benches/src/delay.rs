//! An HTTP client for the SDK whose calls take a minimum time, as calls to AWS do.
//!
//! The embedded services work during that time, so a call is only longer where they need more. Calls do not delay each
//! other.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// The client: pass it to an SDK configuration instead of the HTTP client that it wraps.
#[derive(Debug)]
pub struct DelayingClient {
    inner: SharedHttpClient,
    least: Duration,
}

impl DelayingClient {
    /// Makes calls through `inner`, and returns each response after `least` at the earliest.
    #[must_use]
    pub fn new(inner: SharedHttpClient, least: Duration) -> Self {
        Self { inner, least }
    }
}

impl HttpClient for DelayingClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(DelayingConnector { inner, least: self.least })
    }
}

#[derive(Debug)]
struct DelayingConnector {
    inner: SharedHttpConnector,
    least: Duration,
}

impl HttpConnector for DelayingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (answer, delay) = (self.inner.call(request), tokio::time::sleep(self.least));
        HttpConnectorFuture::new(async move { tokio::join!(answer, delay).0 })
    }
}
