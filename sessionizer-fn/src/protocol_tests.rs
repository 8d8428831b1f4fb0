//! The exactly-once protocol under a mean scheduler: one user, up to three shards, invocations that die or live on at
//! any point, batches redelivered and cut elsewhere, boundaries in any order. Pure: the store is a variable.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use fastrand::Rng;
use shared::boundary::Version;
use shared::click::Click;
use shared::event_time::EventTime;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{SessionGap, Status, TouchedSession, UserSessions, apply};
use shared::user_id::UserId;

use crate::batch::{BatchClick, CursorKey};
use crate::config::FirstSession;
use crate::state::{OutboxEntry, UserState};
use crate::step::{Commit, Published, Rule, Step, next_step};

const RULE: Rule = Rule { gap: SessionGap::from_ms(10_000), first_session: FirstSession::Emit };

/// What all invocations share.
#[derive(Default)]
struct World {
    stored: Option<UserState>,
    /// The clicks in the order in which they were committed: the truth.
    log: Vec<Click>,
    stream: Vec<OutboxEntry>,
    now_ms: u64,
}

struct Invocation {
    clicks: Vec<BatchClick>,
    settled: usize,
    published: Published,
    phase: Phase,
}

enum Phase {
    Read,
    Decide(Option<UserState>),
    Commit(Option<UserState>, Box<Commit>),
    Publish {
        entries: Vec<OutboxEntry>,
        outboxes: Vec<(CursorKey, Version)>,
        settled: usize,
        stored: Option<UserState>,
    },
    Done,
}

impl Invocation {
    fn of(clicks: &[BatchClick]) -> Self {
        Self { clicks: clicks.to_vec(), settled: 0, published: Published::new(), phase: Phase::Read }
    }

    fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Done)
    }

    /// Takes one action; between any two of them it may die or others may act.
    fn advance(&mut self, world: &mut World) {
        let left = &self.clicks[self.settled..];
        self.phase = match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Read => Phase::Decide(world.stored.clone()),
            Phase::Decide(stored) => match next_step(stored.as_ref(), left, &self.published, RULE, world.now_ms) {
                Step::Finished(_) => Phase::Done,
                Step::Republish { entries, outboxes } => Phase::Publish { entries, outboxes, settled: 0, stored },
                Step::Commit(commit) => Phase::Commit(stored, commit),
            },
            Phase::Commit(read, commit) => {
                if world.stored.as_ref().map(|state| state.version) != commit.expected {
                    Phase::Decide(world.stored.clone()) // a lost race brings the current state along
                } else {
                    let cursor = |click: &BatchClick| read.as_ref()?.cursors.get(&click.cursor_key).cloned();
                    let is_new = |click: &&BatchClick| {
                        cursor(click).is_none_or(|cursor| click.sequence_number > cursor.sequence_number)
                    };
                    let new = left[..commit.settled].iter().filter(is_new).map(|click| click.click.clone());
                    world.log.extend(new);
                    world.stored = Some(commit.state.clone());
                    let outboxes = vec![(commit.outbox_key.clone(), commit.state.version)];
                    let entries = commit.entries().to_vec();
                    Phase::Publish { entries, outboxes, settled: commit.settled, stored: Some(commit.state) }
                }
            }
            Phase::Publish { mut entries, outboxes, settled, stored } => match entries.pop() {
                Some(entry) => {
                    world.stream.push(entry);
                    Phase::Publish { entries, outboxes, settled, stored }
                }
                None => {
                    self.published.extend(outboxes);
                    self.settled += settled;
                    if self.settled == self.clicks.len() { Phase::Done } else { Phase::Decide(stored) }
                }
            },
            Phase::Done => Phase::Done,
        };
    }
}

fn clicks_of_shards(rng: &mut Rng) -> Vec<Vec<BatchClick>> {
    let mut shards = vec![Vec::new(); rng.usize(1..=3)];
    let mut ms: u64 = 200_000;
    for index in 0..rng.usize(1..=14) {
        let step = [0, 500, 4_000, 9_999, 10_000, 15_000, 30_000][rng.usize(..7)];
        ms = if rng.u8(..5) == 0 { ms.saturating_sub(step) } else { ms + step };
        let place = rng.usize(..shards.len());
        let shard: &mut Vec<BatchClick> = &mut shards[place];
        let time = EventTime::from_ms(ms).expect("before 10000");
        shard.push(BatchClick {
            index,
            cursor_key: CursorKey::new(format!("shard{place}")),
            sequence_number: SequenceNumber::parse((shard.len() + 8).to_string()).expect("digits"), // passes 9 and 10
            click: Click { user_id: UserId::new("u").expect("valid"), time, attributes: Default::default() },
        });
    }
    shards
}

