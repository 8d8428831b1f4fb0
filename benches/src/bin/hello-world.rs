//! A minimal function in this runtime, as the baseline for cold starts.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let answer = |_: LambdaEvent<IgnoredAny>| async { Ok::<_, Error>("hello") };
    lambda_runtime::run(service_fn(answer)).await
}
