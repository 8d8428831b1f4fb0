//! Checks the contract of [`StateStore`] for every implementation: in memory, on the embedded DynamoDB, and through
//! clients that throttle calls, lose replies and leave out items.
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use fastrand::Rng;
use futures_util::future::join_all;
use kinesis_function::call_error::CallError;
use local_aws::faults::{Call, Fault, FaultyHttpClient};
use local_aws::{LocalAws, LocalAwsOptions, Template};
use shared::click::Click;
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::SessionGap;
use shared::user_id::UserId;

use crate::batch::{BatchClick, CursorKey};
use crate::config::FirstSession;
use crate::outbox::memory::Memory;
use crate::outbox::{CommitResult, ProposedCommit, Published, StateStore, StateTable, StoredState};
use crate::state::UserState;
use crate::step::{NextStep, Rule, next_step};

const RULE: Rule = Rule { gap: SessionGap::from_ms(10_000), first_session: FirstSession::Emit };

/// Far more attempts than the faults below ever require in a row.
const MAX_ATTEMPTS: usize = 64;

/// More keys, and more statements, than fit into one DynamoDB request.
const MANY: usize = 120;

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// The commit of a click over `stored`; a different `number` makes a different commit.
fn commit_over(stored: Option<&UserState>, number: u64) -> ProposedCommit {
    let click = BatchClick {
        index: 0,
        cursor_key: CursorKey::new("stream/shard"),
        sequence_number: SequenceNumber::parse(number.to_string()).unwrap(),
        click: Click {
            user_id: user("anyone"),
            time: EventTime::from_ms(200_000 + 20_000 * number).unwrap(),
            attributes: Default::default(),
        },
    };
    match next_step(stored, &[click], &Published::default(), RULE, 1_000 + number) {
        NextStep::Commit(commit) => *commit,
        other => panic!("expected a commit, got {other:?}"),
    }
}

