//! Counts a client's calls, their bytes, and the capacity they consume.
//!
//! An SDK interceptor. DynamoDB reports capacity only on request, and requesting it costs bytes and CPU, so capacity is
//! measured in separate runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_dynamodb::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_execute_statement::BatchExecuteStatementOutput;
use aws_sdk_dynamodb::operation::batch_get_item::BatchGetItemOutput;
use aws_sdk_dynamodb::operation::put_item::PutItemOutput;
use aws_sdk_dynamodb::types::ConsumedCapacity;
use aws_smithy_types::body::SdkBody;
use serde::{Deserialize, Serialize};

/// The use of one operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Calls, including retries.
    pub calls: u64,
    /// Bytes of the requests' bodies.
    pub bytes: u64,
    /// Capacity units, of reads or writes depending on the operation; 0 if they were not requested.
    pub units: f64,
}

/// The use of each operation.
pub type AskedByOperation = BTreeMap<String, Asked>;

/// The interceptor. Clones share their counts.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    asked: Arc<Mutex<AskedByOperation>>,
    with_capacity: bool,
}

impl Meter {
    /// A meter; with `with_capacity`, it also counts capacity units.
    #[must_use]
    pub fn new(with_capacity: bool) -> Self {
        Self { with_capacity, ..Self::default() }
    }

    /// The counts since the last call.
    #[must_use]
    pub fn take(&self) -> AskedByOperation {
        std::mem::take(&mut *self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, operation: &str, add: impl FnOnce(&mut Asked)) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        add(asked.entry(operation.to_owned()).or_default());
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        self.count(&operation, |asked| {
            asked.calls += 1;
            asked.bytes += body.len() as u64;
        });
        if self.with_capacity && target.starts_with("DynamoDB") && body.first() == Some(&b'{') {
            let with_capacity = [br#"{"ReturnConsumedCapacity":"TOTAL","#, &body[1..]].concat();
            let length = with_capacity.len().to_string();
            *request.body_mut() = SdkBody::from(with_capacity);
            request.headers_mut().insert("content-length", length);
        }
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Ok(output) = context.output_or_error() else { return Ok(()) };
        let told = if let Some(output) = output.downcast_ref::<BatchExecuteStatementOutput>() {
            ("BatchExecuteStatement", output.consumed_capacity())
        } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
            ("BatchGetItem", output.consumed_capacity())
        } else if let Some(output) = output.downcast_ref::<PutItemOutput>() {
            ("PutItem", output.consumed_capacity().map(std::slice::from_ref).unwrap_or_default())
        } else {
            return Ok(());
        };
        let units: f64 = told.1.iter().filter_map(ConsumedCapacity::capacity_units).sum();
        self.count(told.0, |asked| asked.units += units);
        Ok(())
    }
}
