//! A call to AWS that failed, after the SDK's own retries: what it was, and whether to try it again.

use std::error::Error as _;

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

/// Codes of service errors that pass by themselves. Source: error lists of the operations used here.
const PASSING_CODES: [&str; 10] = [
    "InternalFailure",
    "InternalServerError",
    "KMSThrottlingException",
    "LimitExceededException",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ThrottlingError",
    "ThrottlingException",
];

/// A failed call, or a failed part of one.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} failed: {reason}")]
pub struct CallError {
    operation: &'static str,
    reason: String,
    passing: bool,
}

impl CallError {
    /// What is to be told of a failed call of `operation`.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let code = context.err().code().unwrap_or("no code");
                let message = context.err().message().unwrap_or("no message");
                let request_id = context.raw().request_id().unwrap_or("unknown");
                let status = context.raw().status();
                Self {
                    operation,
                    reason: format!("{code}: {message} (status {status}, request {request_id})"),
                    passing: PASSING_CODES.contains(&code) || status.is_server_error() || status.as_u16() == 429,
                }
            }
            // The request could not be built: no repetition will change that.
            SdkError::ConstructionFailure(_) => Self { operation, reason: with_causes(error), passing: false },
            // Time-out, connection lost, answer unreadable: the call may even have taken effect.
            _ => Self { operation, reason: with_causes(error), passing: true },
        }
    }

    /// What is to be told of a part of `operation` that failed with `code`.
    #[must_use]
    pub fn of_part(operation: &'static str, code: &str, message: &str) -> Self {
        let passing = PASSING_CODES.contains(&code) || code == "TransactionConflict";
        Self { operation, reason: format!("{code}: {message}"), passing }
    }

    /// An answer that holds less than it must. Trying again is safe.
    #[must_use]
    pub fn incomplete_answer(operation: &'static str, what: impl Into<String>) -> Self {
        Self { operation, reason: what.into(), passing: true }
    }

    /// A request that cannot be built.
    pub fn unbuildable(operation: &'static str, error: impl std::error::Error) -> Self {
        Self { operation, reason: error.to_string(), passing: false }
    }

    /// Whether the same call may succeed later: a throttle, an internal error, a lost connection.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.passing
    }
}

fn with_causes<E: std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
