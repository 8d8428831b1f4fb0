//! Random streams, randomly split, redelivered, scattered over shards and reordered, with random faults at random
//! calls.

use fastrand::Rng;
use local::chaos::stream::{self, Size};
use shared::session_rule::SessionGap;

use crate::trial::{Injection, Record, Script, Trial};
use crate::world::World;

const SEEDS: u64 = 200;
const TASKS: usize = 12;
const SIZE: Size = Size { phases: 2, records: 8, users: 3 };

/// One in this many calls meets a fault.
const CALLS_PER_FAULT: u8 = 5;
const MOST_CALLS: usize = 600;

fn script(rng: &mut Rng) -> Script {
    let mut script = Script::new();
    for number in 0..MOST_CALLS {
        if rng.u8(..CALLS_PER_FAULT) == 0 {
            let injection = match rng.u8(..8) {
                0 => Injection::Throttled,
                1 => Injection::InternalError,
                2 => Injection::NotSent,
                3 => Injection::ReplyLost,
                4 => Injection::Part(rng.usize(..3)),
                5 => Injection::AllParts,
                6 => Injection::DieBefore,
                _ => Injection::DieAfter,
            };
            script.insert(number, injection);
        }
    }
    script
}

/// A shard of a phase: its records, and how many of them are checkpointed.
struct Shard {
    records: Vec<Record>,
    checkpoint: usize,
}

async fn random_run(world: &World, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut trial = Trial::new(world, script(&mut rng));
    let name = trial.name.clone();
    let phases = stream::random(&mut rng, &format!("{name}-"), SIZE, SessionGap::from_ms(10_000));
    let mut number = 0;
    for phase in phases {
        let mut shards: Vec<_> = (0..rng.usize(1..=3)).map(|_| Shard { records: Vec::new(), checkpoint: 0 }).collect();
        for sent in phase {
            number += 1;
            let shard = rng.usize(..shards.len());
            let key = sent.user.unwrap_or_else(|| "none".to_owned());
            let record = Record { shard: format!("{name}-{shard}"), number, key, data: sent.data };
            trial.note(&record);
            shards[shard].records.push(record);
        }
        loop {
            let undone: Vec<_> = shards.iter_mut().filter(|shard| shard.checkpoint < shard.records.len()).collect();
            let Some(shard) = rng.choice(undone) else { break };
            let end = rng.usize(shard.checkpoint + 1..=shard.records.len());
            let done = trial.attempt_clicks(&shard.records[shard.checkpoint..end]).await;
            // Sometimes a part of the records that succeeded is redelivered.
            shard.checkpoint += if rng.u8(..4) == 0 { rng.usize(0..=done) } else { done };
        }
        trial.deliver_boundaries(|boundaries| rng.shuffle(boundaries)).await;
    }
    trial.check().await.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
}

/// To run a single seed: `SEED=17 cargo test -p local --test faults random`.
#[tokio::test(flavor = "multi_thread")]
async fn random_faults_over_random_streams_do_not_change_the_tables() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..SEEDS,
    };
    // Each task takes every n-th seed and has its own services.
    let tasks = (0..TASKS).map(|first| {
        let seeds = seeds.clone().skip(first).step_by(TASKS);
        tokio::spawn(async move {
            let world = World::start().await;
            for seed in seeds {
                random_run(&world, seed).await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
}
