//! The interface of the store of users at rest.

use kinesis_function::call_error::CallError;
use shared::user_id::UserId;

use crate::state_log_entry::UserEntry;
use crate::store::log_store::StoreError;

/// A user to be written to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestingUser {
    /// The user.
    pub user_id: UserId,
    /// The user's state. `has_item` says which write is likely to be the right one.
    pub entry: UserEntry,
    /// The number of the commit whose tail leaves the user behind.
    pub commit: u64,
}

/// Users without a session under way: one item each.
///
/// * **A read is strongly consistent.**
/// * **A write is conditional:** it takes effect if there is no item, or one with the same commit number or an earlier
///   one.
/// * **Users are independent.** There is one result per user, in the order of the request.
pub trait RestStore: Sync {
    /// Reads these users, which must be distinct. `has_item` of what it finds is set.
    fn read(&self, users: &[UserId]) -> impl Future<Output = Vec<Result<Option<UserEntry>, StoreError>>> + Send;

    /// Tries once to write each of these users, which must be distinct.
    fn write(&self, users: &[RestingUser]) -> impl Future<Output = Vec<RestResult>> + Send;
}

/// The outcome of writing one user.
#[derive(Debug)]
pub enum RestResult {
    /// It is stored.
    Written,
    /// The stored item is of a later commit.
    LaterCommit,
    /// The stored item cannot be understood, so it is not overwritten.
    Unreadable(StoreError),
    /// The call failed, and the item may have been written.
    Failed(CallError),
}
