//! Wiring of the Lambda function: settings, client, handler.

use kinesis_function::config::Settings;
use std::process::ExitCode;

use sink_fn::config::Config;
use sink_fn::handler::Sink;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let sink = |config, sdk: &_| Sink::new(config, &aws_sdk_dynamodb::Client::new(sdk));
    kinesis_function::runtime::run(Config::read, sink).await
}
