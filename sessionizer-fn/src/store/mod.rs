//! Where the state lives: the interfaces of its stores, the two tables behind them, and session-stream.

pub mod log_store;
pub mod publisher;
pub mod rest_store;
pub mod settings;

mod attributes;
pub mod log_table;
pub mod put_records;
pub mod rest_table;
pub mod session_stream;

#[cfg(test)]
mod contract_tests;
#[cfg(test)]
pub(crate) mod memory;
#[cfg(test)]
mod table_samples;
