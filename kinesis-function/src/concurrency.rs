//! Several calls under way at once, within bounds.

use std::future::Future;

use futures_util::stream::{self, StreamExt};

/// Makes `calls`, at most `at_once` of them at the same time, and gives what they give, in their order. A slow one holds
/// up no other.
///
/// Dropped before it is done, it drops what is under way and makes no further call.
pub async fn in_order<T>(calls: Vec<impl Future<Output = Vec<T>>>, at_once: usize) -> Vec<T> {
    let calls = calls.into_iter().enumerate().map(|(place, call)| async move { (place, call.await) });
    let mut given: Vec<_> = stream::iter(calls).buffer_unordered(at_once).collect().await;
    given.sort_unstable_by_key(|(place, _)| *place);
    given.into_iter().flat_map(|(_, parts)| parts).collect()
}
