//! The event source mapping over the embedded Kinesis, called through the SDK.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "event_source_mapping/batches.rs"]
mod batches;
#[path = "event_source_mapping/bench.rs"]
mod bench;
#[path = "event_source_mapping/failures.rs"]
mod failures;
#[path = "event_source_mapping/lifecycle.rs"]
mod lifecycle;
#[path = "event_source_mapping/order.rs"]
mod order;
#[path = "event_source_mapping/reading.rs"]
mod reading;
