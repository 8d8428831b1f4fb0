//! Wiring of the Lambda function: logs, settings, clients, handler.

use std::env;

use lambda_runtime::{Error, LambdaEvent, tracing};
use sessionizer_fn::config::Config;
use sessionizer_fn::handler::Sessionizer;
use shared::event::Event;
use shared::invocation::Invocation;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_variables(env::vars())?;
    let sdk = shared::aws::sdk_config(env::vars());
    let handler = &Sessionizer::new(config, &aws_sdk_dynamodb::Client::new(&sdk), &aws_sdk_kinesis::Client::new(&sdk));
    handler.warm_up().await;
    let function = |event: LambdaEvent<Event>| async move {
        let invocation = Invocation::until(event.context.deadline);
        handler.handle(event.payload, invocation).await.map(|answer| answer.response).map_err(Error::from)
    };
    shared::runtime::run(function).await
}
