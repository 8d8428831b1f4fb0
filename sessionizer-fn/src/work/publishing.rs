//! Publishing the outboxes of commits.

use kinesis_function::backoff::Backoff;
use kinesis_function::call_error::CallError;
use shared::columns::declaration::SessionColumns;

use crate::bucket::memory::BucketMemory;
use crate::ledger::Ledger;
use crate::report::Report;
use crate::state_log_entry::Origin;
use crate::store::publisher::{Message, Publisher};
use crate::work::error::BucketError;

/// Publishes the outbox of `origin`'s last commit, with the names of the declared `columns`, unless it is known to be
/// published. Returns once the stream has accepted every boundary.
///
/// The only way to session-stream: what a [`BucketMemory`] holds was committed.
///
/// # Errors
/// A permanent failure. Some of the boundaries may be published then.
pub async fn publish(
    publisher: &impl Publisher,
    memory: &mut BucketMemory,
    origin: &Origin,
    columns: &SessionColumns,
    ledger: &Ledger<'_>,
) -> Result<(), BucketError> {
    let Some(outbox) = memory.unpublished(origin) else { return Ok(()) };
    let commit = outbox.commit;
    let encoded =
        outbox.boundaries(columns).map(|boundary| Ok(Message::new(boundary.user_id.clone(), boundary.encode()?)));
    let messages = encoded.collect::<Result<Vec<_>, serde_json::Error>>();
    let mut messages = messages.map_err(|error| BucketError::Unencodable(error.to_string()))?;
    let mut backoff = Backoff::new();
    loop {
        let results = publisher.put(&messages).await;
        let (before, mut failure) = (messages.len(), None);
        let mut results = results.into_iter();
        messages.retain(|_| match results.next() {
            Some(Ok(())) => false,
            Some(Err(error)) => note(&mut failure, error),
            None => note(&mut failure, CallError::incomplete_answer("PutRecords", "fewer results than records")),
        });
        ledger.count(Report { published: (before - messages.len()) as u64, ..Report::default() });
        match failure {
            None => break,
            Some(error) if error.is_transient() => {
                ledger.failures.retried(&error);
                if messages.len() < before {
                    backoff.reset();
                }
                backoff.pause().await;
            }
            Some(error) => return Err(BucketError::Call(error)),
        }
    }
    memory.note_published(origin.clone(), commit);
    Ok(())
}

/// Keeps the failure that decides: a permanent one, or else the first. The message stays.
fn note(failure: &mut Option<CallError>, error: CallError) -> bool {
    if failure.as_ref().is_none_or(|first| first.is_transient() && !error.is_transient()) {
        *failure = Some(error);
    }
    true
}
