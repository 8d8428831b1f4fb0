//! Reproducible measurements of both functions: the cost of a click and the duration of a cold start.
//!
//! Times are CPU times where possible, because a busy machine hardly affects them. The embedded services run in their
//! own process, which separates their cost from the functions'. In order of use: the clicks of a batch ([`workload`]) and
//! of hours ([`population`]), as events ([`event`]) and as stored state ([`stored`]), perhaps with columns
//! ([`typical_columns`]); the services ([`services`]), the
//! calls to them ([`meter`], [`delay`]), tables that count what they would cost ([`counting_tables`]), and tables as a
//! long run leaves them ([`prepared`]); the measurements ([`decode`], [`records`], [`invocation`], [`units`] with
//! [`simulation`] and [`shares`], [`coldstart`], [`latency`], [`poison`]). The functions must not depend on this crate.

pub mod cpu;
pub mod error;
pub mod table;

pub mod event;
pub mod population;
pub mod stored;
pub mod typical_columns;
pub mod workload;

pub mod counting_tables;
pub mod delay;
pub mod meter;
pub mod prepared;
pub mod runtime_api;
pub mod services;

pub mod coldstart;
pub mod decode;
pub mod invocation;
pub mod latency;
pub mod poison;
pub mod records;
pub mod shares;
pub mod simulation;
pub mod units;
