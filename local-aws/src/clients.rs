//! SDK clients for the embedded services, built by the function that builds the deployed ones.
//!
//! Only the variables differ: they lead here whatever the machine's environment says, so that a local run can never
//! reach an AWS account.

use aws_types::SdkConfig;
use kinesis_function::config::ConfigError;

/// The region the emulators answer for.
const REGION: &str = "us-east-1";

/// A configuration from which every client finds its own service's endpoint. Its clients share one pool of connections.
pub(crate) fn client_config(dynamodb_url: String, kinesis_url: String) -> Result<SdkConfig, ConfigError> {
    let variables = [
        ("AWS_REGION", REGION.to_owned()),
        // The emulators check that a request is signed, not by whom.
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb_url),
        ("AWS_ENDPOINT_URL_KINESIS", kinesis_url),
    ];
    kinesis_function::aws::sdk_config(variables.map(|(name, value)| (name.to_owned(), value)))
}
