//! The whole pipeline in one process: the functions' own handlers between embedded streams and tables.
//!
//! In the order in which data flows: an [`input`]'s [`lines`] are put into click-stream ([`producer`], which remembers
//! [`line_numbers`]) no faster than its shards take them ([`pace`]), the handlers are invoked with what the streams bring
//! ([`functions`], wired up in [`pipeline`]), boundaries are written as they land ([`tap`], [`boundary_writer`], [`boundary_line`]), and the
//! tables are read and written to an [`output`] ([`export`]). [`run`] does that for a file, [`walkthrough`] for a few minutes
//! of made-up clicks, and [`serve`] for any client; [`chaos`] runs streams under faults, by another [`staging`] of the
//! functions.
//!
//! Nothing here reads the environment, so nothing here can reach an AWS account: every client comes from `local-aws` and
//! leads to its embedded services. `tests/no_account.rs` holds it to that.

pub mod error;

pub mod input;
pub mod line_numbers;
pub mod lines;
pub mod pace;
pub mod producer;

pub mod functions;
pub mod pipeline;
pub mod staging;
pub mod tap;

pub mod boundary_line;
pub mod boundary_writer;
pub mod export;
pub mod output;
mod outputs;
pub mod summary;

pub mod chaos;
pub mod run;
pub mod serve;
pub mod walkthrough;
