//! The sink: stores session boundaries as one item per session; the highest version of a session wins.
//!
//! In the order in which data flows: a batch is decoded and reduced to one boundary per session ([`batch`]), each is
//! encoded as an item ([`session_item`]) and written on the condition that it is newer than the stored one
//! ([`sessions_table`]), by the statement that is most likely to succeed first ([`first_attempt`]). [`handler`] drives
//! the rounds, with the settings of [`config`].

pub mod config;

pub mod batch;
pub mod session_item;
pub mod sessions_table;

pub mod first_attempt;

pub mod handler;
pub mod report;
