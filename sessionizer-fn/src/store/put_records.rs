//! One PutRecords request, and what Kinesis answers about each of its records.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::{PutRecordsRequestEntry, PutRecordsResultEntry};
use kinesis_function::call_error::CallError;

const OPERATION: &str = "PutRecords";

/// Tries once to put `records`, each a partition key and its data, into the stream called `stream`. Returns in order
/// whether the stream accepted them: a successful request may still contain refused records, which is how Kinesis
/// usually throttles.
///
/// The records must fit into one request: see [`kinesis_function::put_requests::requests`].
///
/// # Errors
/// If the whole request fails. Its records may be in the stream nevertheless:
/// [`CallError::may_have_taken_effect`].
pub async fn put_records<'r>(
    client: &Client,
    stream: &str,
    records: impl ExactSizeIterator<Item = (&'r str, &'r [u8])>,
) -> Result<Vec<Result<(), CallError>>, CallError> {
    let count = records.len();
    let entries = records.map(|(partition_key, data)| entry(partition_key, data)).collect::<Result<_, _>>()?;
    let request = client.put_records().stream_name(stream).set_records(Some(entries));
    let answer = request.send().await.map_err(|error| CallError::of(OPERATION, &error))?;
    if answer.records.len() != count {
        let what = format!("{} results for {count} records", answer.records.len());
        return Err(CallError::incomplete_answer(OPERATION, what));
    }
    Ok(answer.records.iter().map(result).collect())
}

fn entry(partition_key: &str, data: &[u8]) -> Result<PutRecordsRequestEntry, CallError> {
    let entry = PutRecordsRequestEntry::builder().partition_key(partition_key).data(Blob::new(data));
    entry.build().map_err(|error| CallError::unbuildable(OPERATION, error))
}

fn result(entry: &PutRecordsResultEntry) -> Result<(), CallError> {
    match (&entry.error_code, &entry.sequence_number) {
        (None, Some(_)) => Ok(()),
        (code, _) => {
            let message = entry.error_message.as_deref().unwrap_or("no message");
            Err(CallError::of_part(OPERATION, code.as_deref().unwrap_or("no code"), message))
        }
    }
}
