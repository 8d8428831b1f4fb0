//! The sink: session boundaries in, one item per session out, the highest version of a session winning.
//!
//! In the order in which data flows: a batch is decoded and reduced to one boundary per session ([`batch`]), each is
//! put into the form of its item ([`session_item`]) and written under the condition that it is newer than what is
//! stored ([`sessions_table`]). [`handler`] drives the rounds; [`config`] says with which settings.

pub mod config;

pub mod batch;
pub mod session_item;
pub mod sessions_table;

pub mod handler;
pub mod report;
