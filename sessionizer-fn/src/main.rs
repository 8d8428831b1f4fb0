//! Wiring of the Lambda function: logs, settings, clients, handler.

use std::env;
use std::process::ExitCode;

use kinesis_function::runtime::Told;
use lambda_runtime::Error;
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::{Answer, Sessionizer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    kinesis_function::logs::init();
    run().await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS) // the error has been logged
}

async fn run() -> Result<(), Error> {
    let (config, sdk) = kinesis_function::runtime::settings(Config::from_variables(env::vars()), env::vars())?;
    let handler = &Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &aws_sdk_kinesis::Client::new(&sdk));
    handler.warm_up().await;
    kinesis_function::runtime::run(|event, invocation| async move {
        let Answer { response, report, course } = handler.handle(event, invocation).await?;
        let metrics = report.metrics(course.longest_wait_ms());
        Ok(Told { response, course, metrics })
    })
    .await
}
