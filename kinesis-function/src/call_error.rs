//! A call to AWS that failed, or a part of one: what happened, and whether trying again can help.
//!
//! The SDK makes a single attempt (see [`crate::aws`]), so every failure arrives here. The text is meant for logs: it is
//! bounded, and repeats nothing of the request.

use aws_runtime::retries::classifiers::{THROTTLING_ERRORS, TRANSIENT_ERRORS};
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

/// Transient error codes that the SDK's lists leave out.
///
/// The SDK looks at the status of a whole answer as well, and has no need to know the codes of answers with status 500;
/// a part of a batch has nothing but its code. It also spells the codes of whole calls only.
const MORE_TRANSIENT_CODES: [&str; 9] = [
    "InternalFailure",                  // an entry of PutRecords: the service failed
    "InternalServerError",              // a statement of BatchExecuteStatement: the service failed
    "KMSThrottlingException",           // Kinesis: the key of an encrypted stream is throttled
    "ProvisionedThroughputExceeded",    // a statement: the table or one of its partitions is throttled
    "ReplicatedWriteConflictException", // a global table: another region is writing the item
    "ServiceUnavailable",               // both services, with status 503, and parts without one
    "ThrottlingError",                  // a statement: the account or the control plane is throttled
    "TransactionConflict",              // a statement: a transaction of somebody else holds the item
    "TransactionConflictException",     // the same for a whole call
];

/// Longest text of a failure, in bytes. A log line carries one of each kind.
const MAX_REASON_BYTES: usize = 1_024;

/// A failed call, or a failed part of one.
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
                    // An answer that the SDK could not read: its error says where.
                    None => (UNREADABLE_ANSWER, causes(context.err())),
                };
                // An answer that cannot be read may have been cut on its way; the write may even have taken effect.
                let transient =
                    is_transient(code) || status.is_server_error() || status.as_u16() == 429 || status.is_success();
                let reason = format!("{code}: {} (status {status}, request {request_id})", without_values(&reason));
                Self::new(operation, code, reason, transient)
            }
            // The request could not be built: trying again changes nothing.
            SdkError::ConstructionFailure(_) => Self::new(operation, "RequestNotBuilt", causes(error), false),
            SdkError::TimeoutError(_) => Self::new(operation, "TimedOut", causes(error), true),
            SdkError::DispatchFailure(_) => Self::new(operation, "NoConnection", causes(error), true),
            _ => Self::new(operation, UNREADABLE_ANSWER, causes(error), true),
        }
    }

    /// The failure of a part of `operation`: an entry, an item or a statement, refused with `code`.
    #[must_use]
    pub fn of_part(operation: &'static str, code: &str, message: &str) -> Self {
        Self::new(operation, code, format!("{code}: {}", without_values(message)), is_transient(code))
    }

    /// An answer that holds less than it must. The call may have taken effect.
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

    /// The API's name of the call.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The service's error code, or one of this project's where no service answered: `TimedOut`, `NoConnection`,
    /// `UnreadableAnswer`, `IncompleteAnswer`, `RequestNotBuilt`.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// Whether the call may have taken effect although it failed: no answer came, or none that could be read.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self.code.as_str(), "TimedOut" | "NoConnection" | UNREADABLE_ANSWER | "IncompleteAnswer")
    }

    /// Whether the same call may succeed later: a throttle, an internal error, a lost connection.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.transient
    }
}

const UNREADABLE_ANSWER: &str = "UnreadableAnswer";

fn is_transient(code: &str) -> bool {
    [THROTTLING_ERRORS, TRANSIENT_ERRORS, &MORE_TRANSIENT_CODES].iter().any(|codes| codes.contains(&code))
}

/// An error with all its causes on one line. Not the SDK's `DisplayErrorContext`: that adds the error's debug form, and
/// with it whole bodies.
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

/// A service's message without the values that a failed validation repeats: they may be a user's id.
///
/// Both services write `Value 'THE VALUE' at 'FIELD' failed to satisfy constraint: …`.
fn without_values(message: &str) -> String {
    const BEFORE: &str = "Value '";
    const AFTER: &str = "' at '";
    let start = message.find(BEFORE).map(|at| at + BEFORE.len());
    let end = message.rfind(AFTER);
    match (start, end) {
        // From the first value to the last one: a value may hold the words around it.
        (Some(start), Some(end)) if start <= end => format!("{}…{}", &message[..start], &message[end..]),
        _ => message.to_owned(),
    }
}

#[cfg(test)]
#[path = "call_error_tests.rs"]
mod tests;
