//! An HTTP client for the SDK that makes calls fail the way AWS makes them fail.
//!
//! For tests: it sits between the real SDK client and the real server. A plan sees each call and decides its fault. It
//! returns only responses that a service could return.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

/// A call before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The operation, such as `PutRecords`.
    pub operation: String,
    /// Number of earlier calls of this operation.
    pub number: usize,
    /// Number of parts that the service can reject individually: statements, entries, items or keys; 0 for a call that
    /// succeeds or fails as a whole.
    pub parts: usize,
    /// The request as the service receives it.
    pub body: Value,
}

/// What happens to a call.
#[derive(Debug)]
pub enum Fault {
    /// Nothing: it is made.
    None,
    /// The service throttles the whole call. It takes no effect.
    Throttled,
    /// The service returns an internal error, HTTP status 500. It takes no effect.
    InternalError,
    /// The service denies it: the function's role lacks the permission. It takes no effect.
    AccessDenied,
    /// The connection breaks before the service receives it. It takes no effect.
    NotSent,
    /// It takes effect, but the connection breaks before the response arrives.
    ReplyLost,
    /// It takes effect, but the response never arrives: the caller waits until its own time-out.
    NoAnswer,
    /// It is made after this delay.
    Slow(Duration),
    /// The service throttles these parts, by index: statements of a BatchExecuteStatement, entries of a PutRecords,
    /// items of a BatchWriteItem, keys of a BatchGetItem. The others take effect.
    PartsThrottled(Vec<usize>),
    /// It is made, but its response omits the items of failed conditions, as with DynamoDB Local.
    ItemsLeftOut,
    /// Kinesis rejects these entries of a PutRecords, by index, with this error code. The others take effect.
    EntriesRefused(Vec<usize>, &'static str),
    /// It is held until it is released, then made.
    Held(Hold),
    /// It is made, and its response is held until it is released.
    ReplyHeld(Hold),
}

/// Holds a call.
#[derive(Debug)]
pub struct Hold {
    /// Signals that the call or its response was reached.
    pub reached: oneshot::Sender<()>,
    /// Releases it; so does dropping the other end.
    pub release: oneshot::Receiver<()>,
}

impl Hold {
    /// A hold, the receiver that resolves when a call reaches it, and the sender that releases the call.
    #[must_use]
    pub fn new() -> (Self, oneshot::Receiver<()>, oneshot::Sender<()>) {
        let ((reached, is_there), (let_go, release)) = (oneshot::channel(), oneshot::channel());
        (Self { reached, release }, is_there, let_go)
    }

    async fn pass(self) {
        let _ = self.reached.send(()); // fails only if nothing waits for the call
        let _ = self.release.await; // an error means that the sender was dropped, which releases it as well
    }
}

/// Decides what happens to each call, in the order in which calls are made.
type Plan = dyn FnMut(&Call) -> Fault + Send;

/// The faulty client: pass it to an SDK configuration instead of the HTTP client that it wraps.
#[derive(Clone)]
pub struct FaultyHttpClient {
    inner: SharedHttpClient,
    shared: Arc<Shared>,
}

struct Shared {
    plan: Mutex<Box<Plan>>,
    calls: Mutex<HashMap<String, usize>>,
}

impl FaultyHttpClient {
    /// Makes calls through `inner`, with the faults that `plan` returns.
    pub fn new(inner: SharedHttpClient, plan: impl FnMut(&Call) -> Fault + Send + 'static) -> Self {
        let shared = Shared { plan: Mutex::new(Box::new(plan)), calls: Mutex::new(HashMap::new()) };
        Self { inner, shared: Arc::new(shared) }
    }

    /// Number of calls of `operation` so far, including failed ones.
    pub fn calls_of(&self, operation: &str) -> usize {
        self.shared.calls.lock().unwrap_or_else(PoisonError::into_inner).get(operation).copied().unwrap_or(0)
    }
}

impl fmt::Debug for FaultyHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyHttpClient").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpClient for FaultyHttpClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { inner, shared: Arc::clone(&self.shared) })
    }
}

struct FaultyConnector {
    inner: SharedHttpConnector,
    shared: Arc<Shared>,
}

impl fmt::Debug for FaultyConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyConnector").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fault = self.shared.fault_for(&request);
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::None => inner.call(request).await,
                Fault::Throttled => Ok(error(400, "ThrottlingException", "Rate exceeded")),
                Fault::InternalError => Ok(error(500, "InternalServerError", "The service failed")),
                Fault::AccessDenied => {
                    Ok(error(400, "AccessDeniedException", "not authorized to perform this operation"))
                }
                Fault::NotSent => Err(broken("the connection broke before the request was sent")),
                Fault::ReplyLost => {
                    inner.call(request).await?;
                    Err(broken("the connection broke before the response arrived"))
                }
                Fault::NoAnswer => {
                    inner.call(request).await?;
                    std::future::pending().await
                }
                Fault::Slow(time) => {
                    tokio::time::sleep(time).await;
                    inner.call(request).await
                }
                Fault::PartsThrottled(parts) => refuse_parts(&inner, request, &parts, PUT_THROTTLED).await,
                Fault::ItemsLeftOut => leave_items_out(&inner, request).await,
                Fault::EntriesRefused(entries, code) => refuse_parts(&inner, request, &entries, code).await,
                Fault::Held(hold) => {
                    hold.pass().await;
                    inner.call(request).await
                }
                Fault::ReplyHeld(hold) => {
                    let answer = inner.call(request).await;
                    hold.pass().await;
                    answer
                }
            }
        })
    }
}

