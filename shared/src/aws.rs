//! Configuration of the AWS clients: one HTTP client and one TLS stack for both services.
//!
//! Region, credentials and endpoints come from the SDK's own variables, which Lambda sets. There is no branch for local
//! runs: `AWS_ENDPOINT_URL` leads there. Profiles and the other places where credentials may be found elsewhere are not
//! looked at: a function has no use for them, and they would be a sixth of its binary.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// Longest wait for a connection. Both services answer within milliseconds in their own region.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Longest wait for one attempt of a call; a request of 25 large items may take seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(5_000);

/// The roots that the services' certificates have, valid until 2037 and after: <https://www.amazontrust.com/repository/>.
///
/// Reading the some 150 roots of the system takes longer than all of the rest of a cold start. The price: when
/// AWS moves to roots that are not among these, which it announces long before, a function must be built anew, or be told by
/// `SSL_CERT_FILE` where the system's are.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon_roots.pem");

/// The variable by which the system's roots are used instead, from the file it names: behind a proxy that opens TLS, or
/// when AWS' roots change.
const SYSTEM_ROOTS: &str = "SSL_CERT_FILE";

/// What the clients of both services are made from; `variables` are usually `std::env::vars()`.
///
/// The behaviour version is pinned, so that an update of the SDK does not change retries or time-outs unseen.
#[must_use]
pub fn sdk_config(variables: impl IntoIterator<Item = (String, String)>) -> SdkConfig {
    let variables: HashMap<_, _> = variables.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let variable = |name: &str| variables.get(name).cloned();
    let roots = match variables.contains_key(SYSTEM_ROOTS) {
        true => TrustStore::default(),
        false => TrustStore::empty().with_pem_certificate(AMAZON_ROOTS),
    };
    let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
    let http = match TlsContext::builder().with_trust_store(roots).build() {
        Ok(tls) => http.tls_context(tls).build_https(),
        Err(_) => http.build_https(), // not reached: building a context checks nothing
    };
    let timeouts =
        TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).map(Region::new))
        .use_fips(variable("AWS_USE_FIPS_ENDPOINT").as_deref() == Some("true"))
        .use_dual_stack(variable("AWS_USE_DUALSTACK_ENDPOINT").as_deref() == Some("true"))
        .http_client(http)
        .timeout_config(timeouts);
    if let (Some(id), Some(secret)) = (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
        let credentials = Credentials::new(id, secret, variable("AWS_SESSION_TOKEN"), None, "environment");
        config.set_credentials_provider(Some(SharedCredentialsProvider::new(credentials)));
    }
    config.service_config(Endpoints::of(&variables)).build()
}

/// `AWS_ENDPOINT_URL` and, for each service, `AWS_ENDPOINT_URL_SERVICE`, which counts more.
#[derive(Debug)]
struct Endpoints {
    urls: HashMap<String, String>,
}

impl Endpoints {
    fn of(variables: &HashMap<String, String>) -> Self {
        let urls = variables.iter().filter_map(|(name, url)| {
            let service = name.strip_prefix("AWS_ENDPOINT_URL")?;
            Some((service.strip_prefix('_').unwrap_or(service).to_owned(), url.clone()))
        });
        Self { urls: urls.collect() }
    }
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(pairs: &[(&str, &str)]) -> SdkConfig {
        sdk_config(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
        let key =
            ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        config.service_config().unwrap().load_config(key.unwrap())
    }

    #[test]
    fn endpoint_of_a_service_counts_more_than_that_of_all() {
        let both = config(&[("AWS_ENDPOINT_URL", "http://all"), ("AWS_ENDPOINT_URL_KINESIS", "http://one")]);
        assert_eq!(endpoint(&both, "Kinesis").as_deref(), Some("http://one"));
        assert_eq!(endpoint(&both, "DynamoDB").as_deref(), Some("http://all"));
        assert_eq!(endpoint(&config(&[("AWS_ENDPOINT_URL", "")]), "DynamoDB"), None, "an empty one counts as none");
    }

    #[test]
    fn region_and_credentials_come_from_the_variables_that_lambda_sets() {
        let lambda = config(&[
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_SESSION_TOKEN", "token"),
        ]);
        assert_eq!(lambda.region().unwrap().as_ref(), "eu-central-1");
        assert!(lambda.credentials_provider().is_some());
        assert!(config(&[]).region().is_none() && config(&[]).credentials_provider().is_none());
    }

    /// A certificate that cannot be read would panic here and not in production.
    #[tokio::test]
    async fn roots_can_be_read() {
        let config = config(&[("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")]);
        // Nothing listens there: the call fails, after its client has been made with all that TLS needs.
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&config).endpoint_url("https://127.0.0.1:1");
        let dynamodb = dynamodb.retry_config(aws_sdk_dynamodb::config::retry::RetryConfig::disabled()).build();
        assert!(aws_sdk_dynamodb::Client::from_conf(dynamodb).list_tables().send().await.is_err());
        let text = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 5);
    }
}
