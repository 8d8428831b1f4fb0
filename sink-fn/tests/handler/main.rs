//! The sink's handler with a real SDK client and an embedded DynamoDB: idempotent, independent of order, lossless.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod world;

mod columns;
mod faults;
mod versions;
