//! SDK clients for the embedded services: real ones, over plain HTTP.
//!
//! Owns everything such a client is configured with. Nothing is taken from the machine's environment or profiles, so
//! that a local run can never reach an AWS account.

use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use aws_types::SdkConfig;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};

/// The region the emulators answer for.
const REGION: &str = "us-east-1";

/// A configuration from which every client finds its own service's endpoint. Its clients share one pool of
/// connections, and retry as they do on AWS: three attempts, with backoff.
pub(crate) fn client_config(dynamodb_url: String, kinesis_url: String) -> SdkConfig {
    // The emulators check that a request is signed, not by whom.
    let credentials = Credentials::new("local", "local", None, None, "embedded");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::standard())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .service_config(Endpoints { dynamodb_url, kinesis_url })
        .build()
}

/// What `AWS_ENDPOINT_URL_DYNAMODB` and `AWS_ENDPOINT_URL_KINESIS` would say.
#[derive(Debug)]
struct Endpoints {
    dynamodb_url: String,
    kinesis_url: String,
}

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        match (key.service_id(), key.profile()) {
            ("DynamoDB", "endpoint_url") => Some(self.dynamodb_url.clone()),
            ("Kinesis", "endpoint_url") => Some(self.kinesis_url.clone()),
            _ => None,
        }
    }
}
