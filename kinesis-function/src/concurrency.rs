//! Several calls under way at once, within bounds.

use std::future::Future;

use futures_util::stream::{self, StreamExt};

/// Makes `calls`, at most `at_once` of them at the same time, and returns their results in the order of the calls. A slow
/// call does not delay the others.
///
/// If dropped early, it drops the calls under way and makes no further ones.
pub async fn run_concurrently<T>(calls: Vec<impl Future<Output = Vec<T>>>, at_once: usize) -> Vec<T> {
    let calls = calls.into_iter().enumerate().map(|(place, call)| async move { (place, call.await) });
    let mut results: Vec<_> = stream::iter(calls).buffer_unordered(at_once).collect().await;
    results.sort_unstable_by_key(|(place, _)| *place);
    results.into_iter().flat_map(|(_, parts)| parts).collect()
}
