//! Each command of `sessionctl` against the embedded services, with the real functions as the ones who write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod active;
mod forget;
mod forget_races;
mod produce;
mod sessions;
mod state;
mod stub;
mod tables;
mod watch;
mod world;
