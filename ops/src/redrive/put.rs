//! Puts rejected records into a stream, one request at a time.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use kinesis_function::call_error::CallError;

use super::items::Kept;

const OPERATION: &str = "PutRecords";

/// Used when the service returned no error code: it did not respond, or its response is unreadable.
const NO_CODE: &str = "no error code";

/// Why Kinesis did not accept a record.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// The error's code.
    pub(super) code: String,
    /// Whether Kinesis may accept the same record later.
    pub(super) is_transient: bool,
    /// Whether the record may be in the stream anyway, because the response was lost.
    pub(super) may_be_put: bool,
}

impl Refusal {
    fn of(error: &CallError) -> Self {
        let (is_transient, may_be_put) = (error.is_transient(), error.may_have_taken_effect());
        Self { code: error.code().to_owned(), is_transient, may_be_put }
    }
}

/// Tries once to put `records` into `stream` and returns their results in order. Fails if the whole request fails.
pub(super) async fn put(
    kinesis: &Client,
    stream: &str,
    records: &[&Kept],
) -> Result<Vec<Result<(), Refusal>>, Refusal> {
    let entries = records.iter().map(|record| entry(record)).collect::<Result<_, _>>()?;
    let answer = kinesis.put_records().stream_name(stream).set_records(Some(entries)).send().await;
    let answer = answer.map_err(|error| Refusal::of(&CallError::of(OPERATION, &error)))?;
    if answer.records.len() != records.len() {
        return Err(Refusal::of(&CallError::incomplete_answer(
            OPERATION,
            "the number of results differs from the number of records",
        )));
    }
    Ok(answer.records.iter().map(result).collect())
}

fn entry(record: &Kept) -> Result<PutRecordsRequestEntry, Refusal> {
    let entry = PutRecordsRequestEntry::builder()
        .partition_key(record.accepted_partition_key())
        .data(Blob::new(record.data.clone()));
    entry.build().map_err(|error| Refusal::of(&CallError::unbuildable(OPERATION, error)))
}

fn result(entry: &PutRecordsResultEntry) -> Result<(), Refusal> {
    match (&entry.error_code, &entry.sequence_number) {
        (None, Some(_)) => Ok(()),
        (code, _) => {
            let code = code.as_deref().unwrap_or(NO_CODE);
            let message = entry.error_message.as_deref().unwrap_or_default();
            Err(Refusal::of(&CallError::of_part(OPERATION, code, message)))
        }
    }
}
