//! What an operator does to a deployed pipeline: look into its tables, and redrive rejected records.
//!
//! This is the only crate whose program acts on an AWS account in a person's name. [`config`] reads where it leads,
//! [`target`] says so before anything is read, and [`confirmation`] asks before anything is changed. [`stored`] reads the
//! tables, [`text_table`] shows them, [`tables`] does both; [`redrive`] puts rejected records back into their streams.
//!
//! It knows nothing of embedded services: against those of `local serve` it makes the same calls as against AWS.

pub mod error;

pub mod config;
pub mod confirmation;
pub mod target;

pub mod stored;
pub mod tables;
pub mod text_table;

pub mod redrive;
