//! How each kind of answer is classified, through the SDK's own client; only the HTTP answers are canned.
use aws_sdk_dynamodb::Client;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse as SmithyResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use super::*;

/// Answers every request with this status and body, or breaks the connection if `None`.
#[derive(Clone, Debug)]
struct Canned(Option<(u16, String)>);

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(match &self.0 {
            Some((status, body)) => {
                Ok(SmithyResponse::new((*status).try_into().unwrap(), SdkBody::from(body.as_str())))
            }
            None => Err(ConnectorError::io("connection reset".into())),
        })
    }
}

async fn failure(answer: Option<(u16, String)>) -> CallError {
    let canned: SharedHttpClient = {
        let connector = SharedHttpConnector::new(Canned(answer));
        http_client_fn(move |_, _| connector.clone())
    };
    let variables = [("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = crate::aws::sdk_config(variables).unwrap().to_builder().http_client(canned).build();
    let error = Client::new(&config).list_tables().send().await.unwrap_err();
    CallError::of("ListTables", &error)
}

fn refused(status: u16, code: &str, message: &str) -> Option<(u16, String)> {
    Some((status, serde_json::json!({ "__type": code, "message": message }).to_string()))
}

#[tokio::test]
async fn throttles_conflicts_and_timeouts_are_transient() {
    let codes = [
        "ThrottlingException",
        "Throttling",
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "TransactionInProgressException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "ReplicatedWriteConflictException",
    ];
    for code in codes {
        let error = failure(refused(400, code, "try later")).await;
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.code(), code);
        assert_eq!(error.to_string(), format!("ListTables failed: {code}: try later (status 400, request unknown)"));
    }
}

#[tokio::test]
async fn permanent_refusals_are_not_transient() {
    for code in ["AccessDeniedException", "ValidationException", "ResourceNotFoundException", "KMSDisabledException"] {
        let error = failure(refused(400, code, "no")).await;
        assert!(!error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn server_errors_and_429_are_transient_whatever_the_code() {
    for status in [429, 500, 502, 503, 504] {
        let error = failure(refused(status, "SomethingNew", "no")).await;
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.code(), "SomethingNew");
    }
    assert!(failure(Some((503, "<html>busy</html>".to_owned()))).await.is_transient());
}

#[tokio::test]
async fn unreadable_answer_with_status_200_is_transient_and_says_why() {
    for body in ["<html>proxy</html>", r#"{"TableNames":["#, r#"{"TableNames":7}"#] {
        let error = failure(Some((200, body.to_owned()))).await;
        assert!(error.is_transient(), "{error}");
        assert_eq!(error.code(), "UnreadableAnswer", "{error}");
        assert!(error.to_string().contains("expected") || error.to_string().contains("end of stream"), "{error}");
    }
}

#[tokio::test]
async fn broken_connection_is_transient_and_reports_its_cause() {
    let error = failure(None).await;
    assert!(error.is_transient());
    assert_eq!((error.code(), error.operation()), ("NoConnection", "ListTables"));
    assert!(error.may_have_taken_effect());
    assert!(!failure(refused(400, "ThrottlingException", "later")).await.may_have_taken_effect());
    assert!(error.to_string().contains("connection reset"), "{error}");
}

#[test]
fn parts_are_classified_by_their_code_alone() {
    for code in ["InternalFailure", "ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"] {
        assert!(CallError::of_part("PutRecords", code, "later").is_transient(), "{code}");
    }
    for code in ["ValidationError", "AccessDenied", "ResourceNotFound", "no code"] {
        assert!(!CallError::of_part("PutRecords", code, "no").is_transient(), "{code}");
    }
}

#[test]
fn text_quotes_no_value_of_the_request_and_is_bounded() {
    let message = "2 validation errors detected: Value 'user' at 'b' x' at 'records.1.member.partitionKey' failed to \
                   satisfy constraint: Member must have length less than or equal to 256";
    let error = CallError::of_part("PutRecords", "InvalidArgumentException", message).to_string();
    assert_eq!(
        error,
        "PutRecords failed: InvalidArgumentException: 2 validation errors detected: Value '…' at \
         'records.1.member.partitionKey' failed to satisfy constraint: Member must have length less than or equal to 256"
    );
    let long = CallError::of_part("PutRecords", "X", &"é".repeat(10_000));
    assert!(long.to_string().len() < MAX_REASON_BYTES + 64, "{}", long.to_string().len());
}

#[test]
fn throttles_are_transient_and_other_transient_failures_are_not_throttles() {
    let of_part = |code: &str| CallError::of_part("PutRecords", code, "no message");
    for code in THROTTLING_ERRORS.iter().chain(&MORE_THROTTLING_CODES) {
        assert!(of_part(code).is_throttle() && of_part(code).is_transient(), "{code}");
    }
    for code in ["InternalFailure", "ServiceUnavailable", "RequestTimeout", "AccessDeniedException"] {
        assert!(!of_part(code).is_throttle(), "{code}");
    }
}
