//! Tests of [`super`]: environments that share tables in memory, and die, fall behind or find other tables.

use std::sync::Mutex;
use std::time::Duration;

use fastrand::Rng;
use kinesis_function::failures::Failures;
use kinesis_function::time_budget::TimeBudget;
use shared::boundary::Boundary;
use shared::click::Click;
use shared::columns::declaration::SessionColumns;
use shared::columns::values::ColumnValues;
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::SessionWindow;
use shared::user_id::UserId;

use super::*;
use crate::batch::BatchClick;
use crate::state_log_entry::{Position, ShardKey, UserEntry};
use crate::store::memory::{FaultRates, Memory, MemoryClient};
use crate::store::rest_store::RestingUser;

const BEGIN_MS: u64 = 1_721_390_000_000;

type MemoryEnvironment<'m> = Environment<MemoryClient<'m>, MemoryClient<'m>, MemoryClient<'m>>;

fn options() -> Options {
    Options {
        window: WindowRule { gap: SessionGap::from_ms(10_000), lateness_ms: 3_600_000, cut: SessionCut::None },
        boundaries: Boundaries::All,
        first_session: FirstSession::Emit,
        grace_ms: 5_000,
        stream_retention_ms: 86_400_000,
        buckets: 1,
        slots: 8,
        bounds: Bounds::new(8, 1, 64 << 20),
        memory_bytes: 64 << 20,
    }
}

fn environment(memory: &Memory) -> MemoryEnvironment<'_> {
    Environment::new(options(), SessionColumns::default(), memory.client(), memory.client(), memory.client())
}

/// An environment that may do anything but publish.
fn mute(memory: &Memory) -> MemoryEnvironment<'_> {
    let denied = FaultRates { not_sent: 0, reply_lost: 0, denied: 255, part_throttled: 0, too_large: 0 };
    let publisher = memory.faulty_client(Rng::with_seed(1), denied);
    Environment::new(options(), SessionColumns::default(), memory.client(), memory.client(), publisher)
}

/// A click of `user` as record `number`, `second` seconds after the beginning, that arrives at once.
fn click(number: u64, user: &str, second: u64) -> BatchClick {
    let ms = BEGIN_MS + second * 1_000;
    BatchClick {
        index: 0,
        position: Position { sequence_number: SequenceNumber::parse(number.to_string()).unwrap(), place: 0 },
        arrival_ms: ms,
        click: Click {
            user_id: UserId::new(user).unwrap(),
            time: EventTime::from_ms(ms).unwrap(),
            attributes: Default::default(),
            columns: ColumnValues::default(),
        },
    }
}

/// The outcome of an invocation.
#[derive(Debug)]
struct Outcome {
    report: Report,
    /// Which records are done.
    done: Vec<bool>,
    /// What failed permanently.
    failed: Option<String>,
}

async fn invoke<'m>(environment: &MemoryEnvironment<'m>, now_ms: u64, batch: Option<&[BatchClick]>) -> Outcome {
    let (failures, report) = (Failures::default(), Mutex::default());
    let ledger =
        Ledger { failures: &failures, report: &report, time: TimeBudget::lasting(now_ms, Duration::from_secs(60)) };
    let records = batch.map_or(0, <[BatchClick]>::len);
    let done = DoneRecords::none_of(records);
    match batch {
        None => environment.sweep(&ledger).await,
        Some(clicks) => {
            let clicks = clicks.iter().enumerate().map(|(index, click)| BatchClick { index, ..click.clone() });
            let clicks = BucketClicks::from([(ShardKey::new("s"), clicks.collect())]);
            environment.batch(&[(0, clicks)], &done, &ledger).await;
        }
    }
    let done = (0..records).map(|index| done.is_done(index)).collect();
    Outcome { report: report.into_inner().unwrap(), done, failed: failures.given_up_kinds() }
}

/// A batch that is read as soon as its last record arrives.
async fn batch(environment: &MemoryEnvironment<'_>, clicks: &[BatchClick]) -> Outcome {
    invoke(environment, clicks.last().unwrap().arrival_ms, Some(clicks)).await
}

/// A sweep `second` seconds after the beginning.
async fn sweep(environment: &MemoryEnvironment<'_>, second: u64) -> Outcome {
    invoke(environment, BEGIN_MS + second * 1_000, None).await
}

/// Takes what was published: session ids and statuses, sorted.
fn published(memory: &Memory) -> Vec<(String, &'static str)> {
    let stream = std::mem::take(&mut memory.contents().stream);
    let boundaries = stream.iter().map(|message| Boundary::decode(message).unwrap());
    let mut told: Vec<_> = boundaries.map(|it| (it.session_id(), it.status.unwrap().word())).collect();
    told.sort();
    told
}

fn told(sessions: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
    sessions.iter().map(|(id, status)| ((*id).to_owned(), *status)).collect()
}

