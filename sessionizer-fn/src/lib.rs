//! The sessionizer: clicks in, session boundaries out, one state item per user in between.
//!
//! In the order in which data flows: a batch is decoded and grouped by user ([`batch`]). The users go through
//! [`rounds`]: their states are read ([`outbox`]), the next step of each user is decided ([`step`]), committed, and
//! only then published ([`outbox`] again, whose types allow no other order). [`user_work`] tracks each user and
//! [`ledger`] the invocation. [`handler`] connects the parts, with the settings of [`config`].

pub mod config;

pub mod batch;
pub mod outbox;
pub mod rounds;
pub mod state;
pub mod state_item;
pub mod state_text;
pub mod step;
pub mod user_work;

pub mod handler;
pub mod ledger;
pub mod report;

#[cfg(test)]
mod protocol_tests;
