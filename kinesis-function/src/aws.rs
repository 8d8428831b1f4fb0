//! How this project reaches AWS: one configuration for both services, and the policy for failed calls.
//!
//! The functions, the embedded services of tests and the fault-injecting clients are all built from [`sdk_config`], so
//! tests run the deployed configuration. The policy (`docs/reliability.md` has it as a table):
//!
//! * **The SDK makes a single attempt.** Only the function knows which part of a request failed and how much of the
//!   invocation's time is left, so it retries itself, with the pauses of [`crate::backoff::Backoff`]. Retries inside
//!   the SDK would multiply with these and hide throttling.
//! * **A failing attempt ends early**: see [`CONNECT_TIMEOUT`] and [`ATTEMPT_TIMEOUT`].
//! * Command-line tools without retries of their own use [`with_sdk_retries`].
//!
//! Region, credentials and endpoints come from the SDK's standard variables, which Lambda sets. Local runs set
//! `AWS_ENDPOINT_URL`; no code path is special to them. Profiles and other credential sources are left out: a function
//! does not need them, and they would make up a sixth of its binary.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::config::{ConfigError, Variables};

/// Longest wait for a connection: DNS, TCP and TLS together. TCP retransmits a lost SYN after 1 s (RFC 6298) and again
/// 2 s later; 3 s allow the first retransmission to succeed.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_000);

/// Longest wait for one attempt of a call, including the connection. A request of 25 large items may take seconds, and
/// a lost answer must leave time for another attempt.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// How long an idle connection is kept. The services close idle connections after a minute or more. An execution
/// environment that was frozen meanwhile would notice only when its next call fails, so it drops them well before that.
pub const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_millis(20_000);

/// The roots of the services' certificates, valid until 2037 and later: <https://www.amazontrust.com/repository/>.
///
/// Parsing the system's roughly 150 roots takes longer than the rest of a cold start. The price: if AWS moves to other
/// roots, which it announces years ahead, rebuild the functions or set `SSL_CERT_FILE` to the system's file.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// Names a PEM file whose certificates are trusted instead of Amazon's. Needed behind a proxy that inspects TLS, or if
/// AWS changes its roots.
const ROOTS_FILE: &str = "SSL_CERT_FILE";

/// The client configuration for both services; `variables` are usually `std::env::vars()`.
///
/// The behavior version is pinned, so that an SDK update cannot change time-outs or retries unnoticed.
///
/// # Errors
/// Names every missing or invalid variable: without a region and credentials no call can succeed, a malformed endpoint
/// would fail every call, and an unusable certificate file must not widen the set of trusted roots.
pub fn sdk_config(variables: impl IntoIterator<Item = (String, String)>) -> Result<SdkConfig, ConfigError> {
    let mut variables = Variables::new(variables);
    let tls = TlsContext::builder().with_trust_store(trust_store(&mut variables)).build();
    let http = aws_smithy_http_client::Builder::new().pool_idle_timeout(IDLE_CONNECTION_TIMEOUT);
    let http = http.tls_provider(Provider::Rustls(CryptoMode::Ring));
    let http = match tls {
        Ok(tls) => http.tls_context(tls),
        Err(error) => {
            variables.fault(format!("the root certificates cannot be used: {error}"));
            http
        }
    };
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let default_region = variables.optional("AWS_DEFAULT_REGION");
    let region =
        variables.optional("AWS_REGION").or(default_region).unwrap_or_else(|| variables.required("AWS_REGION"));
    let credentials = Credentials::new(
        variables.required("AWS_ACCESS_KEY_ID"),
        variables.required("AWS_SECRET_ACCESS_KEY"),
        variables.optional("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .use_fips(variables.choice("AWS_USE_FIPS_ENDPOINT", [("false", false), ("true", true)]))
        .use_dual_stack(variables.choice("AWS_USE_DUALSTACK_ENDPOINT", [("false", false), ("true", true)]))
        .http_client(http.build_https())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .service_config(Endpoints::read(&mut variables))
        .build();
    variables.finish(config)
}

/// `config` with the SDK's standard retries (three attempts, pauses of up to 1 and 2 s), for command-line tools without
/// retries of their own.
#[must_use]
pub fn with_sdk_retries(config: &SdkConfig) -> SdkConfig {
    config.to_builder().retry_config(RetryConfig::standard()).build()
}

/// Amazon's roots, or the certificates in the file that [`ROOTS_FILE`] names.
fn trust_store(variables: &mut Variables) -> TrustStore {
    let Some(path) = variables.optional(ROOTS_FILE) else {
        return TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    };
    // The TLS stack reads the file itself and silently continues without roots if it cannot. Every call would then fail
    // with an error that does not mention the cause, so the file is checked here.
    match CertificateDer::pem_file_iter(&path) {
        Err(error) => variables.fault(format!("{ROOTS_FILE} is {path:?}, which cannot be read: {error}")),
        Ok(certificates) => {
            let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates.filter_map(Result::ok));
            if usable == 0 {
                variables.fault(format!("{ROOTS_FILE} is {path:?}, which contains no usable PEM certificate"));
            }
        }
    }
    TrustStore::default()
}

/// `AWS_ENDPOINT_URL` and, for each service, `AWS_ENDPOINT_URL_SERVICE`, which takes precedence.
#[derive(Debug)]
struct Endpoints {
    urls: HashMap<String, String>,
}

impl Endpoints {
    fn read(variables: &mut Variables) -> Self {
        let mut urls = HashMap::new();
        for (name, service) in [
            ("AWS_ENDPOINT_URL", ""),
            ("AWS_ENDPOINT_URL_DYNAMODB", "DYNAMODB"),
            ("AWS_ENDPOINT_URL_KINESIS", "KINESIS"),
        ] {
            let Some(url) = variables.optional(name) else { continue };
            if is_endpoint(&url) {
                urls.insert(service.to_owned(), url);
            } else {
                variables.fault(format!("{name} is {url:?}, expected a URL such as http://127.0.0.1:8000"));
            }
        }
        Self { urls }
    }
}

fn is_endpoint(url: &str) -> bool {
    let Ok(uri) = url.parse::<http::Uri>() else { return false };
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        if key.profile() != "endpoint_url" {
            return None;
        }
        let service = key.service_id().to_uppercase().replace(' ', "_");
        self.urls.get(&service).or_else(|| self.urls.get("")).cloned()
    }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