fn commits(memory: &Memory) -> usize {
    memory.contents().commits.get(&0).map_or(0, Vec::len)
}

#[tokio::test]
async fn record_is_not_done_before_its_boundaries_are_published_even_if_it_was_applied_before() {
    let memory = Memory::default();
    let clicks = [click(1, "a", 0)];
    let outcome = batch(&mute(&memory), &clicks).await;
    assert_eq!((outcome.done, commits(&memory)), (vec![false], 1));
    let redelivered = batch(&mute(&memory), &clicks).await;
    assert_eq!((redelivered.done, redelivered.report.already_applied), (vec![false], 1));
    assert!(redelivered.failed.is_some());

    let redelivered = batch(&environment(&memory), &clicks).await;
    assert_eq!((redelivered.done, commits(&memory)), (vec![true], 1));
    assert_eq!(published(&memory), told(&[("a_0", "open")]));
}

#[tokio::test]
async fn redelivery_publishes_what_an_earlier_invocation_left_before_its_next_commit_replaces_it() {
    let memory = Memory::default();
    batch(&mute(&memory), &[click(1, "a", 0)]).await;
    let outcome = batch(&environment(&memory), &[click(1, "a", 0), click(2, "b", 1)]).await;
    assert_eq!(outcome.done, [true, true]);
    assert_eq!(published(&memory), told(&[("a_0", "open"), ("b_0", "open")]));
}

#[tokio::test]
async fn outbox_that_no_redelivery_has_published_for_minutes_is_published_before_it_is_replaced() {
    let memory = Memory::default();
    batch(&mute(&memory), &[click(1, "a", 0)]).await;
    let outcome = batch(&environment(&memory), &[click(2, "b", 301)]).await;
    assert_eq!(outcome.done, [true]);
    assert_eq!(published(&memory), told(&[("a_0", "closed"), ("a_0", "open"), ("b_0", "open")]));
}

#[tokio::test]
async fn batch_without_a_new_record_commits_nothing_and_closes_nobody() {
    let memory = Memory::default();
    let warm = environment(&memory);
    let clicks = [click(1, "a", 0), click(2, "b", 30)];
    batch(&warm, &clicks[..1]).await;
    batch(&warm, &clicks).await;
    published(&memory);
    let before = commits(&memory);
    let redelivered = invoke(&environment(&memory), BEGIN_MS + 3_600_000, Some(&clicks)).await;
    assert_eq!((redelivered.done, commits(&memory)), (vec![true, true], before));
}

#[tokio::test]
async fn sweep_closes_who_was_inactive_for_the_gap_and_the_grace() {
    let memory = Memory::default();
    let warm = environment(&memory);
    batch(&warm, &[click(1, "a", 0), click(2, "b", 1)]).await;
    published(&memory);
    // No batch has committed for 15 s, so the clock is the current time; "b" was inactive for 14.999 s.
    assert_eq!(invoke(&warm, BEGIN_MS + 15_999, None).await.report.closed_by_inactivity, 0);
    let swept = sweep(&warm, 16).await;
    assert_eq!((swept.report.closed_by_inactivity, swept.failed), (2, None));
    assert_eq!(published(&memory), told(&[("a_0", "closed"), ("b_0", "closed")]));
    assert_eq!(sweep(&warm, 60).await.report.commits, 0, "a repeated sweep has nothing to do");
}

#[tokio::test]
async fn sweep_of_tables_that_nobody_has_used_makes_nothing() {
    let memory = Memory::default();
    assert!(sweep(&environment(&memory), 0).await.failed.is_none());
    assert!(memory.contents().settings.is_none());
}

#[tokio::test]
async fn sweep_publishes_what_an_earlier_sweep_left_even_if_nobody_is_inactive() {
    let memory = Memory::default();
    batch(&environment(&memory), &[click(1, "a", 0)]).await;
    published(&memory);
    assert!(sweep(&mute(&memory), 60).await.failed.is_some());
    assert_eq!(published(&memory), []);
    let before = commits(&memory);
    assert!(sweep(&environment(&memory), 61).await.failed.is_none());
    assert_eq!(published(&memory), told(&[("a_0", "closed")]));
    assert_eq!(commits(&memory), before);
}

#[tokio::test]
async fn batch_publishes_what_a_sweep_left_before_its_commit_empties_it() {
    let memory = Memory::default();
    batch(&environment(&memory), &[click(1, "a", 0)]).await;
    sweep(&mute(&memory), 60).await;
    published(&memory);
    let outcome = batch(&environment(&memory), &[click(2, "b", 61)]).await;
    assert_eq!(outcome.done, [true]);
    assert_eq!(published(&memory), told(&[("a_0", "closed"), ("b_0", "open")]));
    // Days later, nothing old is published again.
    sweep(&environment(&memory), 1_000_000).await;
    assert_eq!(published(&memory), told(&[("b_0", "closed")]));
}

