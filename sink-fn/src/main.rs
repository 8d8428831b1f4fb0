//! Wiring of the Lambda function: logs, settings, clients, handler.

use std::env;

use lambda_runtime::{Error, LambdaEvent, tracing};
use shared::event::Event;
use shared::invocation::Invocation;
use shared::metrics::InvocationLog;
use sink_fn::config::Config;
use sink_fn::handler::Sink;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = Config::from_variables(env::vars()).inspect_err(|error| tracing::error!(%error, "cannot start"))?;
    let sdk = shared::aws::sdk_config(env::vars());
    let handler = &Sink::new(config, &aws_sdk_dynamodb::Client::new(&sdk));
    handler.warm_up().await;
    let log = &InvocationLog::default();
    let function = |event: LambdaEvent<Event>| async move {
        let invocation = Invocation::until(event.context.deadline);
        let answer = handler.handle(event.payload, invocation).await?;
        let metrics = answer.report.metrics(answer.course.longest_wait_ms());
        let function_name = &event.context.env_config.function_name;
        println!("{}", log.line(function_name, &event.context.request_id, &answer.course, &metrics));
        Ok::<_, Error>(answer.response)
    };
    shared::runtime::run(function).await
}
