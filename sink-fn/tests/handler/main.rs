//! The sink's handler over a real SDK client and an embedded DynamoDB: idempotent, indifferent to order, nothing lost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod world;

mod faults;
mod versions;
