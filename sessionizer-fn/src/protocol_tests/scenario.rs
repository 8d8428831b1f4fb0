//! Random streams and settings.

use fastrand::Rng;
use serde_json::{Value, json};
use shared::click::{Click, LatestBelievable};
use shared::click_format::{ClickFormat, Decoded};
use shared::columns::declaration::SessionColumns;
use shared::sequence_number::SequenceNumber;
use shared::session::SessionGap;
use shared::session_cut::SessionCut;
use shared::session_window::WindowRule;

use crate::batch::BatchClick;
use crate::bucket::bounds::Bounds;
use crate::config::{Boundaries, FirstSession};
use crate::environment::Options;
use crate::state_log_entry::Position;

const BEGIN_MS: u64 = 1_721_390_000_000;
const GAP_MS: u64 = 10_000;

/// The clicks of a record of click-stream, at least one.
pub(super) type Record = Vec<BatchClick>;

/// The records of each shard, and the settings under which they are processed.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) options: Options,
    /// What clicks look like, and what sessions carry.
    pub(super) format: ClickFormat,
    pub(super) shards: Vec<Vec<Record>>,
    end_ms: u64,
}

impl Scenario {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let options = options(rng);
        let declaration = ["", "b = first(/b), l = last(/b), n = count(/b = 3), s = sum(/b)"][rng.usize(..2)];
        let columns = SessionColumns::parse(declaration).expect("columns");
        let format = ClickFormat::default().with_columns(columns);
        let mut shards = vec![Vec::new(); rng.usize(1..=3)];
        let users = rng.usize(1..=5);
        let mut now_ms = BEGIN_MS;
        for _ in 0..rng.usize(1..=25) {
            now_ms += [0, 1, 4, 9, 10, 15, 40][rng.usize(..7)] * 1_000;
            let place = rng.usize(..shards.len());
            let shard: &mut Vec<Record> = &mut shards[place];
            let number = shard.len() + 8; // passes 9 and 10
            let sequence_number = SequenceNumber::parse(number.to_string()).expect("digits");
            let clicks = (0..[1, 1, 1, 2, 4][rng.usize(..5)]).map(|in_record| {
                let behind_ms = [0, 0, 0, 3, 9, 12, 35, 150][rng.usize(..8)] * 1_000;
                let name = format!("{place}/{number}/{in_record}");
                let user = ["a", "user1", "user3", "user4", "b"][rng.usize(..users)];
                let value = [json!(3), json!(0.7), json!("12.5"), json!(null)][rng.usize(..4)].clone();
                let click = json!({
                    "user_id": user,
                    "event_timestamp": now_ms - behind_ms,
                    "event_name": name,
                    "b": value,
                });
                let click = decoded(&format, &click);
                let position = Position { sequence_number: sequence_number.clone(), place: in_record };
                BatchClick { index: 0, position, arrival_ms: now_ms, click }
            });
            let record = clicks.collect();
            shard.push(record);
        }
        Self { options, format, shards, end_ms: now_ms }
    }

    /// A time by some clock: clocks need not agree.
    pub(super) fn any_time(&self, rng: &mut Rng) -> u64 {
        rng.u64(BEGIN_MS - 100_000..self.end_ms + 100_000)
    }

    /// A time at which everybody is inactive.
    pub(super) fn long_after(&self) -> u64 {
        self.end_ms + 1_000_000_000
    }
}

fn decoded(format: &ClickFormat, click: &Value) -> Click {
    let latest = LatestBelievable::after_arrival(u64::MAX / 2, 0);
    match format.decode_one(click.to_string().as_bytes(), latest) {
        Ok(Decoded::Click(decoded)) => decoded.click,
        other => panic!("{other:?}"),
    }
}

fn options(rng: &mut Rng) -> Options {
    let slots = [3, 4, 6, 9][rng.usize(..4)];
    let buckets = [1, 1, 2][rng.usize(..3)];
    let bounds = Bounds {
        // Room for one user, a few, or all.
        changed_bytes: [400, 900, 4_000][rng.usize(..3)],
        tight: [1, 3][rng.usize(..2)],
        repeated_bytes: 20_000,
        users: [1, 3, 100][rng.usize(..3)],
        read_bytes: [0, usize::MAX][rng.usize(..2)],
        leaving: [1, 100][rng.usize(..2)],
        live_bytes: [300, 600, usize::MAX, usize::MAX][rng.usize(..4)],
        memory_bytes: usize::MAX,
        longest_memory_ms: [30_000, 3_600_000][rng.usize(..2)],
    };
    Options {
        window: WindowRule {
            gap: SessionGap::from_ms(GAP_MS),
            lateness_ms: [0, 10_000, 40_000, 200_000][rng.usize(..4)],
            // A cut soon after streams begin.
            cut: [SessionCut::None, SessionCut::Daily { offset_ms: -(BEGIN_MS.cast_signed() + 35_000) }]
                [rng.usize(..2)],
        },
        boundaries: Boundaries::All,
        first_session: FirstSession::Emit,
        grace_ms: [0, 3_000][rng.usize(..2)],
        stream_retention_ms: 86_400_000, // longer than any stream here, and shorter than the clocks of sweeps may be ahead
        buckets,
        slots,
        bounds,
        memory_bytes: [0, u64::MAX][rng.usize(..2)],
    }
}
