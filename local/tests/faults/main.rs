//! Both functions under selected faults: every single fault at every call of small scenarios, pairs of faults for the
//! smallest one, crashes at every call, copies that outlive their successors, and random faults over longer streams.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod every_fault;
mod overtaken;
mod random;
mod scenarios;
mod trial;
mod world;
