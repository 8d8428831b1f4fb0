//! What both functions share, in the order in which data flows through them.
//!
//! Where comments name sections of the design, they mean `docs/design.md`.
//!
//! Nothing here decides about a particular function's work: the sessionizer's state lives in `sessionizer-fn`,
//! the sessions table in `sink-fn`.

pub mod limits;

pub mod config;

pub mod event;
pub mod event_error;
pub mod records;
pub mod sequence_number;

mod json_object;
mod json_string;
mod python_constants;

mod fields;
mod whole_number;

mod format_hint;
pub mod rejection;
pub mod shown;

pub mod attributes;
pub mod boundary;
pub mod click;
pub mod event_time;
pub mod session_rule;
pub mod user_id;

pub mod aws;
pub mod call_error;
pub mod concurrency;
pub mod failures;
pub mod invocation;
pub mod logs;
pub mod metrics;
pub mod put_requests;
pub mod rejected_batch;
pub mod rejected_table;
pub mod runtime;
pub mod statements;
