//! Small streams, each for one situation that faults could break.

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
}

/// The batches in order of delivery, each from one shard.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub batches: &'static [&'static [Sent]],
}

const fn click(shard: &'static str, number: u64, user: &'static str, ms: u64) -> Sent {
    Sent { shard, number, content: Content::Click(user, ms) }
}

const fn poison(shard: &'static str, number: u64) -> Sent {
    Sent { shard, number, content: Content::Poison }
}

pub const NEW_USER: Scenario = Scenario { name: "new user", batches: &[&[click("s", 1, "a", 100_000)]] };

/// All with a session gap of 10 s.
pub const ALL: [Scenario; 8] = [
    NEW_USER,
    Scenario { name: "gap", batches: &[&[click("s", 1, "a", 100_000)], &[click("s", 2, "a", 115_000)]] },
    Scenario {
        name: "late click that merges",
        batches: &[
            &[click("s", 1, "a", 100_000), click("s", 2, "a", 112_000)],
            &[click("s", 3, "a", 106_000), click("s", 4, "a", 130_000)],
        ],
    },
    Scenario {
        name: "late click that moves a start",
        batches: &[&[click("s", 1, "a", 100_000)], &[click("s", 2, "a", 95_000), click("s", 3, "a", 103_000)]],
    },
    Scenario {
        name: "two users",
        batches: &[
            &[click("s", 1, "a", 100_000), click("s", 2, "b", 100_000)],
            &[click("s", 3, "b", 111_000), click("s", 4, "a", 105_000), click("s", 5, "a", 120_000)],
        ],
    },
    Scenario {
        name: "rejected record",
        batches: &[&[click("s", 1, "a", 100_000), poison("s", 2), click("s", 3, "a", 111_000)]],
    },
    Scenario {
        name: "several sessions within one batch",
        batches: &[&[
            click("s", 1, "a", 100_000),
            click("s", 2, "a", 110_000),
            click("s", 3, "a", 125_000),
            click("s", 4, "a", 121_000),
        ]],
    },
    Scenario {
        name: "one user on two shards",
        batches: &[
            &[click("s", 1, "a", 100_000)],
            &[click("t", 1, "a", 109_000), click("t", 2, "a", 112_000)],
            &[click("s", 2, "a", 105_000), click("s", 3, "a", 125_000)],
        ],
    },
];
