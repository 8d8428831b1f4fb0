use std::time::Duration;

use shared::boundary::Version;

use super::*;
use crate::state_log_samples::user;

const ALWAYS_NOT_SENT: FaultRates =
    FaultRates { not_sent: 255, reply_lost: 0, denied: 0, part_throttled: 0, too_large: 0 };

fn commit(number: u64) -> LogCommit {
    LogCommit { number, tail: number, version: Version::new(number), made_ms: number, entries: Vec::new() }
}

#[tokio::test(start_paused = true)]
async fn strict_client_lets_its_caller_retry_after_a_pause() {
    let memory = Memory::default();
    let client = memory.strict_client(Rng::with_seed(1), ALWAYS_NOT_SENT);
    for _ in 0..5 {
        assert!(LogStore::read(&client, 0, &[1]).await.is_err());
        assert!(LogStore::read(&client, 1, &[1]).await.is_err(), "another bucket needs no pause");
        tokio::time::advance(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "read 0 is retried without a pause")]
async fn strict_client_refuses_a_retry_without_a_pause() {
    let memory = Memory::default();
    let client = memory.strict_client(Rng::with_seed(1), ALWAYS_NOT_SENT);
    for _ in 0..5 {
        let _ = LogStore::read(&client, 0, &[1]).await;
    }
}

#[tokio::test]
async fn lost_reply_and_denial_differ_in_their_effect() {
    for (rates, stored, was_denied) in [
        (FaultRates { not_sent: 0, reply_lost: 255, denied: 0, part_throttled: 0, too_large: 0 }, 1, false),
        (FaultRates { not_sent: 0, reply_lost: 0, denied: 255, part_throttled: 0, too_large: 0 }, 0, true),
    ] {
        let memory = Memory::default();
        let client = memory.faulty_client(Rng::with_seed(2), rates);
        let result = LogStore::write(&client, 0, 1, Expected::Nothing, &commit(1)).await;
        assert!(matches!(&result, WriteResult::Failed(error) if error.is_transient() != was_denied), "{result:?}");
        let message = Message::new(user("u"), b"{}".to_vec());
        assert!(client.put(&[message]).await.remove(0).is_err());
        let contents = memory.contents();
        assert_eq!((contents.slots.len(), contents.stream.len()), (stored, stored));
        assert_eq!(client.was_denied(), was_denied);
    }
}

#[tokio::test]
async fn every_commit_is_kept_in_the_order_in_which_it_was_stored() {
    let memory = Memory::default();
    let client = memory.client();
    for (number, expected) in [(1, Expected::Nothing), (2, Expected::Nothing), (3, Expected::Commit(1))] {
        let result = LogStore::write(&client, 7, number % 2, expected, &commit(number)).await;
        assert!(matches!(result, WriteResult::Written), "{result:?}");
    }
    let result = LogStore::write(&client, 7, 1, Expected::Commit(1), &commit(3)).await;
    assert!(matches!(result, WriteResult::LostRace), "{result:?}");
    let numbers: Vec<_> = memory.contents().commits[&7].iter().map(|commit| commit.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}
