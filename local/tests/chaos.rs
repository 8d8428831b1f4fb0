//! Random streams through the whole pipeline with every kind of fault, as the command `chaos` runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use local::chaos::fault_kind::FaultKind;
use local::chaos::{Chaos, run};

#[tokio::test(flavor = "multi_thread")]
async fn any_splits_packing_and_redeliveries_yield_the_sessions_of_the_sorted_stream() {
    let kinds = vec![FaultKind::Redelivery, FaultKind::Pack];
    let verdict = run(Chaos { input: None, seed: 1, runs: 2, jobs: 4, kinds: kinds.clone() }).await.unwrap();
    assert_eq!(verdict.failure, None);
    assert!(kinds.into_iter().all(|kind| verdict.tally.of(kind) > 3), "{}", verdict.tally);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_faults_together_do_not_change_the_tables() {
    let verdict =
        run(Chaos { input: None, seed: 100, runs: 5, jobs: 4, kinds: FaultKind::EACH.to_vec() }).await.unwrap();
    assert_eq!(verdict.failure, None);
    for kind in FaultKind::EACH {
        assert!(verdict.tally.of(kind) > 0, "no {kind:?} in\n{}", verdict.tally);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn file_with_unreadable_records_yields_the_same_tables_under_faults() {
    let folder = tempfile::TempDir::new().unwrap();
    let input = folder.path().join("clicks.ndjson");
    let clicks = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/hostile.clicks.ndjson");
    let some: Vec<u8> =
        std::fs::read(clicks).unwrap().split_inclusive(|byte| *byte == b'\n').take(150).flatten().copied().collect();
    std::fs::write(&input, some).unwrap();
    let kinds = vec![FaultKind::Throttle, FaultKind::LostReply, FaultKind::Crash];
    let verdict = run(Chaos { input: Some(input), seed: 7, runs: 1, jobs: 4, kinds }).await.unwrap();
    assert_eq!(verdict.failure, None);
}
