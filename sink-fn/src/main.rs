//! Wiring of the Lambda function: settings, client, handler.

use std::process::ExitCode;

use sink_fn::config::Config;
use sink_fn::handler::Sink;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kinesis_function::runtime::run(|config: Config, sdk| Sink::new(config, &aws_sdk_dynamodb::Client::new(sdk))).await
}
