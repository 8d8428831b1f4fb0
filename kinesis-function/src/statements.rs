//! Conditional writes, 25 to a request: DynamoDB's BatchExecuteStatement with the result of every statement.
//!
//! One call takes as much CPU as hundreds of records, so no table is written one item at a time. A failed condition is
//! a value, not an error. The owner of each table decides what to write and how to react.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementError, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse,
    ReturnValuesOnConditionCheckFailure,
};

use crate::call_error::CallError;
use crate::limits::MAX_STATEMENTS_PER_REQUEST;

const OPERATION: &str = "BatchExecuteStatement";

/// A DynamoDB item in the SDK's representation.
pub type Item = HashMap<String, AttributeValue>;

/// A PartiQL statement that writes one item under a condition.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text, with a `?` for each parameter.
    pub text: String,
    /// The parameters, in order.
    pub parameters: Vec<AttributeValue>,
}

/// The outcome of one statement.
#[derive(Clone, Debug)]
pub enum StatementResult {
    /// It was written.
    Written,
    /// Its condition failed. Contains the current item if DynamoDB returned it: it may not for an `INSERT`, and cannot
    /// for an `UPDATE` of an absent item.
    ConditionFailed(Option<Item>),
    /// It failed, or its outcome is unknown.
    Failed(CallError),
}

/// Executes `statements`, each for a different item, in one request. Returns their results in order.
///
/// If the whole request fails, every result is that failure.
pub async fn execute(client: &Client, statements: Vec<Statement>) -> Vec<StatementResult> {
    let count = statements.len();
    debug_assert!(count <= MAX_STATEMENTS_PER_REQUEST, "more statements than fit into one request");
    match try_execute(client, statements).await {
        Ok(results) => results,
        Err(error) => vec![StatementResult::Failed(error); count],
    }
}

async fn try_execute(client: &Client, statements: Vec<Statement>) -> Result<Vec<StatementResult>, CallError> {
    let count = statements.len();
    let requests = statements.into_iter().map(request).collect::<Result<_, _>>()?;
    let answer = client
        .batch_execute_statement()
        .set_statements(Some(requests))
        .send()
        .await
        .map_err(|error| CallError::of(OPERATION, &error))?;
    let responses = answer.responses.unwrap_or_default();
    if responses.len() != count {
        let what = format!("{} responses to {count} statements", responses.len());
        return Err(CallError::incomplete_answer(OPERATION, what));
    }
    Ok(responses.into_iter().map(result).collect())
}

fn request(statement: Statement) -> Result<BatchStatementRequest, CallError> {
    BatchStatementRequest::builder()
        .statement(statement.text)
        .set_parameters(Some(statement.parameters))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .map_err(|error| CallError::unbuildable(OPERATION, error))
}

fn result(response: BatchStatementResponse) -> StatementResult {
    use BatchStatementErrorCodeEnum::{ConditionalCheckFailed, DuplicateItem};

    match response.error {
        None => StatementResult::Written,
        Some(BatchStatementError { code: Some(ConditionalCheckFailed | DuplicateItem), item, .. }) => {
            StatementResult::ConditionFailed(item.or(response.item))
        }
        Some(error) => {
            let code = error.code.as_ref().map_or("no code", BatchStatementErrorCodeEnum::as_str);
            StatementResult::Failed(CallError::of_part(
                OPERATION,
                code,
                error.message.as_deref().unwrap_or("no message"),
            ))
        }
    }
}
