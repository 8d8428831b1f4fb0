//! Tests of [`super`]: logs read from a ring in memory, by readers that writers overtake.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use shared::boundary::Version;

use super::*;
use crate::ring_log::ring::Expected;
use crate::state_log_entry::{LogKey, LogValue, UserEntry};
use crate::state_log_samples::{NOW_MS, typical_user, user};
use crate::store::log_store::WriteResult;
use crate::store::memory::{Memory, MemoryClient};
use crate::store::settings::FORMAT;

const FIRST_COMMIT: u64 = 1_000;
const BUCKET: u32 = 5;

fn settings(slots: u64) -> Settings {
    Settings { format: FORMAT, buckets: 8, slots, first_commit: FIRST_COMMIT }
}

/// A log of which each commit writes one of three users; a user's ordinal is the number of the commit.
struct Log<'m> {
    client: MemoryClient<'m>,
    ring: Ring,
    next: u64,
}

impl<'m> Log<'m> {
    async fn new(memory: &'m Memory, slots: u64) -> Self {
        let client = memory.client();
        client.make_settings(settings(slots)).await.unwrap();
        Self { client, ring: Ring::new(slots, FIRST_COMMIT), next: FIRST_COMMIT }
    }

    async fn write(&mut self, commits: u64) {
        for _ in 0..commits {
            let number = self.next;
            let result =
                self.client.write(BUCKET, self.ring.slot_of(number), self.ring.expected(number), &commit(number)).await;
            assert!(matches!(result, WriteResult::Written), "{result:?}");
            self.next += 1;
        }
    }
}

fn name_of(number: u64) -> String {
    format!("user{}", number % 3)
}

fn commit(number: u64) -> LogCommit {
    let mut entry = UserEntry { arrival_ms: NOW_MS, ..typical_user(9_000) };
    entry.window.first_ordinal = number;
    LogCommit {
        number,
        tail: number.saturating_sub(2).max(FIRST_COMMIT),
        version: Version::new(number),
        made_ms: NOW_MS,
        entries: vec![(LogKey::User(user(&name_of(number))), LogValue::User(entry))],
    }
}

/// Asserts that `memory` is the whole log up to its head, and returns the head.
fn assert_whole(memory: &BucketMemory) -> Option<u64> {
    let head = memory.log().head()?;
    let users: Vec<_> =
        memory.users().map(|(user_id, entry)| (user_id.to_string(), entry.window.first_ordinal)).collect();
    let expected = (head.saturating_sub(2).max(FIRST_COMMIT)..=head).map(|number| (name_of(number), number));
    let mut expected: Vec<_> = expected.collect();
    let mut users = users;
    users.sort();
    expected.sort();
    assert_eq!(users, expected, "as of commit {head}");
    Some(head)
}

fn reader<'r>(client: &'r MemoryClient<'r>, failures: &'r Failures, slots: u64) -> Reader<'r, MemoryClient<'r>> {
    Reader { store: client, settings: settings(slots), failures }
}

#[tokio::test]
async fn head_is_found_wherever_it_is_in_the_ring() {
    for slots in [3, 4, 7, 24, 25, 60] {
        let (memory, failures) = (Memory::default(), Failures::default());
        let mut log = Log::new(&memory, slots).await;
        let client = memory.client();
        assert_eq!(assert_whole(&reader(&client, &failures, slots).load(BUCKET).await.unwrap()), None);
        for number in FIRST_COMMIT..FIRST_COMMIT + 2 * slots + slots / 2 {
            log.write(1).await;
            let loaded = reader(&client, &failures, slots).load(BUCKET).await.unwrap();
            assert_eq!(assert_whole(&loaded), Some(number), "with {slots} slots");
        }
    }
}

#[tokio::test]
async fn head_is_found_among_all_slots_of_a_deployed_ring() {
    let slots = crate::bucket::bounds::SLOTS;
    let (memory, failures) = (Memory::default(), Failures::default());
    let mut log = Log::new(&memory, slots).await;
    let client = memory.client();
    let mut written = 0;
    for commits in [1, 2, 23, 24, 25, 300, 511, 512, 513, 1_000, 1_024] {
        log.write(commits - written).await;
        written = commits;
        let loaded = reader(&client, &failures, slots).load(BUCKET).await.unwrap();
        assert_eq!(assert_whole(&loaded), Some(FIRST_COMMIT + commits - 1));
    }
}

