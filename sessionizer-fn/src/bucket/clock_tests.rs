//! Tests of [`super`].

use shared::boundary::Version;
use shared::sequence_number::SequenceNumber;

use super::*;
use crate::state_log_entry::{Outbox, Position};

const NOW_MS: u64 = 10_000_000;
const GRACE_MS: u64 = 10_000;

fn shard(name: &str) -> ShardKey {
    ShardKey::new(name)
}

/// A cursor whose last commit was made `ago_ms` ago, with a record that was `behind_ms` old by then.
fn cursor(ago_ms: u64, behind_ms: u64) -> Cursor {
    let made_ms = NOW_MS - ago_ms;
    Cursor {
        position: Position { sequence_number: SequenceNumber::parse("7").unwrap(), place: 0 },
        arrival_ms: made_ms - behind_ms,
        made_ms,
        outbox: Outbox { commit: 1, version: Version::new(1), entries: Vec::new() },
    }
}

/// The clock of a commit of shard `a` whose last record arrived a second ago, with these cursors.
fn batch(cursors: &[(&str, Cursor)], grace_ms: u64) -> u64 {
    let cursors: Vec<_> = cursors.iter().map(|(name, cursor)| (shard(name), cursor)).collect();
    let cursors = cursors.iter().map(|(name, cursor)| (name, *cursor));
    batch_clock(cursors, &shard("a"), NOW_MS - 1_000, NOW_MS, grace_ms)
}

fn sweep(cursors: &[(&str, Cursor)]) -> SweepClock {
    let cursors: Vec<_> = cursors.iter().map(|(name, cursor)| (shard(name), cursor)).collect();
    sweep_clock(cursors.iter().map(|(name, cursor)| (name, *cursor)), NOW_MS, GRACE_MS)
}

#[test]
fn batchs_clock_is_the_arrival_of_its_last_record_whatever_its_own_cursor_says() {
    assert_eq!(batch(&[], GRACE_MS), NOW_MS - 1_000);
    assert_eq!(batch(&[("a", cursor(1_000, 500_000))], GRACE_MS), NOW_MS - 1_000);
}

#[test]
fn shard_that_is_catching_up_lowers_the_clock_to_what_it_has_read() {
    let slow = cursor(2_000, 300_000);
    let arrival_ms = slow.arrival_ms;
    assert_eq!(batch(&[("b", slow), ("c", cursor(1_000, 400))], GRACE_MS), arrival_ms);
}

#[test]
fn shard_whose_records_are_as_old_as_the_grace_is_caught_up() {
    assert_eq!(batch(&[("b", cursor(2_000, GRACE_MS))], GRACE_MS), NOW_MS - 1_000);
    assert_eq!(batch(&[("b", cursor(2_000, GRACE_MS + 1))], GRACE_MS), NOW_MS - 2_000 - GRACE_MS - 1);
}

#[test]
fn grace_counts_as_five_seconds_at_least_and_a_minute_at_most_here() {
    assert_eq!(batch(&[("b", cursor(2_000, 5_000))], 0), NOW_MS - 1_000);
    assert_eq!(batch(&[("b", cursor(2_000, 5_001))], 0), NOW_MS - 7_001);
    assert_eq!(batch(&[("b", cursor(2_000, 60_001))], 3_600_000), NOW_MS - 62_001);
}

#[test]
fn shard_without_commits_for_two_minutes_holds_nobody_up() {
    assert_eq!(batch(&[("b", cursor(119_999, 300_000))], GRACE_MS), NOW_MS - 419_999);
    assert_eq!(batch(&[("b", cursor(120_000, 300_000))], GRACE_MS), NOW_MS - 1_000);
    assert_eq!(batch(&[("b", cursor(500_000, 1_000))], GRACE_MS), NOW_MS - 1_000);
}

#[test]
fn sweeps_clock_is_the_current_time_where_no_batch_commits() {
    let now = SweepClock { ms: Some(NOW_MS), catching_up: false };
    assert_eq!(sweep(&[]), now);
    assert_eq!(sweep(&[("a", cursor(15_000, 100)), ("b", cursor(400_000, 300_000))]), now);
}

#[test]
fn sweeps_clock_is_the_batches_where_one_has_committed_lately() {
    let clock = sweep(&[("a", cursor(14_999, 100)), ("b", cursor(400_000, 300_000))]);
    assert_eq!(clock, SweepClock { ms: Some(NOW_MS - 15_099), catching_up: false });
}

#[test]
fn sweeps_clock_is_that_of_the_shard_that_is_catching_up() {
    let slow = || cursor(60_000, 300_000);
    let expected = SweepClock { ms: Some(NOW_MS - 360_000), catching_up: true };
    assert_eq!(sweep(&[("a", slow())]), expected);
    assert_eq!(sweep(&[("a", slow()), ("b", cursor(1_000, 100))]), expected);
}
