//! Wiring of the Lambda function: logs, settings, clients, handler.

use std::env;

use lambda_runtime::{Error, tracing};
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::{Answer, Sessionizer};
use shared::runtime::Told;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_variables(env::vars()).inspect_err(|error| tracing::error!(%error, "cannot start"))?;
    let sdk = shared::aws::sdk_config(env::vars());
    let handler = &Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &aws_sdk_kinesis::Client::new(&sdk));
    handler.warm_up().await;
    shared::runtime::run(|event, invocation| async move {
        let Answer { response, report, course } = handler.handle(event, invocation).await?;
        let metrics = report.metrics(course.longest_wait_ms());
        Ok(Told { response, course, metrics })
    })
    .await
}
