//! Rejected records put back into their streams: what becomes of those that a service refuses.
//! `local/tests/redriven_records.rs` follows those that are accepted through the pipeline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod refusals;
