//! The exactly-once protocol under an adversarial scheduler: the real rounds with a table and a stream in memory.
//!
//! Two users, up to three shards; invocations that die, time out or outlive their successors at any call; calls that
//! fail, lose their replies or are denied; batches redelivered and split differently; lost checkpoints; session
//! boundaries in any order.
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fastrand::Rng;
use kinesis_function::done_records::DoneRecords;
use kinesis_function::failures::Failures;
use shared::attributes::Attributes;
use shared::boundary::{Boundary, Version};
use shared::click::Click;
use shared::event_time::EventTime;
use shared::limits::MAX_ATTRIBUTE_BYTES;
use shared::sequence_number::SequenceNumber;
use shared::session_rule::{SessionGap, Status, UserSessions, apply};
use shared::user_id::UserId;

use crate::batch::{BatchClick, CursorKey, UserClicks};
use crate::config::FirstSession;
use crate::ledger::Ledger;
use crate::outbox::memory::{Contents, Memory, MemoryClient};
use crate::report::Report;
use crate::rounds::Rounds;
use crate::state::UserState;
use crate::step::Rule;

const RULE: Rule = Rule { gap: SessionGap::from_ms(10_000), first_session: FirstSession::Emit };
const SEEDS: u64 = 20_000;

/// Longer than any pause between attempts.
const A_WHILE: Duration = Duration::from_secs(3);

type Shard = Vec<BatchClick>;

/// An invocation in progress.
struct Invocation<'m> {
    work: Pin<Box<dyn Future<Output = Report> + 'm>>,
    progress: Arc<DoneRecords>,
    client: Arc<MemoryClient<'m>>,
    clicks: usize,
}

/// Records whether a pending future wants to be polled again immediately.
#[derive(Default)]
struct WakeFlag(AtomicBool);

impl Wake for WakeFlag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl<'m> Invocation<'m> {
    fn on(memory: &'m Memory, rng: &mut Rng, clicks: &[BatchClick], now_ms: u64) -> Self {
        let mut users: Vec<UserClicks> = Vec::new();
        for (index, click) in clicks.iter().enumerate() {
            let click = BatchClick { index, ..click.clone() };
            match users.iter_mut().find(|user| user.user_id == click.click.user_id) {
                Some(user) => user.clicks.push(click),
                None => users.push(UserClicks { user_id: click.click.user_id.clone(), clicks: vec![click] }),
            }
        }
        let client = Arc::new(memory.strict_client(rng.fork()));
        let progress = Arc::new(DoneRecords::none_of(clicks.len()));
        let (caller, noted) = (Arc::clone(&client), Arc::clone(&progress));
        let work = async move {
            let (failures, report) = (Failures::default(), Mutex::default());
            let ledger = Ledger { done: &noted, failures: &failures, report: &report };
            Rounds { store: &*caller, publisher: &*caller, rule: RULE }.run(users, now_ms, &ledger).await;
            report.into_inner().unwrap()
        };
        Self { work: Box::pin(tokio::task::unconstrained(work)), progress, client, clicks: clicks.len() }
    }

    /// Advances to the next call or part of a call; returns the report at the end. If it is pausing before a retry, the
    /// clock advances past the pause.
    async fn advance(&mut self) -> Option<Report> {
        let flag = Arc::new(WakeFlag::default());
        match self.work.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&flag)))) {
            Poll::Ready(report) => return Some(report),
            Poll::Pending if flag.0.load(Relaxed) => {}
            Poll::Pending => tokio::time::advance(A_WHILE).await,
        }
        None
    }

    /// How many clicks are done, counted from the first.
    fn done(&self) -> usize {
        (0..self.clicks).take_while(|click| self.progress.is_done(*click)).count()
    }
}

