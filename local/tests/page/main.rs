//! The live page of `serve` as a user sees it: the built program, in a headless browser.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod browser;
mod screenshot;
mod served;