#[tokio::test]
async fn batch_whose_sweep_boundaries_cannot_be_published_commits_nothing() {
    let memory = Memory::default();
    batch(&environment(&memory), &[click(1, "a", 0)]).await;
    sweep(&mute(&memory), 60).await;
    let before = commits(&memory);
    let outcome = batch(&mute(&memory), &[click(2, "b", 61)]).await;
    assert_eq!((outcome.done, commits(&memory)), (vec![false], before));
}

#[tokio::test]
async fn tables_that_were_emptied_while_an_environment_was_warm_are_not_written() {
    let memory = Memory::default();
    let warm = environment(&memory);
    batch(&warm, &[click(1, "a", 0)]).await;
    memory.contents().slots.clear();
    for second in [1, 2] {
        let outcome = batch(&warm, &[click(2, "a", second)]).await;
        assert_eq!((outcome.done, outcome.report.commits), (vec![false], 0));
        assert!(outcome.failed.unwrap().contains("lost"));
        assert!(memory.contents().slots.is_empty());
    }
    assert!(sweep(&warm, 100).await.failed.is_some());
}

#[tokio::test]
async fn tables_that_another_environment_has_begun_anew_are_not_written_by_an_old_one() {
    let memory = Memory::default();
    let warm = environment(&memory);
    batch(&warm, &[click(1, "a", 0)]).await;
    *memory.contents() = Default::default();
    assert_eq!(batch(&environment(&memory), &[click(1, "a", 1)]).await.done, [true]);
    let before = commits(&memory);
    let outcome = batch(&warm, &[click(2, "a", 2)]).await;
    assert_eq!((outcome.done, commits(&memory)), (vec![false], before));
}

#[tokio::test]
async fn other_settings_than_the_tables_are_an_error_that_names_both() {
    let memory = Memory::default();
    batch(&environment(&memory), &[click(1, "a", 0)]).await;
    let other = Options { buckets: 2, ..options() };
    let other = Environment::new(other, SessionColumns::default(), memory.client(), memory.client(), memory.client());
    let outcome = batch(&other, &[click(2, "a", 1)]).await;
    assert_eq!(outcome.done, [false]);
    assert!(outcome.failed.unwrap().contains("other_settings"));
}

#[tokio::test]
async fn environment_that_was_overtaken_by_more_than_a_turn_of_the_ring_reads_the_log_anew() {
    let memory = Memory::default();
    let (old, new) = (environment(&memory), environment(&memory));
    batch(&old, &[click(1, "a", 0)]).await;
    for number in 2..30 {
        batch(&new, &[click(number, "b", number)]).await;
    }
    published(&memory);
    let outcome = batch(&old, &[click(30, "a", 30)]).await;
    assert_eq!(outcome.done, [true]);
    assert_eq!(published(&memory), told(&[("a_1", "open")]), "what it knew of the user was not used");
}

#[tokio::test]
async fn item_of_a_commit_that_the_log_has_not_reached_fails_closed() {
    let memory = Memory::default();
    let warm = environment(&memory);
    batch(&warm, &[click(1, "a", 0)]).await;
    sweep(&warm, 60).await;
    let entry = UserEntry { window: SessionWindow::default(), arrival_ms: 0, has_item: true };
    let later = RestingUser { user_id: UserId::new("a").unwrap(), entry, commit: u64::MAX };
    memory.contents().resting.insert(later.user_id.clone(), later.clone());
    let mut failed = None;
    for number in 2..9 {
        let before = commits(&memory);
        let outcome = batch(&warm, &[click(number, "b", 60 + number)]).await;
        if outcome.failed.is_some() {
            assert_eq!((outcome.done, commits(&memory)), (vec![false], before));
            failed = outcome.failed;
        }
    }
    assert!(failed.expect("the user comes to the tail").contains("lost"));
    assert_eq!(memory.contents().resting[&later.user_id], later, "nothing is overwritten");
}

#[tokio::test]
async fn sequence_numbers_that_start_over_are_a_new_stream_if_they_arrive_a_minute_later() {
    let memory = Memory::default();
    let warm = environment(&memory);
    batch(&warm, &[click(100, "a", 0)]).await;
    let outcome = batch(&warm, &[click(5, "a", 60)]).await;
    assert_eq!((outcome.report.already_applied, outcome.report.streams_begun_again), (1, 0));
    let outcome = batch(&warm, &[click(7, "a", 61), click(8, "a", 62)]).await;
    assert_eq!((outcome.report.applied, outcome.report.streams_begun_again), (2, 1));
    assert_eq!(batch(&warm, &[click(8, "a", 62), click(9, "a", 63)]).await.report.already_applied, 1);
}
