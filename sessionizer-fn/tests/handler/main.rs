//! The sessionizer's handler with real SDK clients and embedded servers: what design section 5 requires of a handler.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod world;

mod faults;
mod flood;
mod limits;
mod races;
mod redelivery;
mod rejected;
mod sessions;
