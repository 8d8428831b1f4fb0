//! template.yaml compared with the code and the pages: variables, parameters, permissions, metrics.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod metrics;
mod permissions;
mod session_ends;
mod template;
mod variables;
