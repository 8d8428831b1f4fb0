//! Small streams, each for one situation that faults could break.

use crate::setup::{Setup, USUAL};

/// A record of a scenario: its shard, its sequence number there, and its content.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub shard: &'static str,
    pub number: u64,
    pub content: Content,
}

#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// A click of this user at this time, in milliseconds.
    Click(&'static str, u64),
    /// An unreadable record.
    Poison,
    /// A record of this user without a time.
    Rejected(&'static str),
    /// A record that holds these, aggregated.
    Aggregated(&'static [Self]),
    /// A record that holds these, one to a line.
    Lines(&'static [Self]),
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A batch of one shard is delivered until it is done.
    Batch(&'static [Sent]),
    /// Sweeps, with a clock so many seconds ahead, until one succeeds.
    Sweep(i64),
    /// The sink stores all that was published.
    Store,
    /// A user is forgotten.
    Forget(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub setup: Setup,
    pub steps: &'static [Step],
    /// Whether the disorder is within the lateness, so that the sorted stream gives the same sessions.
    pub is_within_lateness: bool,
}

const fn click(shard: &'static str, number: u64, user: &'static str, ms: u64) -> Sent {
    Sent { shard, number, content: Content::Click(user, ms) }
}

const fn poison(shard: &'static str, number: u64) -> Sent {
    Sent { shard, number, content: Content::Poison }
}

/// A record that is rejected, of this user.
const fn rejected(shard: &'static str, number: u64, user: &'static str) -> Sent {
    Sent { shard, number, content: Content::Rejected(user) }
}

const fn several(number: u64, content: Content) -> Sent {
    Sent { shard: "s", number, content }
}

const fn scenario(name: &'static str, steps: &'static [Step]) -> Scenario {
    Scenario { name, setup: USUAL, steps, is_within_lateness: true }
}

use Content::{Aggregated, Click, Lines, Poison};
use Step::{Batch, Forget, Store, Sweep};

const TWO_BUCKETS: Setup = Setup { buckets: 2, ..USUAL };

const HOUR: i64 = 3_600;
const YEAR: i64 = 365 * 24 * HOUR;

pub const NEW_USER: Scenario = scenario("new user", &[Batch(&[click("s", 1, "a", 100_000)])]);

/// All with a session gap of 10 s and rings of three slots. Where there are two buckets, a and b do not share one.
pub const ALL: [Scenario; 14] = [
    NEW_USER,
    scenario("gap", &[Batch(&[click("s", 1, "a", 100_000)]), Batch(&[click("s", 2, "a", 115_000)])]),
    scenario(
        "late click that merges",
        &[
            Batch(&[click("s", 1, "a", 100_000), click("s", 2, "a", 112_000)]),
            Batch(&[click("s", 3, "a", 106_000), click("s", 4, "a", 130_000)]),
        ],
    ),
    scenario(
        "late click that moves a start",
        &[Batch(&[click("s", 1, "a", 100_000)]), Batch(&[click("s", 2, "a", 95_000), click("s", 3, "a", 103_000)])],
    ),
    Scenario {
        name: "two users in two buckets",
        setup: TWO_BUCKETS,
        is_within_lateness: true,
        steps: &[
            Batch(&[click("s", 1, "a", 100_000), click("s", 2, "b", 100_000)]),
            Batch(&[click("s", 3, "b", 111_000), click("s", 4, "a", 105_000), click("s", 5, "a", 120_000)]),
        ],
    },
    scenario("rejected record", &[Batch(&[click("s", 1, "a", 100_000), poison("s", 2), click("s", 3, "a", 111_000)])]),
    Scenario {
        name: "several clicks in a record, which several commits take",
        setup: Setup { is_cramped: true, ..TWO_BUCKETS },
        is_within_lateness: true,
        steps: &[
            Batch(&[several(
                1,
                Aggregated(&[
                    Click("a", 100_000),
                    Click("b", 100_000),
                    Poison,
                    Click("a", 115_000),
                    Lines(&[Click("c", 101_000), Click("a", 130_000)]),
                ]),
            )]),
            Batch(&[
                several(2, Lines(&[Poison, Click("b", 111_000), Click("a", 107_000)])),
                click("s", 3, "c", 120_000),
            ]),
        ],
    },
    scenario(
        "several sessions within one batch",
        &[Batch(&[
            click("s", 1, "a", 100_000),
            click("s", 2, "a", 110_000),
            click("s", 3, "a", 125_000),
            click("s", 4, "a", 121_000),
        ])],
    ),
    scenario(
        "one user on two shards",
        &[
            Batch(&[click("s", 1, "a", 100_000)]),
            Batch(&[click("t", 1, "a", 109_000), click("t", 2, "a", 112_000)]),
            Batch(&[click("s", 2, "a", 105_000), click("s", 3, "a", 125_000)]),
        ],
    ),
    scenario(
        "session that goes on after a sweep",
        &[
            Batch(&[click("s", 1, "a", 100_000), click("s", 2, "b", 100_000)]),
            Sweep(HOUR),
            Batch(&[click("s", 3, "a", 105_000)]),
        ],
    ),
    scenario(
        "late click that merges after a sweep",
        &[
            Batch(&[click("s", 1, "a", 100_000), click("s", 2, "a", 112_000)]),
            Sweep(HOUR),
            Batch(&[click("s", 3, "a", 106_000)]),
        ],
    ),
    scenario(
        "user who leaves the log and comes back",
        &[
            Batch(&[click("s", 1, "a", 100_000)]),
            Sweep(HOUR),
            Batch(&[click("s", 2, "c", 100_000)]),
            Batch(&[click("s", 3, "c", 101_000)]),
            Batch(&[click("s", 4, "a", 104_000), click("s", 5, "a", 140_000)]),
        ],
    ),
    scenario(
        "sweeps of a wrong clock",
        &[
            Batch(&[click("s", 1, "a", 100_000)]),
            Sweep(YEAR),
            Sweep(-HOUR),
            Batch(&[click("s", 2, "a", 120_000), click("s", 3, "c", 120_000)]),
        ],
    ),
    Scenario {
        name: "click later than any promise",
        setup: Setup { lateness_seconds: 20, skew_seconds: 10, ..USUAL },
        steps: &[
            Batch(&[click("s", 1, "a", 100_000), click("s", 2, "a", 150_000)]),
            Batch(&[click("s", 3, "a", 105_000), click("s", 4, "a", 130_000)]),
        ],
        is_within_lateness: false,
    },
];

/// User a has been at rest and is under way again, has a session that was retracted, some that the sink has not stored
/// yet, and a rejected record.
pub const FORGETTING: Scenario = scenario(
    "user who is forgotten and clicks again",
    &[
        Batch(&[click("s", 1, "a", 100_000), rejected("s", 2, "a"), click("s", 3, "b", 100_000)]),
        Sweep(HOUR),
        Batch(&[click("s", 4, "c", 100_000)]),
        Batch(&[click("s", 5, "c", 101_000)]),
        Store,
        Batch(&[click("s", 6, "a", 112_000), rejected("s", 7, "b"), click("s", 8, "a", 130_000)]),
        Batch(&[click("s", 9, "b", 101_000), click("s", 10, "a", 106_000)]),
        Forget("a"),
        Batch(&[click("s", 11, "a", 109_000), click("s", 12, "b", 105_000), click("s", 13, "a", 120_000)]),
    ],
);
