//! The sessionizer's handler with real SDK clients and embedded servers: what design sections 3 to 6 require of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod calls;
mod expected;
mod results;
mod world;

mod begun_again;
mod columns;
mod costs;
mod damaged;
mod denials;
mod emptied;
mod faults;
mod flood;
mod formats;
mod leaving;
mod limits;
mod outbox;
mod places;
mod races;
mod redelivery;
mod rejected;
mod rejected_floods;
mod sessions;
mod settings;
mod shards;
mod sizes;
mod sweep_clock;
mod sweeps;
mod throttled_leaving;
mod turns;
