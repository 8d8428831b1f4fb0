//! Puts rejected records into a stream, one request at a time.

use aws_sdk_kinesis::Client;
use kinesis_function::call_error::CallError;
use sessionizer_fn::store::put_records::put_records;

use super::items::Kept;

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
    let entries = records.iter().map(|record| (record.accepted_partition_key(), record.data.as_slice()));
    let results = put_records(kinesis, stream, entries).await.map_err(|error| Refusal::of(&error))?;
    Ok(results.into_iter().map(|result| result.map_err(|error| Refusal::of(&error))).collect())
}
