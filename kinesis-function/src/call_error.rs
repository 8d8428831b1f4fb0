//! A failed call to AWS, or a failed part of one: what happened, and whether a retry can help.
//!
//! The SDK makes a single attempt (see [`crate::aws`]), so every failure ends up here. The text is safe for logs: it is
//! bounded and quotes nothing from the request.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

/// Transient error codes that the SDK's lists do not contain.
///
/// For a whole call, the SDK also checks the HTTP status, so it does not list codes that come with status 500. A part
/// of a batch has only its code, and some parts use other spellings than whole calls.
const MORE_TRANSIENT_CODES: [&str; 9] = [
    "InternalFailure",                  // an entry of PutRecords: the service failed
    "InternalServerError",              // a statement of BatchExecuteStatement: the service failed
    "KMSThrottlingException",           // Kinesis: the key of an encrypted stream is throttled
    "ProvisionedThroughputExceeded",    // a statement: the table or one of its partitions is throttled
    "ReplicatedWriteConflictException", // a global table: another region is writing the item
    "ServiceUnavailable",               // both services: status 503 for a call, no status for a part
    "ThrottlingError",                  // a statement: the account or the control plane is throttled
    "TransactionConflict",              // a statement: another transaction is using the item
    "TransactionConflictException",     // the same for a whole call
];

/// Those of [`MORE_TRANSIENT_CODES`] that are throttles.
const MORE_THROTTLING_CODES: [&str; 3] = ["KMSThrottlingException", "ProvisionedThroughputExceeded", "ThrottlingError"];

/// Longest reason, in bytes. Each kind of failure puts one into a log line, and CloudWatch bills by the byte.
const MAX_REASON_BYTES: usize = 1_024;

/// A failed call, or a failed part of a call.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} failed: {reason}")]
pub struct CallError {
    operation: &'static str,
    code: String,
    reason: String,
    transient: bool,
}

impl CallError {
    /// The failure of a whole call of `operation`.
    pub fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let status = context.raw().status();
                let request_id = context.raw().request_id().unwrap_or("unknown");
                let (code, reason) = match context.err().code() {
                    Some(code) => (code, context.err().message().unwrap_or("no message").to_owned()),
                    // The SDK could not parse the answer; the error says where.
                    None => (UNREADABLE_ANSWER, causes(context.err())),
                };
                // An unreadable answer may have been truncated in transit, and the write may have taken effect.
                let transient =
                    is_transient(code) || status.is_server_error() || status.as_u16() == 429 || status.is_success();
                let reason = format!("{code}: {} (status {status}, request {request_id})", without_values(&reason));
                Self::new(operation, code, reason, transient)
            }
            // The request could not be built; a retry would fail the same way.
            SdkError::ConstructionFailure(_) => Self::new(operation, "RequestNotBuilt", causes(error), false),
            SdkError::TimeoutError(_) => Self::new(operation, "TimedOut", causes(error), true),
            SdkError::DispatchFailure(_) => Self::new(operation, "NoConnection", causes(error), true),
            _ => Self::new(operation, UNREADABLE_ANSWER, causes(error), true),
        }
    }

    /// The failure of one part of `operation` (an entry, item or statement) with `code`.
    #[must_use]
    pub fn of_part(operation: &'static str, code: &str, message: &str) -> Self {
        Self::new(operation, code, format!("{code}: {}", without_values(message)), is_transient(code))
    }

    /// An answer that lacks required parts. The call may have taken effect.
    #[must_use]
    pub fn incomplete_answer(operation: &'static str, what: impl Into<String>) -> Self {
        Self::new(operation, "IncompleteAnswer", what.into(), true)
    }

    /// A request that cannot be built.
    pub fn unbuildable(operation: &'static str, error: impl std::error::Error) -> Self {
        Self::new(operation, "RequestNotBuilt", error.to_string(), false)
    }

    fn new(operation: &'static str, code: &str, mut reason: String, transient: bool) -> Self {
        if reason.len() > MAX_REASON_BYTES {
            reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
            reason.push('…');
        }
        Self { operation, code: code.to_owned(), reason, transient }
    }

    /// The name of the API operation.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The service's error code, or one of this project's if the service sent none: `TimedOut`, `NoConnection`,
    /// `UnreadableAnswer`, `IncompleteAnswer`, `RequestNotBuilt`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether the call may have taken effect despite the failure, because there was no usable answer.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self.code.as_str(), "TimedOut" | "NoConnection" | UNREADABLE_ANSWER | "IncompleteAnswer")
    }

    /// Whether the service has refused it because there were too many.
    #[must_use]
    pub fn is_throttle(&self) -> bool {
        THROTTLING_ERRORS.contains(&self.code.as_str()) || MORE_THROTTLING_CODES.contains(&self.code.as_str())
    }

    /// Whether the same call may succeed later, as after a throttle, an internal error or a lost connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

const UNREADABLE_ANSWER: &str = "UnreadableAnswer";

fn is_transient(code: &str) -> bool {
    [THROTTLING_ERRORS, TRANSIENT_ERRORS, &MORE_TRANSIENT_CODES].iter().any(|codes| codes.contains(&code))
}

/// An error and all its causes on one line. The SDK's `DisplayErrorContext` also prints the debug form, which includes
/// whole request bodies.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    texts.dedup();
    texts.join(": ")
}

/// A service's message without the values that a failed validation quotes, since they may be user ids.
///
/// Both services write `Value 'THE VALUE' at 'FIELD' failed to satisfy constraint: …`.
fn without_values(message: &str) -> String {
    const BEFORE: &str = "Value '";
    const AFTER: &str = "' at '";
    let start = message.find(BEFORE).map(|at| at + BEFORE.len());
    let end = message.rfind(AFTER);
    match (start, end) {
        // Everything from the first value to the last is cut, because a value may itself contain these delimiters.
        (Some(start), Some(end)) if start <= end => format!("{}…{}", &message[..start], &message[end..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
#[path = "call_error_tests.rs"]
mod tests;