impl Shared {
    fn fault_for(&self, request: &HttpRequest) -> Fault {
        let operation = operation(request).to_owned();
        let mut body = request.body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        let parts = parts_of(&operation, &mut body).map_or(0, |parts| parts.len());
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(operation.clone()).or_default();
        let call = Call { operation, number: *count, parts, body };
        *count += 1;
        drop(calls);
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan(&call)
    }
}

/// `DynamoDB_20120810.PutItem` is a call of `PutItem`.
pub(crate) fn operation(request: &HttpRequest) -> &str {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.split_once('.').map_or(target, |(_, operation)| operation)
}

pub(crate) fn error(status: u16, code: &str, message: &str) -> HttpResponse {
    response(status, &json!({ "__type": code, "message": message }))
}

fn response(status: u16, body: &Value) -> HttpResponse {
    let status = StatusCode::try_from(status).unwrap_or_else(|_| unreachable!("a status between 100 and 999"));
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_string()));
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    response
}

fn broken(how: &'static str) -> ConnectorError {
    ConnectorError::io(std::io::Error::new(std::io::ErrorKind::ConnectionReset, how).into())
}

fn unreadable(what: impl fmt::Display) -> ConnectorError {
    ConnectorError::other(format!("cannot inject a fault: {what}").into(), None)
}

/// The error code of a PutRecords entry that its shard throttles.
pub(crate) const PUT_THROTTLED: &str = "ProvisionedThroughputExceededException";

/// Makes the call without `parts` and adds the service's response for a throttled part in their places; for entries of
/// a PutRecords, with `code`.
pub(crate) async fn refuse_parts(
    inner: &SharedHttpConnector,
    mut request: HttpRequest,
    parts: &[usize],
    code: &str,
) -> Result<HttpResponse, ConnectorError> {
    let operation = operation(&request).to_owned();
    let bytes = request.body().bytes().ok_or_else(|| unreadable("the request's body is a stream"))?;
    let mut body: Value = serde_json::from_slice(bytes).map_err(unreadable)?;
    let list = parts_of(&operation, &mut body).ok_or_else(|| unreadable(format!("{operation} has no parts")))?;
    let mut place = 0;
    let (refused, sent): (Vec<_>, Vec<_>) = std::mem::take(list).into_iter().partition(|_| {
        place += 1;
        parts.contains(&(place - 1))
    });
    let none_sent = sent.is_empty();
    *list = sent;
    let text = body.to_string();
    request.headers_mut().insert("content-length", text.len().to_string());
    *request.body_mut() = SdkBody::from(text);

    let mut answer = if none_sent {
        Value::Object(Map::new()) // services reject requests without parts
    } else {
        let response = inner.call(request).await?;
        if !response.status().is_success() {
            return Ok(response);
        }
        let bytes = ByteStream::new(response.into_body()).collect().await.map_err(unreadable)?;
        serde_json::from_slice(&bytes.into_bytes()).map_err(unreadable)?
    };
    let refusals: Vec<_> = parts.iter().copied().zip(refused).collect();
    put_refusals(&operation, &body, &mut answer, refusals, code);
    Ok(response(200, &answer))
}

/// Makes the call and removes the items of failed conditions from its response.
async fn leave_items_out(inner: &SharedHttpConnector, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let answered = inner.call(request).await?;
    let status = answered.status().as_u16();
    let bytes = ByteStream::new(answered.into_body()).collect().await.map_err(unreadable)?;
    let mut answer: Value = serde_json::from_slice(&bytes.into_bytes()).map_err(unreadable)?;
    for part in answer.get_mut("Responses").and_then(Value::as_array_mut).into_iter().flatten() {
        for holder in ["/Error", ""] {
            if let Some(holder) = part.pointer_mut(holder).and_then(Value::as_object_mut) {
                holder.remove("Item");
            }
        }
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.remove("Item"); // of a single call
    }
    Ok(response(status, &answer))
}

/// The list of a request's parts.
pub(crate) fn parts_of<'b>(operation: &str, body: &'b mut Value) -> Option<&'b mut Vec<Value>> {
    let first_table = |body: &'b mut Value| body.get_mut("RequestItems")?.as_object_mut()?.values_mut().next();
    match operation {
        "BatchExecuteStatement" => body.get_mut("Statements")?.as_array_mut(),
        "PutRecords" => body.get_mut("Records")?.as_array_mut(),
        "BatchWriteItem" => first_table(body)?.as_array_mut(),
        "BatchGetItem" => first_table(body)?.get_mut("Keys")?.as_array_mut(),
        _ => None,
    }
}

/// Adds `refusals`, each an index and a part of the request, to the response as the service does.
fn put_refusals(operation: &str, request: &Value, answer: &mut Value, refusals: Vec<(usize, Value)>, code: &str) {
    let table = request["RequestItems"].as_object().and_then(|tables| tables.keys().next().cloned());
    let refused: Vec<_> = refusals.iter().map(|(_, part)| part.clone()).collect();
    match (operation, table) {
        ("BatchWriteItem", Some(table)) => answer["UnprocessedItems"] = json!({ table: refused }),
        ("BatchGetItem", Some(table)) => answer["UnprocessedKeys"] = json!({ table: { "Keys": refused } }),
        _ => {
            let (list, refusal) = if operation == "PutRecords" {
                answer["FailedRecordCount"] = json!(refusals.len());
                ("Records", json!({ "ErrorCode": code, "ErrorMessage": "Refused" }))
            } else {
                let message = "The level of configured provisioned throughput was exceeded";
                ("Responses", json!({ "Error": { "Code": "ProvisionedThroughputExceeded", "Message": message } }))
            };
            if !answer[list].is_array() {
                answer[list] = json!([]);
            }
            for (place, _) in refusals {
                if let Some(results) = answer[list].as_array_mut() {
                    results.insert(place.min(results.len()), refusal.clone());
                }
            }
        }
    }
}
