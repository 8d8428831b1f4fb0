//! The whole pipeline in one process: the functions' own handlers between embedded streams and tables.
//!
//! In the order in which data flows: the [`producer`] puts an [`input`]'s [`lines`] into click-stream, no faster than
//! its shards accept them ([`pace`]), and remembers [`line_numbers`]; event source mappings invoke the handlers
//! ([`functions`], wired up in [`pipeline`]), a schedule its [`sweeps`]; boundaries are written as they are published
//! ([`tap`], [`boundary_writer`], [`boundary_line`]); the tables are read and written to an [`output`] ([`export`]).
//! [`run`] does this for a file, [`walkthrough`] for a few minutes of clicks in a [shop](ops::shop), and [`serve`] for
//! any client and, in a browser, for the live [`page`]; clicks may be in the format of any of the [`sources`].
//! [`chaos`] injects faults, through its own [`staging`] of the functions.
//!
//! Nothing here reads the environment, so nothing here can call an AWS account: every client comes from `local-aws` and
//! points to its embedded services. `tests/no_account.rs` checks this.

pub mod error;

pub mod sources;

pub mod input;
pub mod line_numbers;
pub mod lines;
pub mod pace;
pub mod producer;

pub mod functions;
pub mod pipeline;
pub mod staging;
pub mod sweeps;
pub mod tap;

pub mod boundary_line;
pub mod boundary_writer;
pub mod export;
pub mod output;
mod outputs;
pub mod summary;

pub mod chaos;
pub mod page;
pub mod run;
pub mod serve;
pub mod walkthrough;
