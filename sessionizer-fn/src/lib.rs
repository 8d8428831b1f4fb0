//! The sessionizer: clicks in, session boundaries out, one state item per user in between.
//!
//! In the order in which data flows: a batch is decoded and dealt to its users ([`batch`]), their states are read
//! ([`state_table`]), the next step of each user is worked out ([`step`]), committed, and only then published
//! ([`publisher`]). [`handler`] drives the rounds; [`config`] says with which settings.

pub mod config;

pub mod batch;
pub mod publisher;
pub mod state;
pub mod state_item;
pub mod state_table;
pub mod state_text;
pub mod step;
pub mod user_work;

pub mod handler;
pub mod report;

#[cfg(test)]
mod protocol_tests;
