//! SDK clients for the embedded services, built by the same function as the deployed ones.
//!
//! Only the variables differ: they point to the embedded services, whatever the machine's environment contains, so a
//! local run can never call an AWS account.

use aws_types::SdkConfig;
use kinesis_function::config::ConfigError;

/// The emulators' region.
const REGION: &str = "us-east-1";

/// A configuration with the endpoint of each service. Its clients share one connection pool.
pub(crate) fn client_config(dynamodb_url: String, kinesis_url: String) -> Result<SdkConfig, ConfigError> {
    let variables = [
        ("AWS_REGION", REGION.to_owned()),
        // The emulators check that a request is signed, but not with which credentials.
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
        ("AWS_ENDPOINT_URL_KINESIS", kinesis_url),
    ];
    kinesis_function::aws::sdk_config(variables.map(|(name, value)| (name.to_owned(), value)))
}
