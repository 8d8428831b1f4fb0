//! Operator commands for a deployed pipeline: show its tables and redrive rejected records.
//!
//! This is the only crate whose program uses an operator's credentials in an AWS account. [`config`] reads the
//! variables, [`target`] shows the account and tables before anything is read, and [`confirmation`] asks before
//! anything is changed. [`stored`] reads the tables and [`users`] users' states, [`text_table`] formats them,
//! [`tables`] does all of this; [`redrive`] puts rejected records back into their streams.
//!
//! It does not depend on the embedded services: it makes the same calls to `local serve` as to AWS.

pub mod error;

pub mod config;
pub mod confirmation;
pub mod target;

pub mod stored;
pub mod tables;
pub mod text_table;
pub mod users;

pub mod redrive;
