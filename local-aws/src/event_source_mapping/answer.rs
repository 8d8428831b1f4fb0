//! Interprets a function's response to a batch, as defined by Lambda's ReportBatchItemFailures. Pure: it must not know
//! queues, retries or time.

use serde_json::{Map, Value};
use shared::sequence_number::SequenceNumber;

use super::function::InvocationResult;

/// The outcome of an invocation for its batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BatchResult {
    /// Every record is done.
    Succeeded,
    /// The records before this index are done; the one at this index is the lowest reported failure.
    FailedFrom(usize),
    /// No record is done, because the response is invalid; with the reason.
    Unusable(String),
    /// No record is done, because the function failed or timed out; with the reason.
    Errored(String),
}

/// Interprets the outcome of an invocation with `batch`, the sequence numbers in ascending order.
pub(crate) fn judge(outcome: &InvocationResult, batch: &[&SequenceNumber]) -> BatchResult {
    match outcome {
        InvocationResult::Failed(error) => BatchResult::Errored(error.clone()),
        InvocationResult::TimedOut => BatchResult::Errored("the function timed out".to_owned()),
        InvocationResult::Answered(text) => judge_answer(text, batch).unwrap_or_else(BatchResult::Unusable),
    }
}

fn judge_answer(text: &str, batch: &[&SequenceNumber]) -> Result<BatchResult, String> {
    let mut lowest = None;
    for failure in failures(text)? {
        let index = index_of(&failure, batch)?;
        lowest = Some(lowest.map_or(index, |lowest: usize| lowest.min(index)));
    }
    Ok(lowest.map_or(BatchResult::Succeeded, BatchResult::FailedFrom))
}

/// The reported failures. An empty text, null, a missing list, a null list and an empty list all mean that nothing
/// failed.
fn failures(text: &str) -> Result<Vec<Value>, String> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let answer: Option<Map<String, Value>> =
        serde_json::from_str(text).map_err(|error| format!("the response is not a JSON object: {error}"))?;
    match answer.and_then(|mut answer| answer.remove("batchItemFailures")) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(failures)) => Ok(failures),
        Some(other) => Err(format!("batchItemFailures is not a list: {other}")),
    }
}

/// The index in the batch of a reported failure. AWS does not document the effect of an identifier that is not in the
/// batch; treating the whole batch as failed is the only interpretation that cannot skip a record.
fn index_of(failure: &Value, batch: &[&SequenceNumber]) -> Result<usize, String> {
    let identifier = failure
        .get("itemIdentifier")
        .and_then(Value::as_str)
        .ok_or_else(|| format!("a failure has no itemIdentifier: {failure}"))?;
    let number = SequenceNumber::parse(identifier).map_err(|error| error.to_string())?;
    batch.binary_search(&&number).map_err(|_| format!("the itemIdentifier {number} is not in the batch"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interprets a response to a batch of the records 9, 10, 11, 100.
    fn judged(answer: &str) -> BatchResult {
        let batch = ["9", "10", "11", "100"].map(|text| SequenceNumber::parse(text).unwrap());
        let batch: Vec<_> = batch.iter().collect();
        judge(&InvocationResult::Answered(answer.to_owned()), &batch)
    }

    fn reported(identifiers: &[&str]) -> String {
        let failures: Vec<_> = identifiers.iter().map(|id| serde_json::json!({ "itemIdentifier": id })).collect();
        serde_json::json!({ "batchItemFailures": failures }).to_string()
    }

    #[test]
    fn every_form_of_no_failures_is_success() {
        for answer in ["", " ", "null", "{}", r#"{"batchItemFailures":null}"#, r#"{"batchItemFailures":[]}"#] {
            assert_eq!(judged(answer), BatchResult::Succeeded, "{answer}");
        }
        assert_eq!(judged(r#"{"statusCode":200}"#), BatchResult::Succeeded);
    }

    #[test]
    fn the_lowest_number_counts_and_not_the_first_or_the_lowest_text() {
        assert_eq!(judged(&reported(&["10"])), BatchResult::FailedFrom(1));
        assert_eq!(judged(&reported(&["100", "11"])), BatchResult::FailedFrom(2));
        assert_eq!(judged(&reported(&["100", "10", "9"])), BatchResult::FailedFrom(0));
        assert_eq!(judged(&reported(&["11", "11"])), BatchResult::FailedFrom(2));
    }

    #[test]
    fn an_invalid_response_fails_the_whole_batch() {
        for answer in [
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":10}]}"#,
            r#"{"batchItemFailures":[{"sequenceNumber":"10"}]}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":["10"]}"#,
            r#"{"batchItemFailures":"10"}"#,
            r#"{"batchItemFailures":{"itemIdentifier":"10"}}"#,
            r#"[]"#,
            r#""done""#,
            "true",
            r#"{"batchItemFailures":["#,
        ] {
            assert!(matches!(judged(answer), BatchResult::Unusable(_)), "{answer}: {:?}", judged(answer));
        }
    }

    #[test]
    fn an_identifier_that_is_not_in_the_batch_fails_the_whole_batch() {
        let unknown = BatchResult::Unusable("the itemIdentifier 12 is not in the batch".to_owned());
        assert_eq!(judged(&reported(&["12"])), unknown);
        assert_eq!(judged(&reported(&["11", "12"])), unknown);
    }

    #[test]
    fn an_error_and_a_timeout_fail_the_whole_batch() {
        assert_eq!(judge(&InvocationResult::Failed("boom".into()), &[]), BatchResult::Errored("boom".into()));
        assert!(matches!(judge(&InvocationResult::TimedOut, &[]), BatchResult::Errored(_)));
    }
}
