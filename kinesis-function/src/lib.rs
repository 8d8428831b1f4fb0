//! What turns a handler into a Lambda function that consumes a Kinesis stream.
//!
//! In the order in which data flows: the loop ([`runtime`]) takes an [`event`], whose [`records`] the handler decodes and
//! works off within its [`invocation`]'s time. What it cannot decode is kept ([`rejected_batch`], [`rejected_table`]), what fails is
//! gathered ([`failures`]), and each invocation ends with an answer and a line of [`metrics`]. Below that lie the calls to AWS:
//! one client configuration and retry policy ([`aws`], [`call_error`]), and requests of many parts ([`statements`],
//! [`put_requests`], [`concurrency`]).
//!
//! Nothing here knows what a particular function does with its records.

pub mod limits;

pub mod config;
pub mod logs;
pub mod runtime;

pub mod event;
pub mod event_error;
pub mod records;

pub mod invocation;

pub mod rejected_batch;
pub mod rejected_table;

pub mod failures;
pub mod metrics;

pub mod aws;
pub mod call_error;
pub mod concurrency;
pub mod put_requests;
pub mod statements;
