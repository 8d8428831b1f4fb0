//! Commit, then publish: the transactional outbox, in types.
//!
//! A commit writes a user's state and the boundaries it owes in one conditional write. What is published comes out of a
//! committed state and from nowhere else. Each step of that order hands over a value that only this module can make and
//! that the next step asks for:
//!
//! | step | takes | gives |
//! |---|---|---|
//! | [`StateStore::read`], strongly consistent | | [`CommittedState`] |
//! | [`StateStore::commit`] | [`ProposedCommit`] | [`Committed`], only if the write took effect |
//! | [`Committed::permit`], [`CommittedState::permit`] | | [`PublishPermit`] for outboxes of that state |
//! | [`publish`] | [`PublishPermit`] | the same permit, less what the stream has taken |
//! | [`PublishPermit::into_receipt`] | a permit with nothing left to publish | [`PublishReceipt`] |
//! | [`Published::record`], marking records as done | [`PublishReceipt`] | |
//!
//! So these mistakes do not compile outside this module: publishing what was proposed but not committed; publishing
//! boundaries of a lost race, or any that no outbox holds; marking records as done, or an outbox as published, before
//! the stream has taken all of it; using a permit or a receipt twice.
//!
//! A committed state's outboxes can be published:
//! ```
//! use sessionizer_fn::outbox::{CommittedState, Publisher, publish};
//! use sessionizer_fn::state::OutboxId;
//!
//! async fn republish(publisher: &impl Publisher, stored: &CommittedState, outboxes: Vec<OutboxId>) {
//!     if let Ok(mut permit) = stored.permit(outboxes) {
//!         publish(publisher, &mut [&mut permit]).await;
//!     }
//! }
//! ```
//! A state that was only proposed has none to give:
//! ```compile_fail
//! use sessionizer_fn::outbox::{ProposedCommit, Publisher, publish};
//! use sessionizer_fn::state::OutboxId;
//!
//! async fn republish(publisher: &impl Publisher, proposed: &ProposedCommit, outboxes: Vec<OutboxId>) {
//!     if let Ok(mut permit) = proposed.permit(outboxes) {
//!         publish(publisher, &mut [&mut permit]).await;
//!     }
//! }
//! ```
//!
//! What this module does not do: decide what to commit or when to try again.

mod committed;
mod permit;
mod session_stream;
mod state_store;
mod state_table;

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
pub(crate) mod memory;

pub use committed::{Committed, CommittedState};
pub use permit::{Message, Pass, PublishPermit, PublishReceipt, Published, Publisher, publish};
pub use session_stream::SessionStream;
pub use state_store::{CommitResult, ProposedCommit, StateStore, StoredState};
pub use state_table::StateTable;
