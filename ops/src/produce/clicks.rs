//! Makes a load's records, one after the other.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::produce::load::Load;
use crate::produce::mix::{Kind, Mix};
use crate::produce::seats::Seats;
use crate::shop::{self, Fault};

/// A duplicate repeats one of this many clicks, the last ones that were on time: those of a producer that sends a
/// request again.
const RECENT: usize = 100;

/// A record to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) partition_key: String,
    pub(super) data: Vec<u8>,
}

/// Makes the records of a load, in the default format of clicks. The same seed makes the same records, except for their
/// times, as long as the stream keeps up.
#[derive(Clone, Debug)]
pub(super) struct Clicks {
    rng: Rng,
    mix: Mix,
    seats: Seats,
    recent: VecDeque<Record>,
    late_by_ms: u64,
    broken: usize,
}

impl Clicks {
    pub(super) fn of(load: &Load) -> Self {
        let mut rng = Rng::with_seed(load.options().seed);
        let (mix, seats) = (Mix::of(load), Seats::of(load, &mut rng));
        let late_by_ms = u64::try_from(load.late_by().as_millis()).unwrap_or(u64::MAX);
        Self { rng, mix, seats, recent: VecDeque::with_capacity(RECENT), late_by_ms, broken: 0 }
    }

    /// How many records are still to be made.
    pub(super) fn left(&self) -> u64 {
        self.mix.left()
    }

    /// Whose turns it was.
    pub(super) fn seats(&self) -> &Seats {
        &self.seats
    }

    /// The next record, made at `now_ms` (Unix milliseconds), unless all are made.
    pub(super) fn next(&mut self, now_ms: u64) -> Option<Record> {
        let kind = self.mix.draw(&mut self.rng)?;
        Some(match kind {
            Kind::OnTime => self.on_time(now_ms),
            Kind::Late => {
                let late_ms = self.rng.u64(self.late_by_ms.div_ceil(2)..=self.late_by_ms);
                let user = self.anyone();
                self.click(kind, user, now_ms.saturating_sub(late_ms))
            }
            Kind::Duplicate => {
                let place = self.rng.usize(..self.recent.len());
                Record { kind, ..self.recent[place].clone() }
            }
            Kind::Broken => {
                let (fault, user) = (Fault::ALL[self.broken % Fault::ALL.len()], self.anyone());
                self.broken += 1;
                let data = shop::broken(&mut self.rng, &user, fault, now_ms);
                Record { kind, partition_key: user, data }
            }
        })
    }

    fn on_time(&mut self, now_ms: u64) -> Record {
        let user = name(self.seats.click(now_ms, &mut self.rng));
        let record = self.click(Kind::OnTime, user, now_ms);
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
        record
    }

    fn click(&mut self, kind: Kind, user: String, time_ms: u64) -> Record {
        let data = shop::click(&mut self.rng, &user, time_ms);
        Record { kind, partition_key: user, data }
    }

    fn anyone(&mut self) -> String {
        name(self.seats.anyone(&mut self.rng))
    }
}

/// A name that cannot be mistaken for a customer's.
fn name(user: u32) -> String {
    format!("load-{user}")
}

#[cfg(test)]
#[path = "clicks_tests.rs"]
mod tests;
