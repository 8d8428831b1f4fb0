//! Rounds of read, decide, commit, publish, until every user of a batch is done.
//!
//! In each round, a group of users takes one step. A group is large enough to fill requests, and small enough that some
//! users finish early when calls are slow. A user whose call failed waits until the others have had their turn.
//! Progress goes to the ledger immediately, so an invocation that runs out of time can report it.

use std::collections::VecDeque;

use futures_util::future::join_all;
use kinesis_function::backoff::Backoff;

use crate::batch::UserClicks;
use crate::ledger::Ledger;
use crate::outbox::{Publisher, StateStore, publish};
use crate::step::Rule;
use crate::user_work::UserWork;

/// Most users in a round. One boundary each fills a PutRecords request.
const USERS_PER_ROUND: usize = kinesis_function::limits::MAX_RECORDS_PER_PUT;

/// Concurrent rounds: one reads and decides while the other commits or publishes. With calls of 10 ms, two finish a
/// full batch in 0.6 of the time of one; a third gains little and needs more connections (docs/performance.md).
const CONCURRENT_ROUNDS: usize = 2;

/// Takes users through rounds, using a store and a publisher.
#[derive(Clone, Debug)]
pub struct Rounds<S, P> {
    /// The store of users' states.
    pub store: S,
    /// The destination of boundaries.
    pub publisher: P,
    /// The settings of each step.
    pub rule: Rule,
}

/// Distributes `users` over the concurrent rounds, a full round of users at a time.
fn shares(users: Vec<UserClicks>) -> Vec<Vec<UserClicks>> {
    let count = users.len().div_ceil(USERS_PER_ROUND).clamp(1, CONCURRENT_ROUNDS);
    let mut shares = vec![Vec::new(); count];
    for (place, user) in users.into_iter().enumerate() {
        shares[place / USERS_PER_ROUND % count].push(user);
    }
    shares
}

impl<S: StateStore, P: Publisher> Rounds<S, P> {
    /// Processes `users` until each is done or given up; `now_ms` is the time in Unix milliseconds.
    ///
    /// Transient failures are retried without limit: the caller bounds the time by dropping the future.
    pub async fn run(&self, users: Vec<UserClicks>, now_ms: u64, ledger: &Ledger<'_>) {
        join_all(shares(users).into_iter().map(|users| self.run_share(users, now_ms, ledger))).await;
    }

    async fn run_share(&self, users: Vec<UserClicks>, now_ms: u64, ledger: &Ledger<'_>) {
        let mut waiting: VecDeque<_> = users.into_iter().map(UserWork::new).collect();
        let mut held_up = Vec::new();
        let mut backoff = Backoff::new();
        while !waiting.is_empty() || !held_up.is_empty() {
            if waiting.is_empty() {
                backoff.pause().await;
                waiting.extend(held_up.drain(..));
            }
            let mut group: Vec<_> = waiting.drain(..waiting.len().min(USERS_PER_ROUND)).collect();
            self.round(&mut group, now_ms, ledger).await;
            if !group.iter().any(UserWork::is_held_up) {
                backoff.reset();
            }
            group.retain(|user| !user.is_finished());
            // A user with more steps continues in the next round. Users whose call failed delay no one.
            for mut user in group.into_iter().rev() {
                if user.release() {
                    held_up.push(user);
                } else {
                    waiting.push_front(user);
                }
            }
        }
    }

    /// Takes every user one step further.
    async fn round(&self, users: &mut [UserWork], now_ms: u64, ledger: &Ledger<'_>) {
        self.read(users, ledger).await;
        for user in &mut *users {
            user.decide(self.rule, now_ms, ledger);
        }
        self.commit(users, ledger).await;
        self.publish(users, ledger).await;
        for user in users {
            user.settle(ledger);
        }
    }

    async fn read(&self, users: &mut [UserWork], ledger: &Ledger<'_>) {
        let unread: Vec<_> = users.iter_mut().filter(|user| user.is_unread()).collect();
        let ids: Vec<_> = unread.iter().map(|user| &user.user_id).collect();
        let states = self.store.read(&ids).await;
        debug_assert_eq!(states.len(), unread.len(), "the store gives one state for each user");
        for (user, state) in unread.into_iter().zip(states) {
            user.read(state, ledger);
        }
    }

    async fn commit(&self, users: &mut [UserWork], ledger: &Ledger<'_>) {
        let (mut committing, mut commits) = (Vec::new(), Vec::new());
        for user in users {
            if let Some(commit) = user.take_commit() {
                commits.push((user.user_id.clone(), commit));
                committing.push(user);
            }
        }
        let results = self.store.commit(commits).await;
        debug_assert_eq!(results.len(), committing.len(), "the store gives one result for each commit");
        for (user, result) in committing.into_iter().zip(results) {
            user.committed(result, ledger);
        }
    }

    async fn publish(&self, users: &mut [UserWork], ledger: &Ledger<'_>) {
        let mut permits: Vec<_> = users.iter_mut().filter_map(UserWork::permit).collect();
        let passes = publish(&self.publisher, &mut permits).await;
        let publishing = users.iter_mut().filter(|user| user.is_publishing());
        for (user, pass) in publishing.zip(passes) {
            user.published(pass, ledger);
        }
    }
}

#[cfg(test)]
mod tests {
    use shared::user_id::UserId;

    use super::*;

    fn sizes(users: usize) -> Vec<usize> {
        let clicks = |user: usize| UserClicks { user_id: UserId::new(user.to_string()).unwrap(), clicks: Vec::new() };
        shares((0..users).map(clicks).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn users_are_distributed_in_whole_rounds_so_that_requests_are_full() {
        assert_eq!(sizes(0), [0]);
        assert_eq!(sizes(500), [500]);
        assert_eq!(sizes(501), [500, 1]);
        assert_eq!(sizes(1_700), [1_000, 700]);
    }
}
