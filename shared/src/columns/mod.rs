//! Columns that a deployment declares for its sessions: what is counted, summed up or kept of a session's clicks.
//!
//! A click carries what it adds to each column, a session the [`values`] that its clicks have made, and a
//! boundary what is [`published`] of these. The names are only in the [`declaration`].

pub mod declaration;
pub mod faults;
pub mod mapping;
pub mod named;
pub mod number;
pub mod published;
pub mod values;

mod aggregate;
mod parser;
pub(crate) mod reader;
