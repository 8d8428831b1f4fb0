//! Operator commands for a deployed pipeline: show what it stores and publishes, redrive rejected records, forget users,
//! put a load of clicks.
//!
//! This is the only crate whose program uses an operator's credentials in an AWS account. [`config`] reads the
//! variables, [`target`] shows the account, tables and streams before anything is read, [`confirmation`] asks before
//! anything is changed, and [`output`] is what a command writes. [`stored`] reads the tables, [`state_logs`] the logs
//! and [`users`] users' states, [`text_table`] formats them.
//!
//! The commands: [`user_sessions`], [`active`], [`watch`], [`user_state`], [`timeline`], [`forget`],
//! [`tables`], [`redrive`] and [`produce`], which puts clicks of a [`shop`].
//!
//! It does not depend on the embedded services: it makes the same calls to `local serve` as to AWS.

pub mod error;

pub mod config;
pub mod confirmation;
pub mod output;
pub mod target;
pub mod time_text;

pub mod state_logs;
pub mod stored;
pub mod tables;
pub mod text_table;
pub mod users;

pub mod shop;

pub mod active;
pub mod forget;
pub mod produce;
pub mod redrive;
pub mod timeline;
pub mod user_sessions;
pub mod user_state;
pub mod watch;
