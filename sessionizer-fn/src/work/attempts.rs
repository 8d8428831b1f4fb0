//! Retries of transient failures, without limit: the deadline of the invocation bounds the time.

use std::future::Future;

use kinesis_function::backoff::Backoff;
use kinesis_function::failures::Failures;

use crate::store::log_store::StoreError;
use crate::work::error::BucketError;

/// Makes a call until it succeeds or fails permanently.
///
/// # Errors
/// The permanent failure.
pub async fn until_it_succeeds<T, F>(failures: &Failures, mut call: impl FnMut() -> F) -> Result<T, BucketError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut backoff = Backoff::new();
    loop {
        match call().await {
            Ok(value) => return Ok(value),
            Err(StoreError::Call(error)) if error.is_transient() => {
                failures.retried(&error);
                backoff.pause().await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}