/// Delivers everything until each shard's last record is checkpointed, then lets the zombies finish.
fn deliver(rng: &mut Rng, shards: &[Vec<BatchClick>], world: &mut World) {
    let mut checkpoints = vec![0; shards.len()];
    let mut zombies: Vec<Invocation> = Vec::new();
    loop {
        let open: Vec<_> = (0..shards.len()).filter(|shard| checkpoints[*shard] < shards[*shard].len()).collect();
        let Some(shard) = rng.choice(open) else { break };
        let from = checkpoints[shard];
        let to = shards[shard].len().min(from + rng.usize(1..=5));
        let mut invocation = Invocation::of(&shards[shard][from..to]);
        world.now_ms += rng.u64(..2);
        while !invocation.is_done() {
            if !zombies.is_empty() && rng.bool() {
                let zombie = rng.usize(..zombies.len());
                zombies[zombie].advance(world);
                zombies.retain(|zombie| !zombie.is_done());
            }
            if rng.u8(..8) == 0 {
                break; // it dies here, or lives on while its batch is delivered again
            }
            invocation.advance(world);
        }
        if invocation.is_done() {
            // A checkpoint may fall short of what was done, or be lost.
            checkpoints[shard] = [to, to, to, rng.usize(from..=to), from][rng.usize(..5)];
        } else if rng.bool() {
            zombies.push(invocation);
        }
    }
    for mut zombie in zombies {
        while !zombie.is_done() {
            zombie.advance(world);
        }
    }
}

type Told = (EventTime, Status);

/// The sessions table after the sink took `stream` in any order, some of it twice, tombstones left out.
fn table_of(rng: &mut Rng, mut stream: Vec<OutboxEntry>) -> BTreeMap<u64, Told> {
    let again: Vec<_> = stream.iter().filter(|_| rng.u8(..3) == 0).cloned().collect();
    stream.extend(again);
    rng.shuffle(&mut stream);
    let mut table: BTreeMap<u64, OutboxEntry> = BTreeMap::new();
    for entry in stream {
        let ordinal = entry.session.ordinal;
        if table.get(&ordinal).is_none_or(|stored| stored.version < entry.version) {
            table.insert(ordinal, entry);
        }
    }
    without_tombstones(table.into_values().map(|entry| entry.session))
}

fn without_tombstones(sessions: impl Iterator<Item = TouchedSession>) -> BTreeMap<u64, Told> {
    let standing = sessions.filter(|session| session.status != Status::Retracted);
    standing.map(|session| (session.ordinal, (session.start, session.status))).collect()
}

/// What the rule gives for the clicks in the order in which they were committed.
fn truth(log: &[Click]) -> (BTreeMap<u64, Told>, UserSessions) {
    let (mut table, mut sessions) = (BTreeMap::new(), None);
    for click in log {
        let applied = apply(sessions.take(), click, RULE.gap);
        for session in applied.touched {
            table.insert(session.ordinal, session);
        }
        sessions = Some(applied.sessions);
    }
    (without_tombstones(table.into_values()), sessions.expect("at least one click"))
}

#[test]
fn table_is_that_of_the_commit_order_whatever_dies_is_repeated_or_overtaken() {
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let shards = clicks_of_shards(&mut rng);
        let mut world = World { now_ms: 1_000, ..World::default() };
        deliver(&mut rng, &shards, &mut world);

        let mut committed: Vec<_> = world.log.iter().map(|click| click.time).collect();
        let mut sent: Vec<_> = shards.iter().flatten().map(|click| click.click.time).collect();
        committed.sort_unstable();
        sent.sort_unstable();
        assert_eq!(committed, sent, "seed {seed}: a click was applied twice or never");

        let (table, sessions) = truth(&world.log);
        assert_eq!(world.stored.expect("a state").sessions, sessions, "seed {seed}: the state");
        assert_eq!(table_of(&mut rng, world.stream), table, "seed {seed}: the sessions table");
    }
}