fn shards_of_clicks(rng: &mut Rng) -> Vec<Shard> {
    let mut shards = vec![Shard::new(); rng.usize(1..=3)];
    // Occasionally so many long sessions that a user's boundaries do not fit into one commit.
    let is_wide = rng.u8(..) == 0;
    let (clicks, shortest_step) = if is_wide { (rng.usize(50..=70), 4) } else { (rng.usize(1..=14), 0) };
    let text = is_wide.then(|| "x".repeat(MAX_ATTRIBUTE_BYTES));
    let mut ms: u64 = 200_000;
    for index in 0..clicks {
        let step = [0, 500, 4_000, 9_999, 10_000, 15_000, 30_000][rng.usize(shortest_step..7)];
        ms = if rng.u8(..5) == 0 { ms.saturating_sub(step) } else { ms + step };
        let place = rng.usize(..shards.len());
        let shard = &mut shards[place];
        let text = || text.as_deref().map(Into::into);
        shard.push(BatchClick {
            index,
            cursor_key: cursor_key(place),
            sequence_number: SequenceNumber::parse((shard.len() + 8).to_string()).expect("digits"), // passes 9 and 10
            click: Click {
                user_id: UserId::new(["u", "v"][usize::from(rng.u8(..4) == 0)]).expect("valid"),
                time: EventTime::from_ms(ms).expect("before 10000"),
                attributes: Attributes { event_name: text(), event_type: text(), device_type: text() },
            },
        });
    }
    shards
}

fn cursor_key(shard: usize) -> CursorKey {
    CursorKey::new(format!("shard{shard}"))
}

/// Delivers everything until each shard's last record is checkpointed, then lets the zombies finish. Returns the counts
/// of the invocations that finished in time.
async fn deliver(rng: &mut Rng, shards: &[Shard], memory: &Memory) -> Report {
    let mut counted = Report::default();
    let mut now_ms = 1_000;
    let mut checkpoints = vec![0; shards.len()];
    let mut zombies: Vec<Invocation<'_>> = Vec::new();
    loop {
        let open: Vec<_> = (0..shards.len()).filter(|shard| checkpoints[*shard] < shards[*shard].len()).collect();
        let Some(shard) = rng.choice(open) else { break };
        let from = checkpoints[shard];
        let longest = if rng.bool() { 5 } else { shards[shard].len() };
        let to = shards[shard].len().min(from + rng.usize(1..=longest));
        let mut invocation = Invocation::on(memory, rng, &shards[shard][from..to], now_ms);
        now_ms += rng.u64(..2);
        let answers = loop {
            if !zombies.is_empty() && rng.bool() {
                let zombie = rng.usize(..zombies.len());
                if zombies[zombie].advance().await.is_some() || rng.u8(..32) == 0 {
                    zombies.swap_remove(zombie);
                }
            }
            match rng.u8(..32) {
                0 => break true,  // it runs out of time and reports what is done
                1 => break false, // it dies, or outlives the redelivery of its batch
                _ => {}
            }
            if let Some(report) = invocation.advance().await {
                let (all, done) = (invocation.clicks, invocation.clicks - invocation.progress.count_undone());
                let clicks = report.applied + report.late + report.already_applied;
                assert!(done == all || invocation.client.was_denied(), "{done} of {all} clicks are done");
                assert!((done as u64..=all as u64).contains(&clicks), "{done} of {all} clicks are done, {report:?}");
                counted += report;
                break true;
            }
        };
        if answers {
            // A checkpoint may lag behind the progress, or be lost.
            let done = from + invocation.done();
            checkpoints[shard] = [done, done, done, rng.usize(from..=done), from][rng.usize(..5)];
        } else if rng.bool() {
            zombies.push(invocation);
        }
    }
    for mut zombie in zombies {
        while zombie.advance().await.is_none() {}
    }
    counted
}

/// A user's clicks in commit order, reconstructed from the cursors of the commits.
fn committed_clicks(user_id: &UserId, commits: &[(UserId, UserState)], shards: &[Shard]) -> Vec<Click> {
    let mut clicks = Vec::new();
    let mut before: Option<&UserState> = None;
    for (_, state) in commits.iter().filter(|(committed, _)| committed == user_id) {
        for (key, shard) in (0..).map(cursor_key).zip(shards) {
            let reached = |state: Option<&UserState>| Some(state?.cursors.get(&key)?.sequence_number.clone());
            let (old, new) = (reached(before), reached(Some(state)));
            let is_new = |number: &SequenceNumber| Some(number) > old.as_ref() && Some(number) <= new.as_ref();
            let applied =
                shard.iter().filter(|click| click.click.user_id == *user_id && is_new(&click.sequence_number));
            clicks.extend(applied.map(|click| click.click.clone()));
        }
        before = Some(state);
    }
    clicks
}

type Published = (EventTime, Status);

