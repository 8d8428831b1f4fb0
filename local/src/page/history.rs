//! The latest events, for browsers that connect later or reconnect.
//!
//! Bounded for each kind and in bytes. An event that is dropped is gone: a browser that has missed one starts over with
//! what is left.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A boundary was published to session-stream.
    Boundary,
    /// A click was put into click-stream.
    Click,
    /// A record was stored in the rejected-records table.
    Rejected,
}

impl Kind {
    const EACH: [Self; 3] = [Self::Boundary, Self::Click, Self::Rejected];

    /// The event's name in the browser.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boundary => "boundary",
            Self::Click => "click",
            Self::Rejected => "rejected",
        }
    }

    /// Maximum number of events kept.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::Boundary => 2_000,
            Self::Click => 4_000,
            Self::Rejected => 200,
        }
    }
}

/// Maximum size of all events kept, in bytes. Usual ones take 2 MB; this bounds unusual ones.
pub(crate) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its place among all events.
    pub(crate) id: EventId,
    /// What happened.
    pub(crate) kind: Kind,
    /// Its details, as JSON in one line.
    pub(crate) data: Arc<str>,
}

/// Names an event across reconnections: the run of `serve` and the event's number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    run: u64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.run, self.number)
    }
}

impl FromStr for EventId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, number) = text.split_once('-').ok_or(())?;
        Ok(Self { run: run.parse().map_err(|_| ())?, number: number.parse().map_err(|_| ())? })
    }
}

/// What a browser still has to receive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Whether it must forget what it has, because `events` does not continue it.
    pub(crate) starts_over: bool,
    /// The events in order.
    pub(crate) events: Vec<Kept>,
}

/// The events kept.
#[derive(Debug)]
pub(crate) struct History {
    run: u64,
    last: u64,
    /// The latest event that was dropped.
    dropped: u64,
    events: BTreeMap<u64, (Kind, Arc<str>)>,
    /// The numbers of the events of each kind, in order.
    numbers: [VecDeque<u64>; Kind::EACH.len()],
    bytes: usize,
}

impl History {
    /// An empty history of the run with this number.
    pub(crate) fn new(run: u64) -> Self {
        Self { run, last: 0, dropped: 0, events: BTreeMap::new(), numbers: Default::default(), bytes: 0 }
    }

    /// Adds an event whose details are JSON in one line.
    pub(crate) fn push(&mut self, kind: Kind, data: String) {
        self.last += 1;
        self.bytes += data.len();
        self.events.insert(self.last, (kind, data.into()));
        self.numbers[kind as usize].push_back(self.last);
        if self.numbers[kind as usize].len() > kind.most()
            && let Some(number) = self.numbers[kind as usize].front().copied()
        {
            self.drop_event(number);
        }
        while self.bytes > MAX_BYTES
            && let Some(number) = self.events.keys().next().copied()
        {
            self.drop_event(number);
        }
    }

    /// Drops an event, the oldest of its kind.
    fn drop_event(&mut self, number: u64) {
        if let Some((kind, data)) = self.events.remove(&number) {
            self.bytes -= data.len();
            self.numbers[kind as usize].pop_front();
            self.dropped = self.dropped.max(number);
        }
    }

    /// What a browser that has received `seen` and everything before it does not have yet.
    pub(crate) fn after(&self, seen: Option<EventId>) -> Missing {
        let continues = seen.filter(|id| id.run == self.run && (self.dropped..=self.last).contains(&id.number));
        let from = continues.map_or(0, |id| id.number + 1);
        let events = self.events.range(from..).map(|(number, (kind, data))| Kept {
            id: EventId { run: self.run, number: *number },
            kind: *kind,
            data: Arc::clone(data),
        });
        Missing { starts_over: continues.is_none(), events: events.collect() }
    }

    /// The latest event, or the beginning of the run.
    pub(crate) fn last(&self) -> EventId {
        EventId { run: self.run, number: self.last }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u64 = 1_721_390_000_000;

    fn seen(number: u64) -> Option<EventId> {
        Some(EventId { run: RUN, number })
    }

    fn numbers(missing: &Missing) -> Vec<u64> {
        missing.events.iter().map(|event| event.id.number).collect()
    }

    #[test]
    fn the_latest_events_of_each_kind_are_kept() {
        let mut history = History::new(RUN);
        for number in 0..5_000 {
            history.push(Kind::Boundary, number.to_string());
            if number % 1_000 == 0 {
                history.push(Kind::Click, number.to_string());
            }
        }
        let all = history.after(None);
        let of = |kind: Kind| all.events.iter().filter(move |event| event.kind == kind).map(|event| &*event.data);
        assert_eq!(of(Kind::Boundary).count(), 2_000);
        assert_eq!(of(Kind::Boundary).next(), Some("3000"));
        assert_eq!(of(Kind::Click).collect::<Vec<_>>(), ["0", "1000", "2000", "3000", "4000"]);
        assert!(numbers(&all).is_sorted());
        assert!(all.starts_over);
    }

    #[test]
    fn large_events_displace_more_of_the_older_ones() {
        let mut history = History::new(RUN);
        history.push(Kind::Click, "1".to_owned());
        for _ in 0..20 {
            history.push(Kind::Boundary, "x".repeat(1024 * 1024));
        }
        assert_eq!(numbers(&history.after(None)), (6..=21).collect::<Vec<_>>());
        history.push(Kind::Rejected, "x".repeat(MAX_BYTES + 1));
        assert_eq!(history.after(None).events, [], "an event over the limit is not kept");
        history.push(Kind::Click, "2".to_owned());
        assert_eq!(numbers(&history.after(None)), [23]);
    }

    #[test]
    fn a_browser_that_reconnects_gets_what_it_missed_and_nothing_twice() {
        let mut history = History::new(RUN);
        for number in 1..=10 {
            history.push(Kind::Click, number.to_string());
        }
        let missing = history.after(seen(7));
        assert_eq!((missing.starts_over, numbers(&missing)), (false, vec![8, 9, 10]));
        assert_eq!(history.after(Some(history.last())), Missing { starts_over: false, events: Vec::new() });
    }

    #[test]
    fn a_browser_starts_over_if_it_has_missed_an_event_or_comes_from_another_run() {
        let mut history = History::new(RUN);
        for _ in 0..Kind::Rejected.most() + 5 {
            history.push(Kind::Rejected, String::new());
        }
        assert!(!history.after(seen(5)).starts_over, "events 1 to 5 were dropped");
        for id in [seen(4), seen(206), Some(EventId { run: RUN - 1, number: 100 }), None] {
            let missing = history.after(id);
            assert_eq!((missing.starts_over, missing.events.len()), (true, 200), "{id:?}");
        }
    }

    #[test]
    fn an_event_id_is_read_as_it_was_written_and_anything_else_is_refused() {
        let id = EventId { run: RUN, number: 7 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "-", "7", "1-", "-1", "1-x", "1-2-3", "99999999999999999999-1"] {
            assert_eq!(text.parse::<EventId>(), Err(()), "{text}");
        }
    }
}
