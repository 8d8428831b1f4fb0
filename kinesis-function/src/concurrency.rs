//! Runs several calls concurrently, within bounds.

use std::future::Future;

use futures_util::stream::{self, StreamExt};

/// Runs `calls`, at most `at_once` of them concurrently, and returns their results in the order of the calls. A slow
/// call does not delay the others.
///
/// Dropping the future drops the calls in flight and starts no others.
pub async fn run_concurrently<T>(calls: Vec<impl Future<Output = Vec<T>>>, at_once: usize) -> Vec<T> {
    let calls = calls.into_iter().enumerate().map(|(place, call)| async move { (place, call.await) });
    let mut results: Vec<_> = stream::iter(calls).buffer_unordered(at_once).collect().await;
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().flat_map(|(_, parts)| parts).collect()
}
