//! Random streams through the whole pipeline while batches are cut at random and delivered again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use embedded::event_source_mapping::DeliveryPolicy;
use fastrand::Rng;
use local::export;
use local::pipeline::{Options, Pipeline};
use local::producer::Producer;
use local::run::parameters;
use shared::session_rule::Status;

const GAP_MS: u64 = 10_000;

/// Cuts anywhere; forgets a part of what succeeded, every third time.
#[derive(Clone)]
struct AtRandom(Arc<Mutex<Rng>>);

impl DeliveryPolicy for AtRandom {
    fn cut(&self, fitting: usize) -> usize {
        self.0.lock().unwrap().usize(1..=fitting)
    }

    fn checkpoint(&self, succeeded: usize) -> usize {
        let mut rng = self.0.lock().unwrap();
        if rng.u8(..3) == 0 { rng.usize(0..=succeeded) } else { succeeded }
    }
}

/// User and event time of each click, none a gap or more behind its user's newest.
fn stream(rng: &mut Rng) -> Vec<(String, u64)> {
    let users = rng.u32(1..=12);
    let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
    let mut now = 1_721_390_400_000;
    let clicks = (0..rng.usize(50..=250)).map(|_| {
        let user = rng.u32(..users);
        now += rng.u64(..2 * GAP_MS) / u64::from(users);
        let newest = newest.entry(user).or_insert(0);
        let time = (now - rng.u64(..GAP_MS)).max((*newest + 1).saturating_sub(GAP_MS));
        *newest = time.max(*newest);
        (format!("user{user}"), time)
    });
    clicks.collect()
}

/// Start of each session, with end and count of those that another one follows.
type Sessions = BTreeMap<String, (u64, Option<(u64, u64)>)>;

fn sessions_of_sorted(clicks: &[(String, u64)]) -> Sessions {
    let mut times: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (user, ms) in clicks {
        times.entry(user).or_default().push(*ms);
    }
    let mut all = Sessions::new();
    for (user, mut times) in times {
        times.sort_unstable();
        let mut sessions: Vec<(u64, u64, u64)> = Vec::new();
        for ms in times {
            match sessions.last_mut() {
                Some((_, end, count)) if ms - *end < GAP_MS => (*end, *count) = (ms, *count + 1),
                _ => sessions.push((ms, ms, 1)),
            }
        }
        let last = sessions.len() - 1;
        let named = sessions
            .into_iter()
            .enumerate()
            .map(|(n, (start, end, count))| (format!("{user}_{n}"), (start, (n < last).then_some((end, count)))));
        all.extend(named);
    }
    all
}

async fn table_after(clicks: &[(String, u64)], rng: &mut Rng) -> (Sessions, u64) {
    let options = Options {
        parameters: parameters(None, None, Some(rng.u32(1..=4))),
        shards: Some(rng.u32(1..=3)),
        batch_size: Some(rng.u32(1..=100)),
        data_dir: None,
    };
    let policy = AtRandom(Arc::new(Mutex::new(rng.fork())));
    let pipeline = Pipeline::start_with_policy(options, policy).await.unwrap();
    let mut producer = Producer::new(pipeline.kinesis(), &pipeline.click_stream);
    for (user, ms) in clicks {
        let json = format!(r#"{{"user_id":"{user}","event_timestamp":{ms}}}"#);
        producer.take(user.clone(), json.into_bytes()).await.unwrap();
    }
    producer.flush().await.unwrap();
    pipeline.drain(clicks.len() as u64).await.unwrap();
    let sessions = export::sessions(&pipeline.dynamodb(), &pipeline.sessions_table).await.unwrap();
    let report = pipeline.sessionizer_total.now();
    assert_eq!(report.applied, clicks.len() as u64);
    let rows = sessions.into_iter().map(|session| {
        let summary = match session.status {
            Some(Status::Closed { end, event_count }) => Some((end.ms(), event_count)),
            _ => None,
        };
        (session.session_id, (session.session_timestamp.ms(), summary))
    });
    (rows.collect(), report.already_applied)
}

#[tokio::test(flavor = "multi_thread")]
async fn any_cuts_and_redeliveries_give_the_sessions_of_the_sorted_stream() {
    let mut redelivered = 0;
    for seed in 0..12 {
        let mut rng = Rng::with_seed(seed);
        let clicks = stream(&mut rng);
        let (table, already_applied) = table_after(&clicks, &mut rng).await;
        assert_eq!(table, sessions_of_sorted(&clicks), "seed {seed}");
        redelivered += already_applied;
    }
    assert!(redelivered > 100, "hardly anything was delivered again: {redelivered} clicks");
}
