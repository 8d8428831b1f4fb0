//! Checks template.yaml against the code and the README: variables, permissions, metrics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod metrics;
mod permissions;
mod template;
mod variables;
