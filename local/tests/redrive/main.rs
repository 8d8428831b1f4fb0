//! Rejected records put back into their streams: what becomes of them, and of those that Kinesis refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod refusals;
mod second_try;
