//! Several calls under way at once, within bounds.

use std::future::Future;

use futures_util::stream::{self, StreamExt};

/// Makes `calls`, at most `at_once` of them at the same time, and gives what they give, in their order.
///
/// Dropped before it is done, it drops what is under way and makes no further call.
pub async fn in_order<T>(calls: Vec<impl Future<Output = Vec<T>>>, at_once: usize) -> Vec<T> {
    stream::iter(calls).buffered(at_once).collect::<Vec<_>>().await.into_iter().flatten().collect()
}