async fn try_commit(store: &impl StateStore, user_id: &UserId, commit: &ProposedCommit) -> CommitResult {
    let mut results = store.commit(vec![(user_id.clone(), Box::new(commit.clone()))]).await;
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// The state returned by the first successful read.
async fn read(store: &impl StateStore, user_id: &UserId) -> Option<UserState> {
    for _ in 0..MAX_ATTEMPTS {
        if let Ok(stored) = store.read(&[user_id]).await.remove(0) {
            return state_of(stored);
        }
    }
    panic!("no read succeeds")
}

fn state_of(stored: StoredState) -> Option<UserState> {
    match stored {
        StoredState::Absent => None,
        StoredState::Present(stored) => Some(stored.state().clone()),
        StoredState::Unreadable(error) => panic!("{error}"),
    }
}

/// Retries until the outcome is known; returns whether the commit took effect.
async fn took_effect(store: &impl StateStore, user_id: &UserId, commit: &ProposedCommit) -> bool {
    took_effect_after(false, store, user_id, commit).await
}

/// The same; `is_unknown` if an earlier attempt may have taken effect.
async fn took_effect_after(
    mut is_unknown: bool,
    store: &impl StateStore,
    user_id: &UserId,
    commit: &ProposedCommit,
) -> bool {
    let before = read(store, user_id).await;
    for _ in 0..MAX_ATTEMPTS {
        match try_commit(store, user_id, commit).await {
            CommitResult::Committed(committed) => {
                assert_eq!(committed.into_parts().1.state(), &commit.state);
                return true;
            }
            CommitResult::LostRace(shown) => {
                let stored = read(store, user_id).await;
                let shown = shown.map(state_of);
                assert!(shown.is_none_or(|shown| shown == stored), "a lost race returned another state than a read");
                let is_own = stored.as_ref() == Some(&commit.state);
                assert!(is_unknown || !is_own, "a commit took effect although its condition failed");
                return is_own;
            }
            CommitResult::Failed(returned, _) => {
                assert_eq!(returned.state, commit.state, "a failed commit is returned");
                let stored = read(store, user_id).await;
                assert!(stored == before || stored.as_ref() == Some(&commit.state), "part of a commit took effect");
                is_unknown = true;
            }
        }
    }
    panic!("no commit is answered")
}

async fn read_sees_the_commit_answered_before_it(store: &impl StateStore) {
    let user_id = user("reader");
    assert_eq!(read(store, &user_id).await, None);
    let mut stored = None;
    for number in 1..=8 {
        let commit = commit_over(stored.as_ref(), number);
        assert!(took_effect(store, &user_id, &commit).await, "commit {number}");
        stored = read(store, &user_id).await;
        assert_eq!(stored.as_ref(), Some(&commit.state), "commit {number}");
    }
}

async fn commit_takes_effect_under_the_expected_version_only(store: &impl StateStore) {
    let (user_id, absent) = (user("conditional"), user("absent"));
    let first = commit_over(None, 1);
    let second = commit_over(Some(&first.state), 2);
    assert!(!took_effect(store, &absent, &second).await, "where a state is expected and there is none");
    assert_eq!(read(store, &absent).await, None);

    assert!(took_effect(store, &user_id, &first).await);
    assert!(!took_effect(store, &user_id, &commit_over(None, 3)).await, "where none is expected and there is one");
    assert!(took_effect(store, &user_id, &second).await);
    let late = commit_over(Some(&first.state), 4);
    assert!(!took_effect(store, &user_id, &late).await, "where another version is expected");
    assert_eq!(read(store, &user_id).await, Some(second.state));
}

async fn one_commit_of_those_that_expect_the_same_version_takes_effect(store: &impl StateStore) {
    let user_id = user("contended");
    let mut stored: Option<UserState> = None;
    for round in 0..4 {
        let commits: Vec<_> = (1..=6).map(|number| commit_over(stored.as_ref(), 10 * round + number)).collect();
        let attempts = commits.iter().map(async |commit| {
            let mut results = Vec::new();
            while results.len() < MAX_ATTEMPTS && !matches!(results.last(), Some(Some(_))) {
                results.push(match try_commit(store, &user_id, commit).await {
                    CommitResult::Committed(_) => Some(true),
                    CommitResult::LostRace(_) => Some(false),
                    CommitResult::Failed(..) => None,
                });
            }
            results
        });
        let attempts = join_all(attempts).await;
        stored = read(store, &user_id).await;
        for (commit, results) in commits.iter().zip(attempts) {
            let is_stored = stored.as_ref() == Some(&commit.state);
            let answer = results.last().copied().flatten();
            let had_failed = results.len() > 1;
            assert!(answer == Some(is_stored) || (had_failed && is_stored && answer == Some(false)), "{results:?}");
        }
        assert!(commits.iter().any(|commit| stored.as_ref() == Some(&commit.state)), "none took effect");
    }
}

/// Polls `future` `polls` times, then drops it.
async fn dropped_after<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(|context| {
        if polled == polls {
            return Poll::Ready(None);
        }
        polled += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

async fn dropped_commit_takes_effect_as_a_whole_or_not_at_all(store: &impl StateStore) {
    let user_id = user("dropped");
    let mut stored: Option<UserState> = None;
    for number in 1..=8 {
        let commit = commit_over(stored.as_ref(), number);
        let call = store.commit(vec![(user_id.clone(), Box::new(commit.clone()))]);
        let results = dropped_after(number as usize - 1, call).await;
        let is_answered = results.is_some_and(|results| matches!(results[..], [CommitResult::Committed(_)]));
        let took_effect = is_answered || took_effect_after(true, store, &user_id, &commit).await;
        assert!(took_effect, "commit {number}");
        stored = read(store, &user_id).await;
        assert_eq!(stored.as_ref(), Some(&commit.state), "commit {number}");
    }
}

async fn results_are_in_order_and_users_do_not_affect_each_other(store: &impl StateStore) {
    let users: Vec<_> = (0..MANY).map(|number| user(&format!("many{number}"))).collect();
    let taken = commit_over(None, 1_000);
    for user_id in users.iter().step_by(3) {
        assert!(took_effect(store, user_id, &taken).await);
    }

    let commits: Vec<_> = (0..).map(|number| commit_over(None, number)).take(MANY).collect();
    let batch = users.iter().cloned().zip(commits.iter().cloned().map(Box::new)).collect();
    let results = store.commit(batch).await;
    assert_eq!(results.len(), MANY);
    for (number, result) in results.into_iter().enumerate() {
        let is_taken = number % 3 == 0;
        match result {
            CommitResult::Committed(committed) => {
                assert_eq!((is_taken, committed.into_parts().1.state()), (false, &commits[number].state));
            }
            CommitResult::LostRace(shown) => {
                assert!(is_taken, "user {number}");
                assert!(shown.is_none_or(|shown| state_of(shown).as_ref() == Some(&taken.state)), "user {number}");
            }
            CommitResult::Failed(commit, _) => {
                assert_eq!(commit.state, commits[number].state);
                assert_eq!(took_effect_after(true, store, &users[number], &commit).await, !is_taken, "user {number}");
            }
        }
    }

    let all: Vec<_> = users.iter().collect();
    let states: Vec<Result<StoredState, CallError>> = store.read(&all).await;
    assert_eq!(states.len(), MANY);
    for (number, state) in states.into_iter().enumerate() {
        let expected = if number % 3 == 0 { &taken.state } else { &commits[number].state };
        assert!(
            state.is_err() || state.is_ok_and(|stored| state_of(stored).as_ref() == Some(expected)),
            "user {number}"
        );
        assert_eq!(read(store, &users[number]).await.as_ref(), Some(expected), "user {number}");
    }
}

/// Checks the whole contract, with separate users for each part.
async fn keeps_the_contract(store: &impl StateStore) {
    read_sees_the_commit_answered_before_it(store).await;
    commit_takes_effect_under_the_expected_version_only(store).await;
    one_commit_of_those_that_expect_the_same_version_takes_effect(store).await;
    dropped_commit_takes_effect_as_a_whole_or_not_at_all(store).await;
    results_are_in_order_and_users_do_not_affect_each_other(store).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps_the_contract(&&Memory::default().client()).await;
}

#[tokio::test]
async fn memory_keeps_the_contract_under_faults() {
    for seed in 0..100 {
        let memory = Memory::default();
        keeps_the_contract(&&memory.faulty_client(Rng::with_seed(seed))).await;
    }
}

async fn local_aws() -> LocalAws {
    let local_aws = LocalAws::start(LocalAwsOptions::default()).await.unwrap();
    local_aws.create_resources(&Template::of_this_project().unwrap(), Some(1)).await.unwrap();
    local_aws
}

#[tokio::test]
async fn dynamodb_keeps_the_contract() {
    let local_aws = local_aws().await;
    keeps_the_contract(&StateTable::new(local_aws.dynamodb(), "session-state")).await;
}

#[tokio::test]
async fn dynamodb_keeps_the_contract_under_faults() {
    let local_aws = local_aws().await;
    let config = local_aws.client_config();
    let plan = |call: &Call| {
        let odd_parts = || (0..call.parts).filter(|part| part % 2 == 1 || call.parts == 1).collect();
        match call.number % 7 {
            0 => Fault::ReplyLost,
            1 => Fault::PartsThrottled(odd_parts()),
            2 => Fault::Throttled,
            3 => Fault::NotSent,
            4 if call.operation == "BatchExecuteStatement" => Fault::ItemsLeftOut,
            _ => Fault::None,
        }
    };
    let http = FaultyHttpClient::new(config.http_client().unwrap(), plan);
    let client = aws_sdk_dynamodb::Client::new(&config.to_builder().http_client(http.clone()).build());
    keeps_the_contract(&StateTable::new(client, "session-state")).await;
    assert!(http.calls_of("BatchExecuteStatement") > 50 && http.calls_of("BatchGetItem") > 50);
}
