//! Puts click sessions into a stream at a steady rate: the clicks of the demo's [`shop`](crate::shop) for many users,
//! with a share of late, duplicate and broken records.
//!
//! A [`Load`] says what to put and [`Produced`] what became of it. In between, `pace` says when records are due, `mix`
//! what each of them is, `seats` who clicks; `clicks` makes them, and `sender` puts them.
//!
//! Memory is bounded by the number of users and of requests, whatever the rate and the duration.

mod clicks;
mod load;
mod mix;
mod pace;
mod produced;
mod seats;
mod sender;
mod share;

use std::pin::pin;

use aws_sdk_kinesis::Client;
use kinesis_function::limits::MAX_RECORDS_PER_PUT;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::time_text::now_ms;
use clicks::Clicks;
pub use load::{Load, MAX_RATE, MAX_SECONDS, MAX_USERS, MIN_USERS, Options};
use pace::{Pace, TICK};
pub use produced::{Produced, Progress};
use sender::Sender;
pub use share::{InvalidShare, MAX_SHARE, Share};

/// Puts `load` into the stream called `stream`, and reports to `on_progress` about twenty times a second.
///
/// A record that Kinesis throttles, or that fails otherwise, is put up to ten times, with pauses that take about five
/// seconds together. Then it is given up and counted. An error that no retry can help ends the load:
/// [`Produced::error`].
///
/// No record is made once `stop` resolves; those under way are still put. `abandon`, which is first polled then, gives
/// them up as well.
pub async fn produce(
    client: &Client,
    stream: &str,
    load: &Load,
    stop: impl Future<Output = ()>,
    abandon: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Produced),
) -> Produced {
    let begin = Instant::now();
    let mut producer = Producer {
        clicks: Clicks::of(load),
        pace: Pace::new(load.options().rate, begin),
        sender: Sender::new(client, stream),
    };
    let (mut stop, mut stopped) = (pin!(stop), false);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while producer.is_under_way() {
        tokio::select! {
            biased;
            () = &mut stop => {
                stopped = true;
                break;
            }
            _ = ticks.tick() => producer.put_what_is_due(),
        }
        producer.update(begin, &mut on_progress);
    }
    let mut abandon = pin!(async {
        if !stopped {
            stop.await;
        }
        abandon.await;
    });
    loop {
        tokio::select! {
            biased;
            () = &mut abandon => break,
            () = producer.sender.finish() => break,
            _ = ticks.tick() => producer.update(begin, &mut on_progress),
        }
    }
    producer.update(begin, |_| ());
    let mut produced = producer.sender.produced().clone();
    produced.give_up_the_rest();
    produced
}

struct Producer {
    clicks: Clicks,
    pace: Pace,
    sender: Sender,
}

impl Producer {
    /// Whether there are records to make, and no error stands against it.
    fn is_under_way(&self) -> bool {
        self.clicks.left() > 0 && self.sender.produced().error.is_none()
    }

    /// Makes the records that are due and puts them, unless too many requests are under way: then they are left for the
    /// next time.
    fn put_what_is_due(&mut self) {
        let mut due = self.pace.due(Instant::now());
        while due > 0 && self.sender.has_room() {
            let count = due.min(MAX_RECORDS_PER_PUT as u64);
            self.put(count);
            due -= count;
        }
    }

    /// Makes up to `count` records, all of which are due, and starts to put them.
    ///
    /// A record is a few hundred bytes, so that 500 of them are far below the limit of a request in bytes.
    fn put(&mut self, count: u64) {
        let (now, now_ms) = (Instant::now(), now_ms());
        let mut records = Vec::new();
        for _ in 0..count {
            let due = self.pace.make();
            let ago_ms = u64::try_from(now.duration_since(due).as_millis()).unwrap_or(u64::MAX);
            let Some(record) = self.clicks.next(now_ms.saturating_sub(ago_ms)) else { break };
            records.push(record);
        }
        let mut produced = self.sender.produced();
        records.iter().for_each(|record| produced.count(record.kind));
        drop(produced);
        if !records.is_empty() {
            self.sender.send(records);
        }
    }

    fn update(&self, begin: Instant, mut on_progress: impl FnMut(&Produced)) {
        let mut produced = self.sender.produced();
        produced.elapsed = begin.elapsed();
        produced.sessions = self.clicks.seats().sessions();
        produced.users = self.clicks.seats().clicked();
        let so_far = produced.clone();
        drop(produced); // requests do not wait for what shows progress
        on_progress(&so_far);
    }
}