#[tokio::test(start_paused = true)]
async fn load_that_writers_overtake_is_a_whole_log_nevertheless() {
    for slots in [3, 4, 9] {
        for polls in 0..40 {
            for overtaking in 1..=slots + 1 {
                let (memory, failures) = (Memory::default(), Failures::default());
                let mut log = Log::new(&memory, slots).await;
                log.write(slots + 2).await;
                let client = memory.client();
                let reader = reader(&client, &failures, slots);
                let mut load = pin!(reader.load(BUCKET));
                let mut context = Context::from_waker(Waker::noop());
                let mut loaded = None;
                for _ in 0..polls {
                    if let Poll::Ready(done) = load.as_mut().poll(&mut context) {
                        loaded = Some(done);
                        break;
                    }
                }
                log.write(overtaking).await;
                let loaded = match loaded {
                    Some(loaded) => loaded,
                    None => load.await,
                };
                assert!(assert_whole(&loaded.unwrap()) >= Some(FIRST_COMMIT + slots + 1));
            }
        }
    }
}

#[tokio::test]
async fn catching_up_takes_in_whatever_was_committed_since() {
    for slots in [3, 9, 100] {
        for behind in [0, 1, 2, 3, 7, 8, 9, 20, 99, 100, 101, 250] {
            let (memory, failures) = (Memory::default(), Failures::default());
            let mut log = Log::new(&memory, slots).await;
            log.write(5).await;
            let client = memory.client();
            let reader = reader(&client, &failures, slots);
            let mut known = reader.load(BUCKET).await.unwrap();
            log.write(behind).await;
            reader.catch_up(BUCKET, &mut known).await.unwrap();
            assert_eq!(assert_whole(&known), Some(FIRST_COMMIT + 4 + behind), "{slots} slots, {behind} behind");
        }
    }
}

#[tokio::test]
async fn catching_up_starts_with_the_first_commit_of_a_log_that_was_empty() {
    let (memory, failures) = (Memory::default(), Failures::default());
    let mut log = Log::new(&memory, 9).await;
    let client = memory.client();
    let reader = reader(&client, &failures, 9);
    let mut known = reader.load(BUCKET).await.unwrap();
    reader.catch_up(BUCKET, &mut known).await.unwrap();
    assert_eq!(known.log().head(), None);
    log.write(30).await;
    reader.catch_up(BUCKET, &mut known).await.unwrap();
    assert_eq!(assert_whole(&known), Some(FIRST_COMMIT + 29));
}

#[tokio::test]
async fn log_that_was_emptied_or_set_back_fails_closed() {
    for set_back_to in [None, Some(FIRST_COMMIT + 1)] {
        let (memory, failures) = (Memory::default(), Failures::default());
        let mut log = Log::new(&memory, 9).await;
        log.write(11).await; // the last one is in the slot of the second
        let client = memory.client();
        let reader = reader(&client, &failures, 9);
        let mut known = reader.load(BUCKET).await.unwrap();
        let slot = (BUCKET, log.ring.slot_of(FIRST_COMMIT + 10));
        match set_back_to {
            None => memory.contents().slots.clear(),
            Some(number) => _ = memory.contents().slots.insert(slot, commit(number)),
        }
        let error = reader.catch_up(BUCKET, &mut known).await.unwrap_err();
        assert!(matches!(error, BucketError::LogLost { known: 1_010, .. }), "{error}");
        assert_eq!(known.log().head(), Some(1_010), "what is known stays known");
    }
}

#[tokio::test]
async fn load_fails_closed_if_the_settings_are_gone_or_others() {
    let others = Settings { first_commit: FIRST_COMMIT + 7, ..settings(9) };
    for stored in [None, Some(others)] {
        let (memory, failures) = (Memory::default(), Failures::default());
        memory.contents().settings = stored;
        let client = memory.client();
        let error = reader(&client, &failures, 9).load(BUCKET).await.unwrap_err();
        assert!(matches!(error, BucketError::SettingsChanged { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_slot_never_used_expects_nothing_in_the_first_round_only() {
    let memory = Memory::default();
    let mut log = Log::new(&memory, 3).await;
    log.write(3).await;
    let (slot, number) = (log.ring.slot_of(log.next), log.next);
    let result = log.client.write(BUCKET, slot, Expected::Nothing, &commit(number)).await;
    assert!(matches!(result, WriteResult::LostRace));
}
