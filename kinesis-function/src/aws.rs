//! How this project reaches AWS: one configuration for both services, and the policy for calls that fail.
//!
//! The functions, the embedded services of tests and the fault-injecting clients are all built from [`sdk_config`], so
//! what is tested is what is deployed. The policy, which `docs/reliability.md` tells as a table:
//!
//! * **The SDK makes one attempt.** Only the functions know what a failure leaves undone (often a part of a request) and
//!   how much of the invocation's time is left, so they retry themselves, with the pauses of
//!   [`crate::backoff::Backoff`]. Retries inside the SDK would multiply with those, and hide throttling.
//! * **A failed attempt ends soon**: see [`CONNECT_TIMEOUT`] and [`ATTEMPT_TIMEOUT`].
//! * Command-line tools that do not retry by themselves use [`with_sdk_retries`].
//!
//! Region, credentials and endpoints come from the SDK's own variables, which Lambda sets. There is no branch for local
//! runs: `AWS_ENDPOINT_URL` leads there. Profiles and other credential sources are left out: a function has no use for
//! them, and they would be a sixth of its binary.

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

/// Longest wait for a connection: DNS, TCP and TLS together. A lost SYN is sent again after 1 s (RFC 6298), and once more
/// 2 s later; 3 s survive the first loss without giving up on the second.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_000);

/// Longest wait for one attempt of a call, connecting included. A request of 25 large items may take seconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// How long an unused connection is kept. The services close theirs after a minute or more; an environment that was
/// frozen in the meantime would find out only when its next call fails, so connections this old are not used again.
pub const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_millis(20_000);

/// The roots of the services' certificates, valid until 2037 and later: <https://www.amazontrust.com/repository/>.
///
/// Parsing the system's roughly 150 roots takes longer than the rest of a cold start. The price: when AWS moves to other
/// roots, which it announces years ahead, functions must be rebuilt, or `SSL_CERT_FILE` must name the system's.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// Names a PEM file whose certificates are trusted instead of Amazon's: behind a proxy that inspects TLS, or when AWS
/// changes its roots.
const ROOTS_FILE: &str = "SSL_CERT_FILE";

/// The configuration of both services' clients; `variables` are usually `std::env::vars()`.
///
/// The behaviour version is pinned, so that an update of the SDK cannot change time-outs or retries unnoticed.
///
/// # Errors
/// All variables that are missing or wrong, by name: without a region or credentials no call can succeed, a malformed
/// endpoint would fail each call, and a file of certificates that cannot be used must not widen what is trusted.
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

/// `config` with the SDK's standard retries (three attempts, pauses of up to 1 and 2 s), for command-line tools that do not
/// retry by themselves.
#[must_use]
pub fn with_sdk_retries(config: &SdkConfig) -> SdkConfig {
    config.to_builder().retry_config(RetryConfig::standard()).build()
}

/// Amazon's roots, or the system's where [`ROOTS_FILE`] names its file.
fn trust_store(variables: &mut Variables) -> TrustStore {
    let Some(path) = variables.optional(ROOTS_FILE) else {
        return TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    };
    // The TLS stack reads the file that the variable names by itself, and goes on without roots where it cannot: then
    // every call would fail, for a reason that its error does not tell.
    match CertificateDer::pem_file_iter(&path) {
        Err(error) => variables.fault(format!("{ROOTS_FILE} is {path:?}, which cannot be read: {error}")),
        Ok(certificates) => {
            let (usable, _) = RootCertStore::empty().add_parsable_certificates(certificates.filter_map(Result::ok));
            if usable == 0 {
                variables.fault(format!("{ROOTS_FILE} is {path:?}, which holds no usable certificate in PEM form"));
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
                variables.fault(format!("{name} is {url:?}, it must be a URL such as http://127.0.0.1:8000"));
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
