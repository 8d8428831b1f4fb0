//! Measurements of both functions that anyone can run again: what a click costs, and what a cold start takes.
//!
//! Time is CPU time, as far as it can be: a busy machine hardly changes it. The embedded services run in a process of
//! their own, so that a function's part can be told from theirs. In the order in which they are needed: what clicks
//! there are ([`workload`]), as events ([`event`]) and as states stored before ([`stored`]); the services
//! ([`services`]) and what is asked of them ([`meter`]); the measurements themselves ([`records`], [`invocation`],
//! [`coldstart`], [`latency`], [`poison`]). Nothing here may be needed by the functions.

pub mod cpu;
pub mod error;
pub mod table;

pub mod event;
pub mod stored;
pub mod workload;

pub mod meter;
pub mod runtime_api;
pub mod services;

pub mod coldstart;
pub mod invocation;
pub mod latency;
pub mod poison;
pub mod records;
