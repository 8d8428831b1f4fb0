//! The sessionizer: clicks in, session boundaries out, and in between a log of the users under way.
//!
//! In the order in which data flows: a batch is decoded and its clicks are dealt to [`bucket`]s ([`batch`]); what cannot
//! be read is kept ([`rejected_parts`]). Each bucket's log is read on, the next commit decided ([`bucket`], over a [`ring_log`]), written and published
//! ([`work`], with the tables and the stream of [`store`]). [`environment`] keeps buckets between invocations
//! ([`buckets`]), and [`handler`] connects it to Lambda, with the settings of [`config`].

pub mod click_format_config;
pub mod config;

pub mod batch;
pub mod rejected_parts;

mod compression;
pub mod ring_log;
pub mod state_log_codec;
mod state_log_columns;
pub mod state_log_entry;
mod state_log_texts;
mod state_log_weight;
mod state_log_wire;

pub mod bucket;
pub mod store;
pub mod work;

pub mod buckets;
pub mod environment;
pub mod handler;
pub mod ledger;
pub mod report;

#[cfg(test)]
mod protocol_tests;
#[cfg(test)]
mod state_log_samples;
