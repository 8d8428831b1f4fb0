//! The records of a trial's click-stream, and what to expect of them.

use std::collections::{BTreeMap, BTreeSet};

use aws_lambda_events::streams::KinesisEventResponse;
use kinesis_function::event::Event;
use local::chaos::expected::Expected;
use local::chaos::packing::Parts;
use local::chaos::replay::{Shards, replay};
use local::chaos::verdict::{compare, compare_rejected, compare_with_commits};
use local_aws::{HandMadeRecord, hand_made_event};
use sessionizer_fn::state_log_entry::{Position, ShardKey};
use shared::boundary::Boundary;
use shared::click::LatestBelievable;
use shared::click_format::ClickFormat;
use shared::sequence_number::SequenceNumber;
use shared::user_id::UserId;

use crate::setup::Setup;
use crate::world::World;

/// A record of click-stream.
#[derive(Clone, Debug)]
pub struct Record {
    pub shard: String,
    pub number: u64,
    pub key: String,
    pub data: Vec<u8>,
    pub arrival_ms: u64,
}

impl Record {
    fn parts(&self, setup: Setup) -> Parts {
        let latest = LatestBelievable::after_arrival(self.arrival_ms, setup.skew_seconds * 1_000);
        Parts::of(&self.data, &setup.click_format(), latest)
    }
}

/// The event with `records` of one shard.
pub fn click_event(records: &[Record]) -> Event {
    let hand_made = records.iter().map(|record| HandMadeRecord {
        sequence_number: record.number.to_string(),
        partition_key: record.key.clone(),
        data: record.data.clone(),
        arrival_ms: i64::try_from(record.arrival_ms).unwrap(),
    });
    let event = hand_made_event("click-stream", &records[0].shard, hand_made.collect()).unwrap();
    serde_json::from_str(&event).unwrap()
}

/// The event with `boundaries`, each with its number.
pub fn boundary_event<'b>(boundaries: impl Iterator<Item = (usize, &'b Vec<u8>)>, now_ms: u64) -> Event {
    let records = boundaries.map(|(number, data)| HandMadeRecord {
        sequence_number: number.to_string(),
        partition_key: "any".to_owned(),
        data: data.clone(),
        arrival_ms: i64::try_from(now_ms).unwrap(),
    });
    let event = hand_made_event("session-stream", "shardId-000000000000", records.collect()).unwrap();
    serde_json::from_str(&event).unwrap()
}

/// How many of the first records with these sequence numbers are done.
pub fn done(answer: &KinesisEventResponse, mut sequence_numbers: impl ExactSizeIterator<Item = String>) -> usize {
    let count = sequence_numbers.len();
    match answer.batch_item_failures.first() {
        None => count,
        Some(failure) => {
            let named = failure.item_identifier.as_deref().unwrap();
            sequence_numbers.position(|number| number == named).expect("a record of the batch")
        }
    }
}

/// Compares tables and stream with what the commits must have led to; and, if the disorder is within the lateness, those
/// of users who were never `forgotten` with the sorted stream.
pub async fn check(
    world: &World,
    setup: Setup,
    records: &[Record],
    published: &[Vec<u8>],
    is_within_lateness: bool,
    forgotten: &BTreeSet<UserId>,
) -> Result<(), String> {
    let published = published.iter().map(|data| Boundary::decode(data).unwrap()).collect();
    let format = setup.click_format();
    let columns = format.columns();
    let mut found = world.found(published, columns).await;
    let commits = world.recorder.take()?;
    let replayed = replay(BTreeMap::new(), commits, &shards(setup, records), setup.buckets, columns)?;
    compare_with_commits(&replayed, &found)?;
    let is_kept = |data: &Vec<u8>| {
        let user_id = ClickFormat::default().user_id_in(data);
        user_id.is_none_or(|user_id| !forgotten.contains(&user_id))
    };
    let rejected: Vec<_> = records.iter().flat_map(|record| record.parts(setup).rejected).filter(is_kept).collect();
    found.rejected.retain(is_kept);
    compare_rejected(&rejected, &found)?;
    if is_within_lateness {
        let clicks = records.iter().flat_map(|record| record.parts(setup).clicks).map(|(_, click)| click);
        let clicks = clicks.filter(|click| !forgotten.contains(&click.user_id));
        found.leave_out(forgotten);
        compare(&Expected::of_sorted(clicks.collect(), setup.rule(), columns), &found)?;
    }
    Ok(())
}

/// The clicks by shard, in order.
pub fn shards(setup: Setup, records: &[Record]) -> Shards {
    let mut shards: Shards = BTreeMap::new();
    for record in records {
        let shard = ShardKey::new(format!("click-stream/{}", record.shard));
        let sequence_number = SequenceNumber::parse(record.number.to_string()).unwrap();
        let clicks = record.parts(setup).clicks.into_iter().map(|(place, click)| {
            let sequence_number = sequence_number.clone();
            (Position { sequence_number, place }, click)
        });
        shards.entry(shard).or_default().extend(clicks);
    }
    for clicks in shards.values_mut() {
        clicks.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    shards
}
