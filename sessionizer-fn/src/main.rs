//! Wiring of the Lambda function: settings, clients, handler.

use kinesis_function::config::Settings;
use std::process::ExitCode;

use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kinesis_function::runtime::run(Config::read, |config, sdk| {
        Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(sdk), &aws_sdk_kinesis::Client::new(sdk))
    })
    .await
}