/// The sessions table, without tombstones, after the sink stored `stream` in random order and partly twice.
fn table_of(rng: &mut Rng, user_id: &UserId, stream: &[Boundary]) -> BTreeMap<u64, Published> {
    let mut stream: Vec<_> = stream.iter().filter(|boundary| boundary.user_id == *user_id).collect();
    let again: Vec<_> = stream.iter().filter(|_| rng.u8(..3) == 0).copied().collect();
    stream.extend(again);
    rng.shuffle(&mut stream);
    let mut table: BTreeMap<u64, (Version, Published)> = BTreeMap::new();
    for boundary in stream {
        let ordinal =
            boundary.session_id.rsplit_once('_').and_then(|(_, ordinal)| ordinal.parse().ok()).expect("an id");
        if table.get(&ordinal).is_none_or(|(version, _)| *version < boundary.version) {
            let told = (boundary.session_timestamp, boundary.status.expect("a status"));
            table.insert(ordinal, (boundary.version, told));
        }
    }
    without_tombstones(table.into_iter().map(|(ordinal, (_, told))| (ordinal, told)))
}

fn without_tombstones(sessions: impl Iterator<Item = (u64, Published)>) -> BTreeMap<u64, Published> {
    sessions.filter(|(_, (_, status))| *status != Status::Retracted).collect()
}

/// The rule's result for the clicks in commit order.
fn truth(clicks: &[Click]) -> (BTreeMap<u64, Published>, UserSessions) {
    let (mut table, mut sessions) = (BTreeMap::new(), None);
    for click in clicks {
        let applied = apply(sessions.take(), click, RULE.gap);
        for session in applied.touched {
            table.insert(session.ordinal, (session.start, session.status));
        }
        sessions = Some(applied.sessions);
    }
    (without_tombstones(table.into_iter()), sessions.expect("at least one click"))
}

fn sorted_times<'c>(clicks: impl Iterator<Item = &'c Click>) -> Vec<EventTime> {
    let mut times: Vec<_> = clicks.map(|click| click.time).collect();
    times.sort_unstable();
    times
}

async fn run(seed: u64) -> Report {
    let mut rng = Rng::with_seed(seed);
    let shards = shards_of_clicks(&mut rng);
    let memory = Memory::default();
    let counted = deliver(&mut rng, &shards, &memory).await;

    let Contents { states, commits, stream } = memory.into_contents();
    let stream: Vec<_> = stream.iter().map(|data| Boundary::decode(data).expect("a boundary")).collect();
    for user_id in ["u", "v"].map(|id| UserId::new(id).expect("valid")) {
        let sent = shards.iter().flatten().map(|click| &click.click).filter(|click| click.user_id == user_id);
        let sent = sorted_times(sent);
        let clicks = committed_clicks(&user_id, &commits, &shards);
        assert_eq!(sorted_times(clicks.iter()), sent, "seed {seed}: a click of {user_id} was applied twice or never");
        if sent.is_empty() {
            assert!(!states.contains_key(&user_id), "seed {seed}: a state without clicks");
            continue;
        }

        let (table, sessions) = truth(&clicks);
        assert_eq!(states[&user_id].sessions, sessions, "seed {seed}: the state of {user_id}");
        assert_eq!(table_of(&mut rng, &user_id, &stream), table, "seed {seed}: the sessions table of {user_id}");
    }
    counted
}

/// Runs the seeds that leave the remainder `thread` when divided by `threads`.
fn run_share(thread: u64, threads: u64) -> Report {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut counted = Report::default();
        for seed in (0..SEEDS).filter(|seed| seed % threads == thread) {
            counted += run(seed).await;
        }
        counted
    })
}

#[test]
fn table_matches_the_commit_order_under_crashes_redeliveries_and_races() {
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let mut counted = Report::default();
    std::thread::scope(|scope| {
        let shares: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run_share(thread, threads))).collect();
        for share in shares {
            counted += share.join().expect("a seed failed");
        }
    });
    let Report { applied, late, already_applied, started, closed, merged, shard_switches, lost_races, .. } = counted;
    let seen = [applied, late, already_applied, started, closed, merged, shard_switches, lost_races];
    assert!(seen.iter().all(|count| *count > SEEDS / 100), "the seeds do not cover every case: {counted:?}");
}
