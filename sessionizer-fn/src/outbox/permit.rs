//! Permission to publish, and the receipt for a completed publication.

use std::collections::HashSet;

use kinesis_function::call_error::CallError;
use shared::boundary::Boundary;
use shared::user_id::UserId;

use crate::state::{OutboxEntry, OutboxId, UserState};

/// Puts boundaries into session-stream.
pub trait Publisher: Sync {
    /// Tries once to put each of `messages`, and returns in order whether the stream accepted it.
    ///
    /// A failed message may have been accepted nevertheless. Messages may arrive in any order and more than once: each
    /// carries a version, and the highest version of a session wins.
    fn put(&self, messages: &[&Message]) -> impl Future<Output = Vec<Result<(), CallError>>> + Send;
}

/// A boundary of a committed state, encoded.
#[derive(Debug)]
pub struct Message {
    user_id: UserId,
    data: Vec<u8>,
}

impl Message {
    fn of(user_id: &UserId, entry: &OutboxEntry) -> Result<Self, serde_json::Error> {
        let boundary = Boundary::of(user_id, entry.session.clone(), entry.version);
        Ok(Self { user_id: user_id.clone(), data: boundary.encode()? })
    }

    /// The user's partition key: a user's boundaries share a shard.
    #[must_use]
    pub fn partition_key(&self) -> &str {
        self.user_id.partition_key()
    }

    /// The boundary's JSON.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

/// Permission to publish the contents of some outboxes of one committed state.
///
/// Only a committed state can create one, and it cannot be copied.
#[derive(Debug)]
#[must_use = "a committed outbox must be published"]
pub struct PublishPermit {
    unpublished: Vec<Message>,
    outboxes: Vec<OutboxId>,
    settles: usize,
}

/// The outcome of one pass over a permit.
#[derive(Debug)]
pub struct Pass {
    /// The number of messages that the stream accepted.
    pub published: u64,
    /// Why messages are left, if any: a permanent failure takes precedence over a transient one.
    pub failure: Option<CallError>,
}

/// Proof that the stream accepted every message of a permit.
#[derive(Debug)]
#[must_use = "records are done once their receipt is recorded"]
pub struct PublishReceipt {
    outboxes: Vec<OutboxId>,
    settles: usize,
}

/// The outboxes of one user that this invocation has published.
#[derive(Debug, Default)]
pub struct Published(HashSet<OutboxId>);

/// Tries once to publish each message of `permits`. Returns the outcomes in order.
pub async fn publish(publisher: &impl Publisher, permits: &mut [&mut PublishPermit]) -> Vec<Pass> {
    let messages: Vec<&Message> = permits.iter().flat_map(|permit| &permit.unpublished).collect();
    let mut results = publisher.put(&messages).await.into_iter();
    permits.iter_mut().map(|permit| permit.note(&mut results)).collect()
}

impl PublishPermit {
    pub(super) fn new(
        user_id: &UserId,
        state: &UserState,
        outboxes: Vec<OutboxId>,
        settles: usize,
    ) -> Result<Self, serde_json::Error> {
        let entries = outboxes.iter().flat_map(|outbox| state.outbox(outbox));
        let unpublished = entries.map(|entry| Message::of(user_id, entry)).collect::<Result<_, _>>()?;
        Ok(Self { unpublished, outboxes, settles })
    }

    /// Applies one result per message; a message without a result counts as not accepted.
    fn note(&mut self, results: &mut impl Iterator<Item = Result<(), CallError>>) -> Pass {
        let (before, mut failure) = (self.unpublished.len(), None::<CallError>);
        self.unpublished.retain(|_| match results.next() {
            Some(Ok(())) => false,
            Some(Err(error)) => {
                if failure.as_ref().is_none_or(|first| first.is_transient() && !error.is_transient()) {
                    failure = Some(error);
                }
                true
            }
            None => {
                failure.get_or_insert_with(|| CallError::incomplete_answer("put", "fewer results than messages"));
                true
            }
        });
        Pass { published: (before - self.unpublished.len()) as u64, failure }
    }

    /// The receipt, once the stream has accepted every message.
    ///
    /// # Errors
    /// The permit itself, while messages are left.
    pub fn into_receipt(self) -> Result<PublishReceipt, Self> {
        if self.unpublished.is_empty() {
            Ok(PublishReceipt { outboxes: self.outboxes, settles: self.settles })
        } else {
            Err(self)
        }
    }
}

impl Published {
    /// Records a receipt; returns how many of the user's unsettled clicks it settles, starting with the first.
    pub fn record(&mut self, receipt: PublishReceipt) -> usize {
        self.0.extend(receipt.outboxes);
        receipt.settles
    }

    /// Whether this invocation has published `outbox`.
    #[must_use]
    pub fn contains(&self, outbox: &OutboxId) -> bool {
        self.0.contains(outbox)
    }
}

#[cfg(test)]
impl Published {
    /// Pretends that a receipt for `outboxes` was recorded.
    pub(crate) fn assumed(outboxes: Vec<OutboxId>) -> Self {
        Self(outboxes.into_iter().collect())
    }
}

#[cfg(test)]
impl Message {
    pub(super) fn assumed(user_id: UserId, data: Vec<u8>) -> Self {
        Self { user_id, data }
    }
}
