//! Redrives in which a service rejects calls. `local/tests/redriven_records.rs` follows accepted records through the
//! pipeline.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod refusals;
