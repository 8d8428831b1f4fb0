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
//! The right order compiles:
//! ```
//! use sessionizer_fn::outbox::{CommittedState, Published, Publisher, publish};
//! use sessionizer_fn::state::OutboxId;
//!
//! async fn run(stored: &CommittedState, outboxes: Vec<OutboxId>, publisher: &impl Publisher, published: &mut Published) {
//!     let Ok(mut permit) = stored.permit(outboxes) else { return };
//!     publish(publisher, &mut [&mut permit]).await;
//!     if let Ok(receipt) = permit.into_receipt() {
//!         published.record(receipt);
//!     }
//! }
//! ```
//! A state that was only proposed gives no permit:
//! ```compile_fail
//! use sessionizer_fn::outbox::{ProposedCommit, PublishPermit};
//! use sessionizer_fn::state::OutboxId;
//!
//! fn permit(proposed: &ProposedCommit, outboxes: Vec<OutboxId>) -> Option<PublishPermit> {
//!     proposed.permit(outboxes).ok()
//! }
//! ```
//! And a permit is no receipt:
//! ```compile_fail
//! use sessionizer_fn::outbox::{Published, PublishPermit};
//!
//! fn record(permit: PublishPermit, published: &mut Published) {
//!     published.record(permit);
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
