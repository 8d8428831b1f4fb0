//! Wiring of the Lambda function: settings, clients, handler.

use std::process::ExitCode;

use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kinesis_function::runtime::run(|config: Config, sdk| {
        Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(sdk), &aws_sdk_kinesis::Client::new(sdk))
    })
    .await
}
