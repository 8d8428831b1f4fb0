//! Both functions under selected faults: every single fault at every call of small scenarios, pairs of faults for the
//! smallest one, crashes at every call, copies that outlive their successors, and random faults over longer streams. In
//! some of them a user is forgotten.

#![recursion_limit = "256"] // handlers are deeply nested futures
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, unreachable_pub)]

mod emptied;
mod environments;
mod every_fault;
mod forgetting;
mod hostile;
mod injection;
mod overtaken;
mod random;

mod scenarios;
mod setup;
mod stream;
mod trial;
mod world;
