//! Tests of [`super`]: races with other writers, lost replies, and users at rest, in tables in memory.

use kinesis_function::failures::Failures;

use super::*;
use crate::ring_log::ring::Expected;
use crate::state_log_entry::{LogKey, LogValue};
use crate::state_log_samples::{NOW_MS, typical_user, user};
use crate::store::log_store::{LogCommit, StoreError};
use crate::store::memory::{FaultRates, Memory, MemoryClient};
use crate::store::rest_store::RestingUser;
use crate::store::settings::{FORMAT, Settings};

const BUCKET: u32 = 5;
const SETTINGS: Settings = Settings { format: FORMAT, buckets: 8, slots: 9, first_commit: 1_000 };

/// Writes the next commit of a log, with one user whose first ordinal is the commit's number.
async fn commit(client: &MemoryClient<'_>, number: u64, name: &str) {
    client.make_settings(SETTINGS).await.unwrap();
    let ring = Ring::new(SETTINGS.slots, SETTINGS.first_commit);
    let mut entry = typical_user(9_000);
    entry.window.first_ordinal = number;
    let entries = vec![(LogKey::User(user(name)), LogValue::User(entry))];
    let tail = number.saturating_sub(3).max(SETTINGS.first_commit);
    let commit = LogCommit { number, tail, version: Version::new(number), made_ms: NOW_MS, entries };
    let written = LogStore::write(client, BUCKET, ring.slot_of(number), ring.expected(number), &commit).await;
    assert!(matches!(written, WriteResult::Written), "{written:?}");
}

/// A client whose first write waits.
struct Held<'m> {
    client: MemoryClient<'m>,
    hold: &'m tokio::sync::Notify,
}

impl LogStore for Held<'_> {
    async fn settings(&self) -> Result<Option<Settings>, StoreError> {
        self.client.settings().await
    }

    async fn make_settings(&self, settings: Settings) -> Result<Settings, StoreError> {
        self.client.make_settings(settings).await
    }

    async fn read(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<LogCommit>>, StoreError> {
        LogStore::read(&self.client, bucket, slots).await
    }

    async fn read_numbers(&self, bucket: u32, slots: &[u64]) -> Result<Vec<Option<u64>>, StoreError> {
        self.client.read_numbers(bucket, slots).await
    }

    async fn write(&self, bucket: u32, slot: u64, expected: Expected, commit: &LogCommit) -> WriteResult {
        self.hold.notified().await;
        self.hold.notify_one(); // just the first one waits
        LogStore::write(&self.client, bucket, slot, expected, commit).await
    }
}

async fn loaded(client: &MemoryClient<'_>) -> BucketMemory {
    let failures = Failures::default();
    Reader { store: client, settings: SETTINGS, failures: &failures }.load(BUCKET).await.unwrap()
}

async fn forget(client: &MemoryClient<'_>, memory: &mut BucketMemory, name: &str) -> Forgotten {
    let failures = Failures::default();
    let reader = Reader { store: client, settings: SETTINGS, failures: &failures };
    Forgetter { bucket: BUCKET, reader, rest: client }.forget(memory, &user(name), || NOW_MS).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn lost_race_is_decided_again_over_the_winners_commit() {
    for commits_since in 1..20 {
        let tables = Memory::default();
        let client = tables.client();
        commit(&client, 1_000, "u").await;
        let (hold, reached) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
        let now_ms = || {
            reached.notify_one(); // it has read, and is about to write
            NOW_MS
        };
        let failures = Failures::default();
        let slow = Held { client: tables.client(), hold: &hold };
        let reader = Reader { store: &slow, settings: SETTINGS, failures: &failures };
        let forgetter = Forgetter { bucket: BUCKET, reader, rest: &client };
        let mut memory = loaded(&client).await;
        let (id, last) = (user("u"), 1_000 + commits_since);
        let others = async {
            reached.notified().await;
            for number in 1_001..=last {
                commit(&client, number, if number == last { "u" } else { "v" }).await;
            }
            hold.notify_one();
        };
        let (forgotten, ()) = tokio::join!(forgetter.forget(&mut memory, &id, now_ms), others);
        let forgotten = forgotten.unwrap();
        assert_eq!((forgotten.commits, forgotten.head), (1, last + 1), "{commits_since} commits since");
        assert_eq!(forgotten.known.highest_ordinal(), Some(last + 31), "what the winner knew");
        assert!(loaded(&client).await.user(&id).unwrap().is_forgotten());
    }
}

#[tokio::test(start_paused = true)]
async fn forgetting_again_changes_nothing() {
    let tables = Memory::default();
    let client = tables.client();
    commit(&client, 1_000, "u").await;
    commit(&client, 1_001, "v").await;
    let mut memory = BucketMemory::empty();
    let first = forget(&client, &mut memory, "u").await;
    assert_eq!((first.commits, first.head, first.version), (1, 1_002, Version::new(NOW_MS)));
    let before = tables.contents().slots.clone();
    let again = forget(&client, &mut loaded(&client).await, "u").await;
    assert_eq!(again, Forgotten { known: Known::default(), commits: 0, ..first });
    assert_eq!(tables.contents().slots, before);
    assert_eq!(loaded(&client).await.user(&user("v")).unwrap().window.first_ordinal, 1_001);
}

#[tokio::test(start_paused = true)]
async fn user_at_rest_is_superseded_by_the_log() {
    let tables = Memory::default();
    let client = tables.client();
    commit(&client, 1_000, "v").await;
    let resting = RestingUser { user_id: user("u"), entry: typical_user(9_000), commit: 900 };
    RestStore::write(&client, &[resting]).await;
    let forgotten = forget(&client, &mut BucketMemory::empty(), "u").await;
    assert_eq!((forgotten.commits, forgotten.known.highest_ordinal()), (1, Some(34)));
    assert!(loaded(&client).await.user(&user("u")).unwrap().is_forgotten());
}

#[tokio::test(start_paused = true)]
async fn faults_of_every_kind_that_pass_leave_the_user_forgotten() {
    let rates = FaultRates { not_sent: 60, reply_lost: 60, denied: 0, part_throttled: 60, too_large: 0 };
    for seed in 0..200 {
        let tables = Memory::default();
        commit(&tables.client(), 1_000, "u").await;
        commit(&tables.client(), 1_001, "v").await;
        let faulty = tables.strict_client(fastrand::Rng::with_seed(seed), rates);
        let forgotten = forget(&faulty, &mut BucketMemory::empty(), "u").await;
        assert_eq!((forgotten.head, forgotten.known.highest_ordinal()), (1_002, Some(1_031)), "seed {seed}");
        assert!(loaded(&tables.client()).await.user(&user("u")).unwrap().is_forgotten());
    }
}
