//! Configuration of the AWS clients: one HTTP client and one TLS stack for both services.
//!
//! Region, credentials and endpoints come from the SDK's own variables and files, as everywhere. There is no branch
//! for local runs: `AWS_ENDPOINT_URL` leads there.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// Longest wait for a connection. Both services answer within milliseconds in their own region.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Longest wait for one attempt of a call; a request of 25 large items may take seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// What the clients of both services are made from.
///
/// The behaviour version is pinned, so that an update of the SDK does not change retries or time-outs unseen.
pub async fn sdk_config() -> SdkConfig {
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http).timeout_config(timeouts).load().await
}
