//! Both functions under chosen faults: every single one at every call of small scenarios, pairs of them for the
//! smallest, deaths at every call, copies that outlive their successors, and random ones over longer streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod every_fault;
mod overtaken;
mod random;
mod scenarios;
mod trial;
mod world;
