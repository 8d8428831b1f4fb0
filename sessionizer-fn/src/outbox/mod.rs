//! Commit, then publish: a transactional outbox whose order is enforced by types.
//!
//! A commit stores a user's state together with the boundaries to publish, in one conditional write. Only boundaries of
//! a committed state can be published. Each step returns a value that only this module can create and that the next
//! step requires:
//!
//! | step | takes | returns |
//! |---|---|---|
//! | [`StateStore::read`], strongly consistent | | [`CommittedState`] |
//! | [`StateStore::commit`] | [`ProposedCommit`] | [`Committed`], only if the write took effect |
//! | [`Committed::permit`], [`CommittedState::permit`] | | [`PublishPermit`] for outboxes of that state |
//! | [`publish`] | [`PublishPermit`] | the same permit, without the accepted messages |
//! | [`PublishPermit::into_receipt`] | a permit with nothing left to publish | [`PublishReceipt`] |
//! | [`Published::record`], marking records as done | [`PublishReceipt`] | |
//!
//! These mistakes therefore do not compile outside this module: publishing a proposal that was not committed;
//! publishing boundaries of a lost race, or any that are not in an outbox; marking records as done, or an outbox as
//! published, before the stream has accepted all of it; using a permit or a receipt twice.
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
//! A proposed state has no permit:
//! ```compile_fail
//! use sessionizer_fn::outbox::{ProposedCommit, PublishPermit};
//! use sessionizer_fn::state::OutboxId;
//!
//! fn permit(proposed: &ProposedCommit, outboxes: Vec<OutboxId>) -> Option<PublishPermit> {
//!     proposed.permit(outboxes).ok()
//! }
//! ```
//! A permit is not a receipt:
//! ```compile_fail
//! use sessionizer_fn::outbox::{Published, PublishPermit};
//!
//! fn record(permit: PublishPermit, published: &mut Published) {
//!     published.record(permit);
//! }
//! ```
//!
//! This module does not decide what to commit or when to retry.

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
