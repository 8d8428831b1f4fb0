//! What turns a handler into a Lambda function that consumes a Kinesis stream.
//!
//! In the order in which data flows: the loop ([`runtime`]) takes an [`event`], whose [`records`] a [`handler`] decodes and
//! works off in one [`invocation`], within its [`time_budget`]. What it cannot use is kept ([`rejected_records`],
//! [`rejected_table`]), what fails is gathered ([`failures`]), and each invocation ends with an answer ([`done_records`]) and
//! a line of [`metrics`]. Below that lie the calls to AWS: one client configuration and retry policy ([`aws`],
//! [`call_error`], [`backoff`]), and requests of many parts ([`statements`], [`put_requests`], [`concurrency`]).
//!
//! To write a function, begin with [`handler`]. Nothing here knows what a particular function does with its records.

pub mod limits;

pub mod config;
pub mod logs;
pub mod runtime;

pub mod event;
pub mod event_error;
pub mod records;

pub mod handler;
pub mod invocation;
pub mod time_budget;

pub mod rejected_records;
pub mod rejected_table;

pub mod done_records;
pub mod failures;
pub mod metrics;

pub mod aws;
pub mod backoff;
pub mod call_error;
pub mod concurrency;
pub mod put_requests;
pub mod statements;
